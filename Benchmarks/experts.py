"""Measures what more experts cost in training: tokens a second of the same model with 8, 16, 32 and 64 of them, by turns.

    python3 Benchmarks/experts.py [--experts 8,16,32,64] [--rounds 5] [--steps 7]

The model is the DeepSeek-V3 in small of training.py: a token always goes through two routed experts, so that as many parameters are
active however many there are. A run's speed is the median of its steps, the first two left out; a ratio is to the fewest experts in the
same round, and the table has the rounds' medians. Nothing else may run meanwhile.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

from training import recipe


def speed(options, count):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(recipe(folder, options.steps))
        text, changes = re.subn(r"(n_routed_experts: )\d+", rf"\g<1>{count}", path.read_text())
        assert changes == 1, text
        path.write_text(text)
        command = [options.swiftlet, "train", str(path), "--json", "--threads", str(options.threads)]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    records = [record for record in map(json.loads, lines) if "tokens_per_second" in record]
    return statistics.median(record["tokens_per_second"] for record in records[2:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--experts", default="8,16,32,64", type=lambda text: [int(part) for part in text.split(",")])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if options.steps < 3:
        parser.error("--steps: at least 3, since the first two are left out")
    rounds = []
    for number in range(options.rounds):
        order = options.experts if number % 2 == 0 else options.experts[::-1]
        rounds.append({count: speed(options, count) for count in order})
        print(f"round {number + 1}: " + ", ".join(f"{count}: {rounds[-1][count]:.0f}" for count in options.experts), file=sys.stderr)
    print("\n| experts | tokens/s | of those with the fewest | lowest to highest |\n| --- | --- | --- | --- |")
    for count in options.experts:
        ratios = [speeds[count] / speeds[options.experts[0]] for speeds in rounds]
        print(f"| {count} | {statistics.median(speeds[count] for speeds in rounds):.0f} | {statistics.median(ratios):.3f} "
              f"| {min(ratios):.3f} to {max(ratios):.3f} |")


if __name__ == "__main__":
    main()
