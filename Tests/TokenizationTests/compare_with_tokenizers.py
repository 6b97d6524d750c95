"""Compares `swiftlet tokenize MODEL --json` with the `tokenizers` library on 200,000 lines of mixed text.

    python compare_with_tokenizers.py --swiftlet .build/release/swiftlet MODEL [MODEL ...]

MODEL is a tokenizer.json, a folder with one, or a GGUF file with a byte-level BPE vocabulary. Needs `tokenizers` and `gguf`.
"""

import argparse
import json
import subprocess
import sys
import time

import mixed_text
import oracle


def compare(swiftlet, model, count, seed):
    tokenizer = oracle.load(model)
    added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    # The placeholders of a vocabulary are alike: a few are enough.
    lines = list(mixed_text.texts(count, added[:40] + added[-40:], seed))
    data = "".join(line + "\n" for line in lines).encode()
    start = time.perf_counter()
    output = subprocess.run([swiftlet, "tokenize", model, "--json"], input=data, stdout=subprocess.PIPE, check=True).stdout
    elapsed = time.perf_counter() - start
    found = output.split(b"\n")[:-1]
    if len(found) != len(lines):
        sys.exit(f"{model}: {len(found)} lines came back for {len(lines)}")
    mismatches = 0
    for line, ids in zip(lines, found):
        expected = tokenizer.encode(line, add_special_tokens=False).ids
        if json.loads(ids) != expected:
            mismatches += 1
            if mismatches <= 5:
                print(f"  {line[:200]!r}\n    expected {expected[:40]}\n    found    {ids.decode()[:200]}")
    print(f"{model}: {len(lines)} lines, {len(data) / 1e6:.1f} MB, {mismatches} mismatches, {elapsed:.1f} s", flush=True)
    return mismatches


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(sum(compare(arguments.swiftlet, m, arguments.lines, arguments.seed) for m in arguments.models) > 0)


if __name__ == "__main__":
    main()
