"""Compares `swiftlet tokenize MODEL --json` with the `tokenizers` library on 200,000 lines of mixed text.

    python compare_with_tokenizers.py --swiftlet .build/release/swiftlet MODEL [MODEL ...]
    python compare_with_tokenizers.py --swiftlet .build/release/swiftlet --goldens FOLDER

MODEL is a tokenizer.json, a folder with one, or a GGUF file with a byte-level BPE vocabulary. FOLDER is `models` of a source tree
of llama.cpp, whose vocabularies have texts and ids beside them. Needs `tokenizers` and `gguf`.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
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


def with_template(gguf, template):
    """The bytes of a GGUF file without tensors, with a chat template put before its other keys and its own renamed."""
    key = b"tokenizer.chat_template"
    gguf = gguf.replace(key, b"tokenizer.chat_replaced")
    pair = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(template)) + template
    magic, version, tensors, keys = struct.unpack("<4sIQQ", gguf[:24])
    return struct.pack("<4sIQQ", magic, version, tensors, keys + 1) + pair + gguf[24:]


def compare_goldens(swiftlet, folder):
    """Texts with line feeds in them go through a chat template that prints its message."""
    failures = 0
    for texts in sorted(pathlib.Path(folder).glob("*.gguf.inp")):
        model = texts.with_suffix("")
        inputs = texts.read_bytes().decode().split("\n__ggml_vocab_test__\n")[:-1]
        goldens = [[int(i) for i in line.split()] for line in model.with_suffix(".gguf.out").read_text().split("\n")[:-1]]
        if len(inputs) != len(goldens):
            print(f"{model.name}: skipped, {len(inputs)} texts for {len(goldens)} lines of ids", flush=True)
            continue
        mismatches, refusal = 0, None
        with tempfile.TemporaryDirectory() as copies:
            copy = pathlib.Path(copies) / model.name
            copy.write_bytes(with_template(model.read_bytes(), b"{{ messages[0].content }}"))
            for text, golden in zip(inputs, goldens):
                command = [swiftlet, "tokenize", str(copy), "--chat", "-"]
                data = json.dumps([{"role": "user", "content": text}]).encode()
                result = subprocess.run(command, input=data, capture_output=True)
                if result.returncode != 0:
                    refusal = result.stderr.decode().strip()
                    break
                found = json.loads(result.stdout)["ids"]
                if found != golden:
                    mismatches += 1
                    print(f"  {text[:200]!r}\n    expected {golden[:40]}\n    found    {found[:40]}")
        failures += mismatches
        print(f"{model.name}: {refusal or f'{len(inputs)} texts, {mismatches} mismatches'}", flush=True)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--goldens", metavar="FOLDER")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not arguments.models and not arguments.goldens:
        parser.error("name a MODEL or --goldens FOLDER")
    mismatches = compare_goldens(arguments.swiftlet, arguments.goldens) if arguments.goldens else 0
    mismatches += sum(compare(arguments.swiftlet, m, arguments.lines, arguments.seed) for m in arguments.models)
    sys.exit(mismatches > 0)


if __name__ == "__main__":
    main()
