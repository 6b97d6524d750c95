"""Measures a training step beside PyTorch's, by turns, and prints medians and ratios.

    python3 Benchmarks/training.py --python VENV/bin/python [--rounds 3] [--modes bfloat16/grouped_mm,float32/eager]

VENV has torch and transformers. Both train the same DeepSeek-V3 in small (18.3M parameters, 4.5M of them active for a token; latent
attention, 16 routed experts of which a token chooses two) with AdamW on 32 sequences of 256 tokens a step: ours by `swiftlet train`
with products in BF16, PyTorch's by transformers' DeepseekV3ForCausalLM, forward, backward and step, in each of the modes: what products
are made in (bfloat16 by autocast) and how transformers computes experts; its AdamW is the fused one. Its best mode is what counts. A
round runs every side once; a side's speed is the median of its steps, the first two left out. Memory is the most that was resident.
Nothing else may run meanwhile.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

SHAPE = {
    "vocab_size": 512, "hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 4, "kv_lora_rank": 64,
    "q_lora_rank": 96, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32, "n_routed_experts": 16, "num_experts_per_tok": 2,
    "n_shared_experts": 1, "moe_intermediate_size": 256, "first_k_dense_replace": 1, "intermediate_size": 768, "n_group": 1, "topk_group": 1,
    "norm_topk_prob": True, "routed_scaling_factor": 1.0, "max_position_embeddings": 512, "rope_theta": 10000.0,
}
SEQUENCES, LENGTH = 32, 256


def recipe(folder, steps):
    """A recipe on lines of random words, of which byte-level BPE makes the vocabulary."""
    source = random.Random(0)
    words = ["".join(source.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(source.randint(2, 9))) for _ in range(2000)]
    with open(os.path.join(folder, "text.txt"), "w") as file:
        for _ in range(20000):
            file.write(" ".join(source.choice(words) for _ in range(12)) + "\n")
    keys = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in SHAPE.items() if key != "vocab_size")
    text = f"""data:
  text: text.txt
tokenizer:
  size: {SHAPE["vocab_size"]}
model:
  config:
    model_type: deepseek_v3
{keys}optimizer:
  learning_rate: 1e-3
prediction: 0
sequence_length: {LENGTH}
batch: {SEQUENCES}
steps: {steps}
precision: bfloat16
folder: run
"""
    path = os.path.join(folder, "recipe.yaml")
    with open(path, "w") as file:
        file.write(text)
    return path


def swiftlet(options):
    with tempfile.TemporaryDirectory() as folder:
        command = [options.swiftlet, "train", recipe(folder, options.steps), "--json", "--threads", str(options.threads)]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    records = [record for record in map(json.loads, lines) if "tokens_per_second" in record]
    return statistics.median(record["tokens_per_second"] for record in records[2:]), records[-1]["memory_bytes"]


def torch_steps(mode, steps, threads):
    """In the process of --python: prints tokens a second and bytes."""
    import resource
    import time

    import torch
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    precision, experts = mode.split("/")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    configuration = DeepseekV3Config(**SHAPE, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1, pad_token_id=None)
    model = DeepseekV3ForCausalLM(configuration).float()
    model.set_experts_implementation(experts)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    ids = torch.randint(2, SHAPE["vocab_size"], (SEQUENCES, LENGTH))
    speeds = []
    for _ in range(steps):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        speeds.append(SEQUENCES * LENGTH / (time.perf_counter() - start))
    print(statistics.median(speeds[2:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def peer(options, mode):
    command = [options.python, os.path.abspath(__file__), "--torch", mode, "--steps", str(options.steps), "--threads", str(options.threads)]
    speed, memory = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(speed), float(memory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="with torch and transformers")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--modes", default="bfloat16/grouped_mm,bfloat16/eager,float32/grouped_mm,float32/eager")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch", metavar="MODE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        return torch_steps(options.torch, options.steps, options.threads)
    if options.steps < 3:
        parser.error("--steps: at least 3, since the first two are left out")
    modes, ours, theirs = options.modes.split(","), [], {}
    for number in range(options.rounds):
        print(f"round {number + 1}", file=sys.stderr)
        sides = [None] + modes
        for mode in sides if number % 2 == 0 else reversed(sides):
            if mode is None:
                ours.append(swiftlet(options))
            else:
                theirs.setdefault(mode, []).append(peer(options, mode))
    speed, memory = (statistics.median(run[field] for run in ours) for field in (0, 1))
    print("\n| PyTorch mode | swiftlet, tokens/s | PyTorch, tokens/s | ratio | lowest to highest | memory, MB |\n| --- | --- | --- | --- | --- | --- |")
    for mode in modes:
        ratios = [mine[0] / other[0] for mine, other in zip(ours, theirs[mode])]
        other = statistics.median(run[0] for run in theirs[mode])
        bytes_of_other = statistics.median(run[1] for run in theirs[mode])
        print(f"| {mode} | {speed:.0f} | {other:.0f} | {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} "
              f"| {memory / 1e6:.0f}, {bytes_of_other / 1e6:.0f} |")


if __name__ == "__main__":
    main()
