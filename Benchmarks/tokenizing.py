"""Measures `swiftlet tokenize MODEL --json` against the `tokenizers` library on the same text, by turns.

    python3 Benchmarks/tokenizing.py --swiftlet .build/release/swiftlet MODEL [MODEL ...]

MODEL is a tokenizer.json, a folder with one, or a GGUF file with a byte-level BPE vocabulary. The text is the mixed text of the
tokenizer tests, 200,000 lines of it. Both run on one core. Ours is timed as a process, from text to JSON; the time of the same
command on no input is taken off, so that loading does not count. `tokenizers` is timed inside Python, from a list of strings to
ids, without JSON. Needs `tokenizers` and `gguf`.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Tests" / "TokenizationTests"))
import mixed_text  # noqa: E402
import oracle  # noqa: E402


def processor_seconds(command, data):
    """What a process spends on all its threads."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        process.stdin.write(data)
        process.stdin.close()
    except BrokenPipeError:
        pass
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def measure(swiftlet, model, line_count, rounds):
    tokenizer = oracle.load(model)
    added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    lines = list(mixed_text.texts(line_count, added[:40] + added[-40:]))
    data = "".join(line + "\n" for line in lines).encode()
    command = [swiftlet, "tokenize", model, "--json"]
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(processor_seconds(command, data) - processor_seconds(command, b""))
        start = time.process_time()
        for first in range(0, len(lines), 1000):
            tokenizer.encode_batch(lines[first : first + 1000], add_special_tokens=False)
        theirs.append(time.process_time() - start)
    megabytes = len(data) / 1e6
    rate, peer = megabytes / statistics.median(ours), megabytes / statistics.median(theirs)
    ratio = statistics.median(b / a for a, b in zip(ours, theirs))
    print(f"{model}: {megabytes:.1f} MB, swiftlet {rate:.1f} MB/s, tokenizers {peer:.1f} MB/s, ratio {ratio:.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for model in arguments.models:
        measure(arguments.swiftlet, model, arguments.lines, arguments.rounds)


if __name__ == "__main__":
    main()
