"""Holds `swiftlet serve` to its OpenAPI document: requests that the document allows, and some that it does not, by Schemathesis.

    python3 Tests/ServerTests/openapi.py --swiftlet .build/release/swiftlet [--model smollm2] [--examples 20] [--seed 1] [--schema FILE]

Every answer has a status, a type, headers and a shape that the document names, those of streams event by event, and none is the server's
own failure. What is not allowed is refused, and what is allowed is taken. Keys, prices and limits get the refusals that the document has.
Needs the packages schemathesis, jsonschema and httpx (`make openapi-tests` installs them) and the small real model.
"""

import argparse
import collections
import copy
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import jsonschema
import schemathesis

DOCUMENT = Path(__file__).parents[2] / "Sources/Page/site/openapi.json"

# What Schemathesis runs beside its own checks: it imports this file.


def document():
    return json.loads(Path(os.environ["SWIFTLET_OPENAPI"]).read_text())


def resolved(root, node):
    while "$ref" in node:
        target = root
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps answers short."""
    body = case.body
    if case.operation.tags in (["Chat"], ["Messages"]) and isinstance(body, dict):
        for name in ["max_tokens", "max_completion_tokens"]:
            if type(body.get(name)) is int and body[name] > 4:
                body[name] = 4
        if case.operation.path == "/v1/chat/completions" and body.get("max_tokens") is None:
            body["max_tokens"] = body.get("max_completion_tokens") or 4


@schemathesis.check
def events_have_their_schema(context, response, case):
    """Each event of a stream is what `x-event-schema` says."""
    if response.headers.get("content-type", [""])[0].split(";")[0] != "text/event-stream":
        return
    root = document()
    answer = resolved(root, root["paths"][case.operation.path]["post"]["responses"]["200"])
    schema = {**answer["content"]["text/event-stream"]["x-event-schema"], "components": root["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    lines = [line for line in response.text.split("\n") if line.startswith("data: ")]
    assert lines, "a stream without events"
    for line in lines:
        if line != "data: [DONE]":
            error = jsonschema.exceptions.best_match(validator.iter_errors(json.loads(line[6:])))
            assert error is None, f"{line}: {error.message}"


# The server


class Server:
    """The built command on a free port, with a folder of its own."""

    def __init__(self, command, model, data, *arguments):
        self.process = subprocess.Popen(
            [command, "serve", model, "--port", "0", "--data", data, *arguments],
            stderr=subprocess.PIPE, text=True)
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("message") == "listening":
                self.url = entry["url"]
                break
        else:
            raise SystemExit("the server did not start:\n" + "".join(self.log))
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


# What makes an answer has rules that a schema does not say: a schema that can be kept, a tool that is there, a prompt that fits.
CONFIGURATION = """
[checks]
missing_required_header.enabled = false
unsupported_method.enabled = false
allow_header_conformance.enabled = false
ignored_auth.enabled = false

# A revision that the document allows may be an old one.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "5xx"]

[[operations]]
include-tag = ["Chat", "Messages"]

[operations.checks]
positive_data_acceptance.enabled = false

# No schema says that a message does not follow itself.
[[operations]]
include-operation-id = ["saveMessage"]

