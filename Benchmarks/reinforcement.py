"""Measures a step of reinforcement (GRPO) beside PyTorch's, by turns, and prints medians and ratios.

    python3 Benchmarks/reinforcement.py --python VENV/bin/python [--rounds 3] [--steps 3] [--json figures.json]

VENV has torch and transformers. Both sides begin with the same random weights of the DeepSeek-V3 in small of training.py (18.3M parameters,
4.5M of them active for a token) and the same prompts of 20 to 40 tokens. A step draws 8 answers of 100 tokens to each of 64 problems at
temperature 1 (none ends before), rewards them (the letters "e" in an answer) and makes one step of AdamW on all of them: the loss of
GRPO with its ratio clipped, as the mean over all tokens, without a reference. Nothing else may run meanwhile.

Ours is `swiftlet train`, its times those of log.jsonl: a whole step has all that passed between two lines of it. PyTorch's is transformers'
`generate` with its cache, then forward, backward and step by autograd. It is spared what it can be: the ratio is taken to the detached
log-probabilities of the same pass, prompts of like lengths stand together, the head sees the answers alone, and nothing is logged.
What it computes rollouts and updates in (float32 or bfloat16: a copy of the weights for rollouts, autocast for updates), how it computes
experts, and how many answers at a time, are what was fastest in short probes before the first round; with one mode and one batch there
is no probe. The first step of each side is left out in every round.
"""

import argparse
import itertools
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

from rollout import generate, make_model, tokenize

SHORTEST, LONGEST = 20, 40
SCORE = """import json, sys

for line in sys.stdin:
    print(json.loads(line)["response"].count("e"))
"""


def without_end(model):
    """Makes the token that ends a sequence one like all others, so that no answer ends before it is cut."""
    name = "<｜end▁of▁sentence｜>"
    for file, change in [("config.json", lambda keys: keys.update(eos_token_id=keys["vocab_size"])),
                         ("tokenizer_config.json", lambda keys: keys.pop("eos_token", None))]:
        path = pathlib.Path(model, file)
        keys = json.loads(path.read_text())
        change(keys)
        path.write_text(json.dumps(keys))
    path = pathlib.Path(model, "tokenizer.json")
    path.write_text(path.read_text().replace(name, "<no end>"))


def make_prompts(folder, model, options):
    """Pieces of the model's training text, and their tokens, by length."""
    text = pathlib.Path(folder, "text.txt").read_text().replace("\n", " ")
    source, pieces = random.Random(1), []
    for _ in range(20 * options.problems):
        place = source.randrange(len(text) - 200)
        pieces.append(text[place:place + source.randint(30, 120)].strip())
    tokens = [json.loads(line) for line in tokenize(model, ["--json"], pieces, options)]
    found = [pair for pair in zip(tokens, pieces) if SHORTEST <= len(pair[0]) <= LONGEST][:options.problems]
    assert len(found) == options.problems, f"{len(found)} prompts"
    return sorted(found, key=lambda pair: len(pair[0]))


def make_recipe(folder, model, prompts, options):
    with open(os.path.join(folder, "problems.jsonl"), "w") as file:
        for row, (_, piece) in enumerate(prompts):
            file.write(json.dumps({"id": str(row), "question": piece, "answer": "e", "grader": "exact"}) + "\n")
    pathlib.Path(folder, "score.py").write_text(SCORE)
    path = os.path.join(folder, "reinforce.yaml")
    pathlib.Path(path).write_text(f"""model:
  from: {model}
reinforce:
  problems: problems.jsonl
  prompt: "{{question}}"
  instruction: ""
  prompts: {options.problems}
  samples: {options.samples}
  max_new_tokens: {options.tokens}
  rewards:
    command:
      run: [{sys.executable}, score.py]
  zero_variance: keep
optimizer:
  learning_rate: {options.rate}
  weight_decay: 0
balance:
  alpha: 0
sequence_length: {LONGEST + options.tokens}
micro_batch: {options.micro_batch}
steps: {options.steps}
precision: {options.precision}
checkpoint_interval: {options.steps + 1}
folder: reinforced
cost:
  peak_flops: 1e11
""")
    return path


