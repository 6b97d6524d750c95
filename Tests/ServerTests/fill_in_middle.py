"""Trains a small model to fill in the middle (Recipes/fill-in-middle.yaml), and has the client of OpenAI ask the server for it.

    python3 Tests/ServerTests/fill_in_middle.py --swiftlet .build/release/swiftlet [--threads 2] [--retrain]

The model learns from statements that Benchmarks/statements.py makes, and is asked for the middles of others, of which it has seen no pair of
names. Training takes minutes; what is in runs/fill-in-middle is taken as it is, unless `--retrain` is given. Needs the packages openai and httpx.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import openai

from clients import Server

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "runs/fill-in-middle/model"
AT_LEAST = 0.9  # of the cases, right to the last character


def train(arguments):
    if arguments.retrain:
        shutil.rmtree(MODEL.parent, ignore_errors=True)
    subprocess.run([sys.executable, ROOT / "Benchmarks/statements.py", "make", ROOT / "runs/statements"], check=True)
    if not MODEL.exists():
        subprocess.run([arguments.swiftlet, "train", ROOT / "Recipes/fill-in-middle.yaml", "--threads", str(arguments.threads)], check=True)
    return [json.loads(line) for line in open(ROOT / "runs/statements/test.jsonl")]


def count(server, text):
    return len(httpx.post(server.url + "/tokenize", json={"content": text}).raise_for_status().json()["tokens"])


def check_whole(client, server, cases):
    """All of them; those that are right."""
    right = []
    for case in cases:
        answer = client.completions.create(
            model=server.model, prompt=case["prefix"], suffix=case["suffix"], max_tokens=100, temperature=0)
        choice, usage = answer.choices[0], answer.usage
        if choice.text != case["middle"]:
            print(f"wrong: {case}, found {choice.text!r}")
            continue
        right.append(case)
        assert choice.finish_reason == "stop" and answer.object == "text_completion", answer
        # The beginning of a sequence and the three marks; behind the answer its end.
        assert usage.prompt_tokens == count(server, case["prefix"]) + count(server, case["suffix"]) + 4, (usage, case)
        assert usage.completion_tokens >= 1 and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage
    return right


def check_streams(client, server, cases):
    for case in cases:
        whole = client.completions.create(
            model=server.model, prompt=case["prefix"], suffix=case["suffix"], max_tokens=100, temperature=0)
        chunks = list(client.completions.create(
            model=server.model, prompt=case["prefix"], suffix=case["suffix"], max_tokens=100, temperature=0, stream=True,
            stream_options={"include_usage": True}))
        assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == case["middle"], chunks
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop", chunks
        usage = chunks[-1].usage
        assert (usage.prompt_tokens, usage.completion_tokens) == (whole.usage.prompt_tokens, whole.usage.completion_tokens), (usage, whole.usage)


def check_limits(client, server, case):
    """Ends that are not the model's own; several prompts with one suffix."""
    ask = lambda **more: client.completions.create(model=server.model, prompt=case["prefix"], suffix=case["suffix"], temperature=0, **more)
    short = ask(max_tokens=1)
    assert short.choices[0].finish_reason == "length" and short.usage.completion_tokens == 1, short
    stopped = ask(max_tokens=100, stop=case["middle"][-3:])
    assert stopped.choices[0].finish_reason == "stop" and stopped.choices[0].text == case["middle"][:-3], stopped
    echoed = ask(max_tokens=100, echo=True)
    assert echoed.choices[0].text == case["prefix"] + case["middle"], echoed
    two = client.completions.create(
        model=server.model, prompt=[case["prefix"]] * 2, suffix=case["suffix"], max_tokens=100, temperature=0)
    assert [choice.text for choice in two.choices] == [case["middle"]] * 2, two


def check_command(swiftlet, cases):
    for case in cases:
        result = subprocess.run(
            [swiftlet, "run", MODEL, case["prefix"], "--suffix", case["suffix"], "--temperature", "0", "--json"], capture_output=True,
            text=True, check=True)
        answer = json.loads(result.stdout)
        assert answer["text"] == case["middle"] and answer["finish_reason"] == "stop", (case, answer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--retrain", action="store_true")
    arguments = parser.parse_args()
    cases = train(arguments)
    with tempfile.TemporaryDirectory() as data:
        server = Server(arguments.swiftlet, str(MODEL), "--data", data)
        try:
            # DeepSeek's address, and OpenAI's.
            beta = openai.OpenAI(base_url=server.url + "/beta", api_key="any", max_retries=0)
            plain = openai.OpenAI(base_url=server.url + "/v1", api_key="any", max_retries=0)
            right = check_whole(beta, server, cases)
            print(f"{len(right)} of {len(cases)} middles are right")
            assert len(right) >= AT_LEAST * len(cases)
            assert len(check_whole(plain, server, right[:20])) == 20
            check_streams(beta, server, right[:20])
            check_streams(plain, server, right[:5])
            check_limits(beta, server, next(case for case in right if len(case["middle"]) > 20))
        finally:
            assert server.stop() == 0
    check_command(arguments.swiftlet, right[:5])
    print("ok      filling in the middle")


if __name__ == "__main__":
    main()