[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "5xx"]
"""


def small(whole):
    """The document with requests for a model that is there."""
    root = copy.deepcopy(whole)
    schemas = root["components"]["schemas"]
    for name in ["ChatRequest", "CompletionRequest"]:
        schemas[name]["properties"]["model"] = {"enum": ["deepseek-chat"]}
    schemas["MessageRequest"]["properties"]["model"] = {"enum": ["claude"]}
    for name in ["TokenizeRequest", "DetokenizeRequest"]:
        schemas[name]["properties"]["model"] = {"enum": ["deepseek-chat", None]}
    # The least integer is also what numbers a little below it are rounded to.
    del schemas["Seed"]["minimum"]
    # It is read only where the message has calls or is continued.
    del schemas["AssistantMessage"]["properties"]["reasoning_content"]["type"]
    # Of the vocabulary of the small model.
    schemas["TokenId"]["maximum"] = 49151
    return root


def served(url):
    """The document as the server has it; None of one that has none."""
    answer = httpx.get(url + "/openapi.json")
    return None if answer.status_code == 404 else answer.raise_for_status().json()


# Refusals that take keys, limits or long waits: requests, and the statuses they must have.


def refusals(command, model, folder, root):
    """How many answers were not as the document says."""
    data, settings, failed = folder + "/keys", Path(folder) / "settings.json", 0
    settings.write_text(json.dumps({"prices": {"*": {"cache_hit": 1, "cache_miss": 1, "output": 1}}}))

    def key(name, *limits):
        made = subprocess.run(
            [command, "keys", "create", name, "--json", "--data", data, *limits], capture_output=True, text=True, check=True)
        return {"Authorization": "Bearer " + json.loads(made.stdout)["key"]}

    alice, poor, slow = key("alice", "--balance", "1"), key("poor"), key("slow", "--requests-per-minute", "1", "--balance", "1")
    admin = key("admin", "--admin")
    server = Server(command, model, data, "--config", str(settings), "--parallel", "1", "--max-queue", "0")
    chat = {"model": "deepseek-chat", "max_tokens": 4, "messages": [{"role": "user", "content": "Hi"}]}
    message = {**chat, "model": "claude"}

    def idle():
        while not re.search(r"^swiftlet_batch_size\{.*\} 0$", httpx.get(server.url + "/metrics", headers=admin).text, re.M):
            time.sleep(0.05)

    def ask(status, method, path, body=None, headers={}):
        nonlocal failed
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        answer = httpx.request(method, server.url + path, content=content, headers=headers, timeout=120)
        problems = []
        if answer.status_code != status:
            problems.append(f"status {answer.status_code}")
        described = root["paths"][path][method.lower()]["responses"].get(str(answer.status_code))
        if described is None:
            problems.append("the document does not have this status")
        else:
            described = resolved(root, described)
            for name, header in described.get("headers", {}).items():
                if resolved(root, header).get("required") and name not in answer.headers:
                    problems.append(f"no header {name}")
            kind = answer.headers.get("Content-Type", "").split(";")[0]
            schema = described["content"].get(kind, {}).get("schema")
            if schema is None:
                problems.append(f"the document does not have {kind}")
            elif kind == "application/json":
                validator = jsonschema.Draft202012Validator({**schema, "components": root["components"]})
                problems += [error.message for error in validator.iter_errors(answer.json())]
        failed += bool(problems)
        print("FAILED" if problems else "ok    ", status, method, path, "; ".join(problems), flush=True)

    try:
        for path, body in [("/v1/chat/completions", chat), ("/anthropic/v1/messages", message)]:
            ask(200, "POST", path, body, alice)
            ask(401, "POST", path, body)
            ask(401, "POST", path, body, {"x-api-key": "sk-wrong"})
            ask(402, "POST", path, body, poor)
            ask(403, "POST", path, body, {**alice, "Origin": "https://evil.example"})
            ask(404, "POST", path, {**body, "model": "nothing"}, alice)
            ask(413, "POST", path, b" " * ((16 << 20) + 1), alice)
            ask(422, "POST", path, {**body, "temperature": 3}, alice)
        for path, item in root["paths"].items():
            if "get" in item and "{" not in path and item["get"].get("security") != []:
                ask(401, "GET", path)
                ask(403 if path == "/metrics" else 200, "GET", path, None, alice)
                ask(200, "GET", path, None, admin)
        # Counting takes no money.
        ask(200, "POST", "/anthropic/v1/messages/count_tokens", message, poor)
        ask(401, "POST", "/anthropic/v1/messages/count_tokens", message)
        ask(200, "POST", "/v1/tokenize", {"content": "a"}, slow)
        ask(429, "POST", "/v1/tokenize", {"content": "a"}, slow)
        ask(429, "POST", "/v1/messages", message, slow)
        # An answer that does not end by itself fills the server.
        long = {**chat, "max_tokens": 3000, "stream": True, "logit_bias": {"0": -100, "2": -100}}
        for path, body in [("/v1/chat/completions", chat), ("/v1/messages", message)]:
            idle()
            with httpx.stream("POST", server.url + "/v1/chat/completions", json=long, headers=alice, timeout=120) as stream:
                # Kept: the client closes the connection with it.
                lines = stream.iter_lines()
                line = next(lines)
                if stream.status_code != 200:
                    raise SystemExit(f"the long answer did not begin: {stream.status_code} {line}")
                ask(503, "POST", path, body, alice)
    finally:
        if server.stop() != 0:
            failed += 1
    return failed


def tell(log):
    """How often each operation had which status."""
    counts = collections.Counter()
    for line in log:
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("message") == "request":
            path = re.sub(r"^/api/chats/[^/]+", "/api/chats/{chat}", re.sub(r"(/api/chats/.+/messages|/models)/.+", r"\1/{}", entry["path"]))
            counts[entry["method"], path, entry["status"]] += 1
    for (method, path, status), count in sorted(counts.items()):
        if status != 404 or "{" in path:
            print(f"{count:6} {status} {method} {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--examples", type=int, default=20, help="of each operation and phase")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    parser.add_argument("--schema", help="the document, for a server that does not have it; else it must be the server's own")
    arguments = parser.parse_args()
    text = json.loads(Path(arguments.schema or DOCUMENT).read_text())
    with tempfile.TemporaryDirectory() as folder:
        # A short context, so that no answer is long.
        server = Server(arguments.swiftlet, arguments.model, folder + "/data", "--context", "256")
        try:
            if not arguments.schema and served(server.url) != text:
                raise SystemExit("/openapi.json is not Sources/Page/site/openapi.json")
            whole = small(text)
            if arguments.schema and served(server.url) is None:
                del whole["paths"]["/openapi.json"]
            path = Path(folder) / "openapi.json"
            path.write_text(json.dumps(whole))
            configuration = Path(folder) / "schemathesis.toml"
            configuration.write_text(CONFIGURATION)
            status = subprocess.run(
                [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(configuration), "run", str(path), "--url", server.url, "--phases", arguments.phases, "--max-examples", str(arguments.examples), "--seed",
                 str(arguments.seed), "--request-timeout", "120", "--continue-on-failure", "--no-color", "--warnings", "off"],
                cwd=folder,
                env={**os.environ, "SCHEMATHESIS_HOOKS": "openapi", "PYTHONPATH": str(Path(__file__).parent.resolve()),
                     "SWIFTLET_OPENAPI": str(path)}).returncode
        finally:
            ended = server.stop()
        tell(server.log)
        if ended != 0:
            raise SystemExit(f"the server ended with status {ended}")
        failed = refusals(arguments.swiftlet, arguments.model, folder, whole)
        print(f"{failed} refusals are not as the document says")
    sys.exit(1 if status or failed else 0)


if __name__ == "__main__":
    main()
