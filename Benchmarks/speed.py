"""Measures `swiftlet bench` against `llama-bench` on the same GGUF file, by turns, and prints medians and their ratios.

    python Benchmarks/speed.py --swiftlet .build/release/swiftlet --llama-bench PATH/llama-bench MODEL.gguf

Needs nothing but Python and llama.cpp's llama-bench.
"""

import argparse
import json
import statistics
import subprocess


def output(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--llama-bench", required=True)
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    prompt, generate, threads = str(arguments.prompt), str(arguments.generate), str(arguments.threads)
    ours = [arguments.swiftlet, "bench", arguments.model, "--prompt", prompt, "--generate", generate]
    ours += ["--threads", threads, "--repetitions", "1", "--json"]
    theirs = [arguments.llama_bench, "-m", arguments.model, "-p", prompt, "-n", generate, "-t", threads, "-r", "1", "-o", "json"]
    rates = {"prefill": ([], []), "decode": ([], [])}
    for _ in range(arguments.rounds):
        own = json.loads(output(ours))
        peer = {("prefill" if test["n_prompt"] else "decode"): test["avg_ts"] for test in json.loads(output(theirs))}
        for name, (found, expected) in rates.items():
            found.append(own[f"{name}_tokens_per_second"])
            expected.append(peer[name])
    print(f"swiftlet's kernels: {own['kernels']}, {threads} threads, {arguments.rounds} rounds")
    for name, (found, expected) in rates.items():
        a, b = statistics.median(found), statistics.median(expected)
        print(f"{name}: swiftlet {a:.1f} tokens/s, llama.cpp {b:.1f}, ratio {a / b:.2f}")


if __name__ == "__main__":
    main()
