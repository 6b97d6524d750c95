#!/usr/bin/env python3
"""Trains variants of Recipes/speedrun.yaml on the same text, and writes a table and a plot of what they reach.

    Recipes/speedrun/corpus.py                                # once
    Recipes/speedrun/compare.py                               # all arms, one after the other; then the table
    Recipes/speedrun/compare.py --arms dense,gqa --steps 100
    Recipes/speedrun/compare.py --table                       # of what has been trained so far

All arms have the recipe's data, tokenizer, batches, optimizer and seed, and no layer of multi-token prediction; only the lines of `ARMS`
differ. An arm that was stopped goes on when the command is given again. Arms of before, measured on the first held-out sequences and not
on some from all over them, are in no table with others. Folders of the arms, table.md and losses.svg are in runs/speedrun-arms.
"""

import argparse
import glob
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# Keys of the recipe by arm; None takes a line out. Keys of the model that are not in the recipe are added to it.
ARMS = {
    "mixture": ("mixture of experts, MLA", {}),
    "mixture-fast": ("the same, routing biases ten times as fast", {"gamma": 0.01}),
    "dense": ("dense, MLA", {"first_k_dense_replace": 4}),
    # MLA caches kv_lora_rank + qk_rope_head_dim = 128 values a token and layer, as much as two heads of keys and values of 32. What MLA's
    # projections have more, the feed-forward layers have more here.
    "gqa": ("dense, GQA, two heads of keys and values", {
        "model_type": "llama", "num_key_value_heads": 2, "intermediate_size": 840, "head_dim": 32}),
    "mha": ("dense, GQA with all eight heads of keys and values", {
        "model_type": "llama", "num_key_value_heads": 8, "intermediate_size": 712, "head_dim": 32}),
}
# What only a DeepSeek has.
LATENT = (
    "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "moe_intermediate_size", "n_routed_experts",
    "num_experts_per_tok", "n_shared_experts", "first_k_dense_replace", "n_group", "topk_group", "norm_topk_prob", "routed_scaling_factor")
# Training losses are drawn as means of so many steps.
WINDOW = 10
COLORS = ["#4a90c4", "#d9822b", "#5aa469", "#a66bbe", "#c44a5c", "#8a8a3a"]


def recipe(text, changes, folder):
    """The recipe with other values. Each key stands on a line of its own and occurs once."""
    changes = {"num_nextn_predict_layers": 0, "folder": folder, **changes}
    if changes.get("model_type") == "llama":
        changes = {**dict.fromkeys(LATENT + ("num_nextn_predict_layers",)), **changes, "num_nextn_predict_layers": None}
    for key, value in changes.items():
        line = re.compile(rf"^( *){key}: .*\n", re.M)
        count = len(line.findall(text))
        if count > 1:
            sys.exit(f"compare.py: {key} occurs {count} times in the recipe")
        if value is None:
            text = line.sub("", text)
        elif count:
            text = line.sub(rf"\g<1>{key}: {value}\n", text)
        else:
            text = re.sub(r"^( *)model_type: .*\n", rf"\g<0>\g<1>{key}: {value}\n", text, flags=re.M)
    return text


def records(folder):
    try:
        with open(os.path.join(folder, "log.jsonl")) as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return []


def measures_first(folder):
    """Whether a run measures with the first held-out sequences, as those do that were begun before it took some from all over them."""
    states = sorted(glob.glob(os.path.join(glob.escape(folder), "checkpoints/step-*/state.json")))
    if not states:
        return False
    with open(states[-1]) as file:
        return "spreadsEvaluation" not in json.load(file)


def check_comparable(out, arms):
    older = [name for name in arms if measures_first(os.path.join(out, name))]
    if older and len(older) < len(arms):
        sys.exit(f"compare.py: {', '.join(older)}: measured on other held-out sequences than the other arms; delete "
                 + " and ".join(os.path.join(out, name) for name in older) + ", and train anew")


def cache_values(model):
    """Values a token and layer."""
    if "kv_lora_rank" in model:
        return model["kv_lora_rank"] + model["qk_rope_head_dim"]
    return 2 * model["num_key_value_heads"] * model["head_dim"]


def model(text):
    values = dict(re.findall(r"^    (\w+): ([^\s#]+)", text, re.M))
    return {key: int(value) for key, value in values.items() if value.isdigit()}


def parameters(folder):
    """Total and active, as the report has them."""
    with open(os.path.join(folder, "report.md")) as file:
        found = re.search(r"\| model \| .*?, (\S+) parameters, (\S+) of them active", file.read())
    return found.groups()


