"""Measures rollouts, as reinforcement learning needs them, beside transformers' generate, by turns, and prints medians and ratios.

    python3 Benchmarks/rollout.py --python VENV/bin/python [--rounds 3]

VENV has torch and transformers. Both generate with the DeepSeek-V3 in small of training.py (18.3M parameters, 4.5M of them active for a
token): 64 sequences together, each 128 new tokens at temperature 1 behind a prompt of 16. Ours is the whole command `swiftlet run --batch`,
with loading the model in BF16, tokenizing, sampling and writing the answers, over as many prompts as --batches says; PyTorch's is
`generate` alone, the model loaded, in its best mode (float32 and bfloat16; the first call left out). Nothing else may run meanwhile.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

from training import SHAPE, recipe

SEQUENCES, PROMPT, GENERATED = 64, 16, 128


def make_model(folder, options):
    """A model of random weights: that of a recipe of one step, in BF16."""
    path = recipe(folder, 1)
    with open(path, "a") as file:
        file.write("export: bfloat16\n")
    subprocess.run([options.swiftlet, "train", path, "--json"], check=True, capture_output=True)
    return os.path.join(folder, "run", "model")


def tokenize(model, arguments, lines, options):
    """What `swiftlet tokenize` makes of each line."""
    command, text = [options.swiftlet, "tokenize", model, *arguments], "".join(f"{line}\n" for line in lines)
    return subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout.split("\n")[:-1]


def make_prompts(folder, model, options):
    """Prompts of 16 tokens by the model's tokenizer, cut from its training text; no end of the sequence may come."""
    with open(os.path.join(folder, "text.txt")) as file:
        text = file.read()
    with open(os.path.join(model, "config.json")) as file:
        end = json.load(file)["eos_token_id"]
    source = random.Random(1)
    places = [source.randrange(len(text) - 200) for _ in range(SEQUENCES * options.batches)]

    ids = tokenize(model, ["--json"], [text[place:place + 200].replace("\n", " ") for place in places], options)
    prompts = tokenize(model, ["--decode"], [json.dumps(json.loads(line)[:PROMPT]) for line in ids], options)
    path = os.path.join(folder, "prompts.jsonl")
    with open(path, "w") as file:
        for row, prompt in enumerate(prompts):
            file.write(json.dumps({"prompt": prompt, "seed": row, "max_tokens": GENERATED, "logit_bias": {str(end): -100}}) + "\n")
    return path


def swiftlet(options, model, prompts, folder):
    output = os.path.join(folder, "answers.jsonl")
    if os.path.exists(output):
        os.remove(output)
    start = time.perf_counter()
    subprocess.run(
        [options.swiftlet, "run", model, "--batch", prompts, "--output", output, "--parallel", str(SEQUENCES),
         "--temperature", "1", "--top-p", "1", "--threads", str(options.threads)], check=True, capture_output=True)
    seconds = time.perf_counter() - start
    with open(output) as file:
        tokens = sum(json.loads(line)["completion_tokens"] for line in file)
    assert tokens == SEQUENCES * options.batches * GENERATED, f"{tokens} tokens"
    return tokens / seconds


def generate(model, ids, mask, count):
    """Prompts with so many tokens behind each, by transformers."""
    return model.generate(ids, attention_mask=mask, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, min_new_tokens=count,
                          max_new_tokens=count, eos_token_id=None)


def torch_rollout(mode, threads):
    """In the process of --python: prints tokens a second."""
    import torch
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    precision, experts = mode.split("/")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    configuration = DeepseekV3Config(**SHAPE, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1, pad_token_id=None)
    model = DeepseekV3ForCausalLM(configuration).to(getattr(torch, precision)).eval()
    model.set_experts_implementation(experts)
    ids, speeds = torch.randint(2, SHAPE["vocab_size"], (SEQUENCES, PROMPT)), []
    for _ in range(3):
        start = time.perf_counter()
        with torch.inference_mode():
            out = generate(model, ids, torch.ones_like(ids), GENERATED)
        speeds.append(SEQUENCES * (out.shape[1] - PROMPT) / (time.perf_counter() - start))
    print(statistics.median(speeds[1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="with torch and transformers")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--modes", default="float32/grouped_mm,bfloat16/grouped_mm,float32/eager")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch", metavar="MODE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        return torch_rollout(options.torch, options.threads)
    modes, ours, theirs = [mode for mode in options.modes.split(",") if mode], [], {}
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(folder, options)
        prompts = make_prompts(folder, model, options)
        for number in range(options.rounds):
            sides = [None] + modes
            for mode in sides if number % 2 == 0 else reversed(sides):
                if mode is None:
                    ours.append(swiftlet(options, model, prompts, folder))
                else:
                    command = [options.python, os.path.abspath(__file__), "--torch", mode, "--threads", str(options.threads)]
                    theirs.setdefault(mode, []).append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            print(f"round {number + 1}: {ours[-1]:.0f} tokens/s, {', '.join(f'{mode} {theirs[mode][-1]:.0f}' for mode in modes)}",
                  file=sys.stderr)
    print("\n| PyTorch mode | swiftlet, tokens/s | transformers, tokens/s | ratio | lowest to highest |\n| --- | --- | --- | --- | --- |")
    for mode in modes:
        ratios = [mine / other for mine, other in zip(ours, theirs[mode])]
        print(f"| {mode} | {statistics.median(ours):.0f} | {statistics.median(theirs[mode]):.0f} | {statistics.median(ratios):.2f} "
              f"| {min(ratios):.2f} to {max(ratios):.2f} |")


if __name__ == "__main__":
    main()