def swiftlet(options, recipe):
    """Of every step the seconds of its parts, its tokens, loss and gradient norm."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.swiftlet, "train", recipe, "--out", folder + "/run", "--threads", str(options.threads)], check=True,
                       capture_output=True)
        lines = pathlib.Path(folder, "run", "log.jsonl").read_text().splitlines()
    steps = []
    for record in map(json.loads, lines):
        work = record["reinforcement"]
        assert work["learned_answers"] == options.problems * options.samples and work["updates"] == 1, work
        steps.append({
            "whole": record["elapsed_seconds"], "rollout": work["rollout_seconds"], "update": work["update_seconds"],
            "rewards": work["reward_seconds"], "other": work["other_seconds"], "tokens": record["tokens"], "loss": record["loss"],
            "norm": record["gradient_norm"], "reward": work["reward"]})
    return steps


class Peer:
    """GRPO in PyTorch, in the process of --python."""

    def __init__(self, settings):
        import torch
        from tokenizers import Tokenizer
        from transformers import DeepseekV3ForCausalLM
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        self.settings = settings
        torch.set_num_threads(settings["threads"])
        torch.manual_seed(0)
        self.model = DeepseekV3ForCausalLM.from_pretrained(settings["model"], dtype=torch.float32)
        self.half = DeepseekV3ForCausalLM.from_pretrained(settings["model"], dtype=torch.bfloat16).eval()
        self.tokenizer = Tokenizer.from_file(os.path.join(settings["model"], "tokenizer.json"))
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=settings["rate"], betas=(0.9, 0.95), eps=1e-8, weight_decay=0, fused=True)
        # The answers to a problem one behind the other.
        self.prompts = [prompt for prompt in settings["prompts"] for _ in range(settings["samples"])]

    def sampler(self, mode):
        """The model that generates, with the weights of the moment."""
        import torch

        precision, experts = mode.split("/")
        model = self.model
        if precision == "bfloat16":
            model = self.half
            with torch.no_grad():
                for copy, parameter in zip(model.parameters(), self.model.parameters()):
                    copy.copy_(parameter)
        model.set_experts_implementation(experts)
        return model.eval()

    def rollout(self, mode, batch, prompts, count):
        """Of every batch the tokens, prompts on the left, and which of them are there."""
        import torch

        model, result = self.sampler(mode), []
        for start in range(0, len(prompts), batch):
            rows = prompts[start:start + batch]
            longest = max(map(len, rows))
            ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
            mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
            with torch.inference_mode():
                out = generate(model, ids, mask, count)
            assert out.shape == (len(rows), longest + count), out.shape
            result.append((out.clone(), torch.cat([mask, torch.ones(len(rows), count, dtype=mask.dtype)], 1)))
        return result

    def advantages(self, rollouts, count):
        """By the rewards, and their mean."""
        import torch

        texts = [text for ids, _ in rollouts for text in self.tokenizer.decode_batch(ids[:, -count:].tolist(), skip_special_tokens=False)]
        rewards = torch.tensor([float(text.count("e")) for text in texts]).view(-1, self.settings["samples"])
        values = (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True) + 1e-4)
        return values.flatten(), rewards.mean().item()

    def gradients(self, mode, batch, rollouts, advantages, count):
        """Adds the gradients of the loss, micro-batch by micro-batch. Returns the loss."""
        import torch

        precision, experts = mode.split("/")
        self.model.set_experts_implementation(experts)
        self.model.train()
        tokens, loss, place = len(advantages) * count, 0.0, 0
        for ids, mask in rollouts:
            for ids, mask in zip(ids.split(batch), mask.split(batch)):
                longest = int(mask.sum(1).max())
                ids, mask, values = ids[:, -longest:], mask[:, -longest:], advantages[place:place + len(ids)].unsqueeze(1)
                place += len(ids)
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
                    logits = self.model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=count + 1).logits[:, :-1]
                now = -torch.nn.functional.cross_entropy(
                    logits.float().flatten(0, 1), ids[:, -count:].flatten(), reduction="none").view(len(ids), count)
                ratio = (now - now.detach()).exp()
                part = -torch.minimum(ratio * values, ratio.clamp(1 - 0.2, 1 + 0.28) * values).sum() / tokens
                part.backward()
                loss += part.item()
        return loss

    def step(self):
        import torch

        settings, count = self.settings, self.settings["tokens"]
        start = time.perf_counter()
        rollouts = self.rollout(settings["rollout"][0], settings["rollout"][1], self.prompts, count)
        generated = time.perf_counter()
        advantages, reward = self.advantages(rollouts, count)
        rewarded = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.gradients(settings["update"][0], settings["update"][1], rollouts, advantages, count)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0).item()
        self.optimizer.step()
        end = time.perf_counter()
        return {"whole": end - start, "rollout": generated - start, "rewards": rewarded - generated, "update": end - rewarded, "other": 0.0,
                "tokens": sum(ids.shape[0] * count for ids, _ in rollouts), "loss": loss, "norm": norm, "reward": reward}

    def probe(self):
        """Tokens a second by mode and batch, of rollouts and of updates."""
        import torch

        settings, speeds = self.settings, {"rollout": [], "update": []}

        def add(part, mode, batch, speed):
            speeds[part].append((mode, batch, speed))
            print(f"probe, {part}: {mode} in batches of {batch}: {speed:.0f} tokens/s", file=sys.stderr, flush=True)

        source, count = random.Random(0), max(4, settings["tokens"] // 4)
        for mode, batch in settings["rollouts"]:
            prompts = source.sample(self.prompts, min(batch, len(self.prompts)))
            self.rollout(mode, batch, prompts[:8], 2)
            start = time.perf_counter()
            self.rollout(mode, batch, prompts, count)
            add("rollout", mode, batch, len(prompts) * count / (time.perf_counter() - start))
        count, length = settings["tokens"], settings["tokens"] + (SHORTEST + LONGEST) // 2
        for mode, batch in settings["updates"]:
            ids = torch.randint(2, 512, (max(batch, 32), length))
            times = []
            for _ in range(2):
                start = time.perf_counter()
                self.gradients(mode, batch, [(ids, torch.ones_like(ids))], torch.ones(len(ids)), count)
                times.append(time.perf_counter() - start)
            add("update", mode, batch, len(ids) * count / min(times))
        return speeds


def torch_process(path):
    """In the process of --python: prints what was asked for in the file."""
    settings = json.loads(pathlib.Path(path).read_text())
    peer = Peer(settings)
    print(json.dumps(peer.probe() if "rollouts" in settings else [peer.step() for _ in range(settings["steps"])]))


def peer(options, folder, settings):
    path = os.path.join(folder, "peer.json")
    pathlib.Path(path).write_text(json.dumps(settings))
    command = [options.python, os.path.abspath(__file__), "--torch", path]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def fastest_modes(options, folder, settings):
    """How PyTorch is to compute rollouts and updates: mode and batch each. And what was measured to know."""
    choices = {"rollout": list(itertools.product(options.rollout_modes, options.rollout_batches)),
               "update": list(itertools.product(options.update_modes, options.update_batches))}
    if all(len(choice) == 1 for choice in choices.values()):
        return {part: choice[0] for part, choice in choices.items()}, {}
    speeds = peer(options, folder, {**settings, "rollouts": choices["rollout"], "updates": choices["update"]})
    return {part: max(rows, key=lambda row: row[2])[:2] for part, rows in speeds.items()}, speeds


def medians(steps):
    """Of the parts of a step; the first one is left out."""
    return {part: statistics.median(step[part] for step in steps[1:]) for part in ["whole", "rollout", "update", "rewards", "other"]}


def words(text):
    return [part for part in text.split(",") if part]


def numbers(text):
    return [int(part) for part in words(text)]


def report(modes, ours, theirs):
    mine, others = [medians(steps) for steps in ours], [medians(steps) for steps in theirs]
    print("\n| part | swiftlet, s | PyTorch, s | ratio | lowest to highest |\n| --- | --- | --- | --- | --- |")
    for part, name in [("whole", "whole step"), ("rollout", "rollout"), ("update", "update")]:
        ratios = [other[part] / own[part] for own, other in zip(mine, others)]
        print(f"| {name} | {statistics.median(own[part] for own in mine):.2f} | {statistics.median(other[part] for other in others):.2f} "
              f"| {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} |")
    shares = [(step["rewards"] + step["other"]) / step["whole"] for steps in ours for step in steps[1:]]
    print(f"\nOurs, neither rollout nor update: {100 * statistics.median(shares):.2f} % of a step (at most {100 * max(shares):.2f} %).")
    for part, (mode, batch) in modes.items():
        print(f"PyTorch's {part}: {mode} in batches of {batch}.")
    for name, rounds in [("swiftlet", ours), ("PyTorch", theirs)]:
        first = rounds[0][0]
        print(f"{name}: {first['tokens']} tokens a step; in the first the mean reward is {first['reward']:.3f}, the loss "
              f"{first['loss']:.2e}, the norm of the gradient {first['norm']:.4f}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="with torch and transformers")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--problems", type=int, default=64, help="of a step")
    parser.add_argument("--samples", type=int, default=8, help="answers to each")
    parser.add_argument("--tokens", type=int, default=100, help="of an answer")
    parser.add_argument("--precision", default="bfloat16", help="of our products")
    parser.add_argument("--micro-batch", type=int, default=8, help="answers that we learn from at a time")
    parser.add_argument("--rollout-modes", type=words, default="float32/grouped_mm,float32/eager,bfloat16/grouped_mm", help="PyTorch's")
    parser.add_argument("--rollout-batches", type=numbers, default="64,256,512")
    parser.add_argument("--update-modes", type=words, default="float32/grouped_mm,float32/eager,bfloat16/grouped_mm")
    parser.add_argument("--update-batches", type=numbers, default="8,16,32,64")
    parser.add_argument("--rate", type=float, default=1e-6, help="of learning")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", metavar="FILE", help="where every step's figures go")
    parser.add_argument("--torch", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        return torch_process(options.torch)
    if options.steps < 2:
        parser.error("--steps: at least 2, since the first is left out")
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(folder, options)
        without_end(model)
        prompts = make_prompts(folder, model, options)
        recipe = make_recipe(folder, model, prompts, options)
        settings = {"model": model, "prompts": [tokens for tokens, _ in prompts], "threads": options.threads, "samples": options.samples,
                    "tokens": options.tokens, "rate": options.rate, "steps": options.steps}
        modes, probes = fastest_modes(options, folder, settings)
        for number in range(options.rounds):
            for side in ["ours", "theirs"] if number % 2 == 0 else ["theirs", "ours"]:
                if side == "ours":
                    ours.append(swiftlet(options, recipe))
                else:
                    theirs.append(peer(options, folder, {**settings, **modes}))
            tokens = {step["tokens"] for step in ours[-1] + theirs[-1]}
            assert tokens == {options.problems * options.samples * options.tokens}, f"{tokens} tokens"
            own, other = medians(ours[-1]), medians(theirs[-1])
            print(f"round {number + 1}: {own['whole']:.2f} s ({own['rollout']:.2f} rollout, {own['update']:.2f} update), PyTorch "
                  f"{other['whole']:.2f} s ({other['rollout']:.2f}, {other['update']:.2f})", file=sys.stderr, flush=True)
    report(modes, ours, theirs)
    if options.json:
        figures = {"modes": modes, "probes": probes, "swiftlet": ours, "torch": theirs}
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