def table(out, arms):
    rows = ["| | parameters | active | cache, bytes a token | held-out loss | bits a byte | tokens a second | core-hours |",
            "|---|---|---|---|---|---|---|---|"]
    lines, trained = [], []
    for name in arms:
        folder = os.path.join(out, name)
        log = records(folder)
        held = [record for record in log if record.get("held_out_loss")]
        # A run that was stopped has a report too, but no model.
        if not held or not os.path.exists(folder + "/model/config.json"):
            print(f"{name}: not trained yet", file=sys.stderr)
            continue
        trained.append(name)
        with open(os.path.join(out, name + ".yaml")) as file:
            shape = model(file.read())
        total, active = parameters(folder)
        processor = sum(record["processor_seconds"] for record in log)
        # By processor seconds, which do not depend on what else the machine does.
        speed = 2 * sum(record["tokens"] for record in log) / processor
        # A cache of 16-bit values.
        cache = 2 * cache_values(shape) * shape["num_hidden_layers"]
        rows.append(
            f"| {ARMS[name][0]} | {total} | {active} | {cache} | {held[-1]['held_out_loss']:.4f} | "
            f"{held[-1]['held_out_bits_per_byte']:.4f} | {speed:.0f} | {processor / 3600:.3f} |")
        losses = [(record["step"], record["loss"]) for record in log if record.get("loss")]
        means = [
            (part[-1][0], sum(loss for _, loss in part) / WINDOW)
            for part in (losses[end - WINDOW:end] for end in range(2 * WINDOW, len(losses) + 1))]
        lines.append((ARMS[name][0], means, [(record["step"], record["held_out_loss"]) for record in held]))
    check_comparable(out, trained)
    rows.append("")
    rows.append("Tokens a second: of two cores at work, reckoned from processor seconds.")
    with open(os.path.join(out, "table.md"), "w") as file:
        file.write("\n".join(rows) + "\n")
    print("\n".join(rows))
    if lines:
        with open(os.path.join(out, "losses.svg"), "w") as file:
            file.write(plot(lines))


def plot(lines):
    """Lines of training losses, with marks of held-out ones."""
    left, top, width, height = 64, 56, 600, 280
    xs = [x for _, means, held in lines for x, _ in means + held]
    ys = [y for _, means, held in lines for _, y in means + held]
    step = next(s for s in (0.05, 0.1, 0.2, 0.5, 1, 2) if (max(ys) - min(ys)) / s <= 8)
    low, high = int(min(ys) / step) * step, (int(max(ys) / step) + 1) * step
    first, last = min(xs), max(max(xs), min(xs) + 1)

    def place(x, y):
        return f"{left + (x - first) / (last - first) * width:.1f} {top + height - (y - low) / (high - low) * height:.1f}"

    total = top + height + 44 + 18 * len(lines)
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 24} {total}" width="{left + width + 24}" height="{total}" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" font-size="11" fill="#7d7d7d">',
        '<text x="16" y="22" font-size="14" font-weight="600">Loss</text>',
        f'<text x="16" y="40">Nats a token, over steps: training as means of {WINDOW} steps, marks and numbers held out</text>']
    for part in range(round((high - low) / step) + 1):
        y = top + height - part * step / (high - low) * height
        body.append(f'<path d="M{left} {y:.1f}H{left + width}" stroke="#7d7d7d" stroke-opacity="0.25"/>')
        body.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{low + part * step:.4g}</text>')
    apart = next(s for s in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10**9) if (last - first) / s <= 8)
    for x in range(-(-first // apart) * apart, last + 1, apart):
        if x >= first:
            body.append(f'<text x="{place(x, low).split()[0]}" y="{top + height + 18}" text-anchor="middle">{x}</text>')
    for index, (name, means, held) in enumerate(lines):
        color, y = COLORS[index % len(COLORS)], top + height + 44 + 18 * index
        path = "L".join(place(*point) for point in means or held)
        body.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        for point in held:
            cx, cy = place(*point).split()
            body.append(f'<circle cx="{cx}" cy="{cy}" r="2.5" fill="{color}"/>')
        body.append(f'<rect x="{left}" y="{y - 5}" width="14" height="3" fill="{color}"/>')
        body.append(f'<text x="{left + 20}" y="{y}">{name}: {held[-1][1]:.3f}</text>')
    return "\n".join(body) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", default=",".join(ARMS), help="some of: " + ", ".join(ARMS))
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--swiftlet", default=os.path.join(HERE, "../../.build/release/swiftlet"))
    parser.add_argument("--recipe", default=os.path.join(HERE, "../speedrun.yaml"))
    parser.add_argument("--out", default=os.path.join(HERE, "../../runs/speedrun-arms"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="trains nothing")
    options = parser.parse_args()
    arms = options.arms.split(",")
    for name in arms:
        if name not in ARMS:
            parser.error(f"there is no arm {name}, but {', '.join(ARMS)}")
    out = os.path.abspath(options.out)
    os.makedirs(out, exist_ok=True)
    with open(options.recipe) as file:
        text = file.read()
    # Paths of a recipe begin beside it, and the arms' recipes lie elsewhere.
    base = os.path.dirname(os.path.abspath(options.recipe))
    data = re.search(r"^  text: (\S+)", text, re.M)[1]
    if not options.table:
        check_comparable(out, arms)
    for name in [] if options.table else arms:
        folder = os.path.join(out, name)
        path = folder + ".yaml"
        changes = {"steps": options.steps, "interval": 50, "text": os.path.normpath(os.path.join(base, data)), **ARMS[name][1]}
        with open(path, "w") as file:
            file.write(recipe(text, changes, folder))
        print(f"{name}: {ARMS[name][0]}", file=sys.stderr)
        subprocess.run([options.swiftlet, "train", path, "--threads", str(options.threads)], check=True)
    table(out, arms)


if __name__ == "__main__":
    main()
