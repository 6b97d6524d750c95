"""Makes Fixtures/fill-in-middle.json: prompts for the text between two others, as `tokenizers` encodes their parts.

The texts are only texts there: no token that is special or spelled like a mark is recognised in them.
"""

import json
import os

from tokenizers import Tokenizer

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures")
TEXTS = [
    ("", ""), ("def add(a, b):\n", "\n    return c\n"), ("    x = ", ""), ("", "}\n"), ("你好，", "。"), ("naïve über ö", "ÿ ù"),
    ("a <｜fim▁hole｜> b", "<｜fim▁end｜>"), ("<｜begin▁of▁sentence｜><think>", "<｜User｜>hi<｜Assistant｜>"),
    ("<|EOT|>", "<|fim_prefix|><pad>"), ("if (a < b && c > d) [x]", "[/x] ö<ö>"),
]


def main():
    fixture = {}
    for name in ("deepseek-v3", "deepseek-coder"):
        with open(os.path.join(FIXTURES, f"{name}.tokenizer.json")) as file:
            whole = json.load(file)
        ids = {token["content"]: token["id"] for token in whole["added_tokens"]}
        # Without the marks; pieces of text that the vocabulary holds as added tokens stay.
        whole["added_tokens"] = [t for t in whole["added_tokens"] if not t["special"] and not t["content"].startswith("<")]
        tokenizer = Tokenizer.from_str(json.dumps(whole))

        def encode(text):
            return tokenizer.encode(text, add_special_tokens=False).ids

        fixture[name] = [
            {"prefix": prefix, "suffix": suffix,
             "ids": [ids["<｜begin▁of▁sentence｜>"], ids["<｜fim▁begin｜>"], *encode(prefix), ids["<｜fim▁hole｜>"], *encode(suffix),
                     ids["<｜fim▁end｜>"]]}
            for prefix, suffix in TEXTS
        ]
    with open(os.path.join(FIXTURES, "fill-in-middle.json"), "w") as file:
        json.dump(fixture, file, ensure_ascii=False, indent=0, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
