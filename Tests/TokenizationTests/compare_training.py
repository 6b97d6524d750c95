"""Compares `swiftlet tokenizer train` with the `tokenizers` library on large corpora: the vocabulary, the merges in order, and the ids of
the corpus's first lines with the file that swiftlet wrote.

    python compare_training.py --swiftlet .build/release/swiftlet --size 32000 FILE [FILE ...]

FILE is UTF-8 text, read line by line by both. Needs `tokenizers`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

import oracle


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--size", type=int, default=32_000)
    parser.add_argument("--minimum-frequency", type=int, default=0)
    parser.add_argument("--pre-tokenizer", action="append", choices=["gpt-2", "smollm", "llama-bpe", "qwen2", "deepseek-llm", "deepseek-coder", "deepseek-v3"])
    arguments = parser.parse_args()
    special = ["<s>", "</s>"]
    failures = 0
    for pre in arguments.pre_tokenizer or ["gpt-2", "deepseek-v3"]:
        expected = Tokenizer(models.BPE(ignore_merges=pre == "llama-bpe"))
        expected.pre_tokenizer = oracle.PRE_TOKENIZERS[pre]()
        start = time.perf_counter()
        expected.train(arguments.files, trainers.BpeTrainer(
            vocab_size=arguments.size, min_frequency=arguments.minimum_frequency, special_tokens=special, show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        theirs = time.perf_counter() - start
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tokenizer.json")
            start = time.perf_counter()
            subprocess.run(
                [arguments.swiftlet, "tokenizer", "train", *arguments.files, "--size", str(arguments.size), "--minimum-frequency",
                 str(arguments.minimum_frequency), "--pre-tokenizer", pre, *(f"--special={token}" for token in special), "--out", path],
                check=True)
            ours = time.perf_counter() - start
            found = Tokenizer.from_file(path)
        models_ = [json.loads(t.to_str())["model"] for t in (expected, found)]
        same_vocabulary = models_[0]["vocab"] == models_[1]["vocab"]
        same_merges = models_[0]["merges"] == models_[1]["merges"]
        mismatches = 0
        for name in arguments.files:
            with open(name, newline="") as file:
                for _, line in zip(range(20_000), file):
                    mismatches += expected.encode(line).ids != found.encode(line).ids
        print(f"{pre}: {len(models_[0]['vocab'])} tokens {'equal' if same_vocabulary else 'DIFFERENT'}, {len(models_[0]['merges'])} merges "
              f"{'equal' if same_merges else 'DIFFERENT'}, {mismatches} lines differ; {ours:.1f} s, tokenizers {theirs:.1f} s", flush=True)
        failures += not (same_vocabulary and same_merges and mismatches == 0)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
