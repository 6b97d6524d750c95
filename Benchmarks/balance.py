"""Trains Recipes/balance.yaml with the rule for the routers' biases, with a balance loss instead, and with neither, and plots the load of
the most used expert over the mean, less 1 (MaxVio; Wang et al. 2024), step by step.

    python3 Benchmarks/balance.py [--swiftlet PATH] [--out FOLDER] [--plot docs/training/balance.svg]

Every arm takes one to two minutes on two cores. Prints a Markdown table: MaxVio as a mean of the last fifty steps, loss and held-out loss.
A run that is there already is not done again. Needs nothing but Python.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Name, colour, gamma of the rule, alpha of the balance loss.
ARMS = {
    "rule": ("the biases' rule, γ = 0.001", "#4a90c4", 0.001, 0),
    "loss": ("a balance loss, α = 0.001", "#5a9e4b", 0, 0.001),
    "none": ("neither", "#d9822b", 0, 0),
}
TEXT, GRID = "#7d7d7d", "#9a9a9a"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 380, 60, 24, 84, 48


def train(swiftlet, folder, arm, gamma, alpha):
    run = folder / arm
    if not (run / "model" / "config.json").exists():
        source = ROOT / "Recipes" / "balance.yaml"
        lines = source.read_text().replace("../", f"{ROOT}/").splitlines()
        changed = [f"  gamma: {gamma}" if line.startswith("  gamma:") else f"  alpha: {alpha}" if line.startswith("  alpha:") else line
                   for line in lines]
        recipe = folder / f"{arm}.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        recipe.write_text("\n".join(changed) + "\n")
        if subprocess.run([swiftlet, "train", recipe, "--out", run], stdout=subprocess.DEVNULL).returncode != 0:
            sys.exit(f"{arm}: swiftlet train failed")
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def label(x, y, text, anchor="middle", size=11, colour=TEXT, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" font-weight="{weight}">'
            f'{escape(text)}</text>')


def plot(logs):
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    values = {arm: [record["maximal_violation"] for record in log] for arm, log in logs.items()}
    steps, highest = max(map(len, values.values())), max(map(max, values.values()))
    distance = next(d for d in (0.5, 1, 2, 5, 10) if d * 6 >= highest)
    top = distance * -(-highest // distance)
    x = lambda step: LEFT + step / steps * (right - LEFT)
    y = lambda value: bottom - value / top * (bottom - TOP)
    parts = [label(16, 24, "How uneven the experts are", "start", 14, TEXT, "600"),
             label(16, 42, "load of the most used expert over the mean, less 1; mean of three layers (MaxVio)", "start")]
    for line in range(round(top / distance) + 1):
        value = line * distance
        parts.append(f'<path d="M{LEFT} {y(value):.1f}H{right}" stroke="{GRID}" stroke-opacity="{0.9 if line == 0 else 0.3}"/>')
        parts.append(label(LEFT - 8, y(value) + 4, f"{value:g}", "end"))
    for step in range(0, steps + 1, 100):
        parts.append(label(x(step), bottom + 18, str(step)))
    parts.append(label((LEFT + right) / 2, bottom + 38, "step"))
    place = 16
    for arm, series in values.items():
        name, colour = ARMS[arm][:2]
        path = "L".join(f"{x(step + 1):.1f} {y(value):.1f}" for step, value in enumerate(series))
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round"/>')
        parts.append(f'<path d="M{place} 60h22" stroke="{colour}" stroke-width="3"/>')
        parts.append(label(place + 28, 64, name, "start", 12, colour, "600"))
        place += 60 + 8 * len(name)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">\n<title>MaxVio over steps</title>\n'
            + "\n".join(parts) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swiftlet", default=str(ROOT / ".build" / "release" / "swiftlet"))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs" / "balance")
    parser.add_argument("--plot", type=pathlib.Path, default=ROOT / "docs" / "training" / "balance.svg")
    arguments = parser.parse_args()
    logs = {}
    for arm, (_, _, gamma, alpha) in ARMS.items():
        logs[arm] = train(arguments.swiftlet, arguments.out.resolve(), arm, gamma, alpha)
    arguments.plot.parent.mkdir(parents=True, exist_ok=True)
    arguments.plot.write_text(plot(logs))
    print("| | MaxVio, last 50 steps | loss, last 50 steps | held out |\n|---|---|---|---|")
    for arm, log in logs.items():
        last = lambda key: statistics.mean(record[key] for record in log[-50:])
        held_out = [record["held_out_loss"] for record in log if record.get("held_out_loss") is not None][-1]
        print(f"| {ARMS[arm][0]} | {last('maximal_violation'):.2f} | {last('loss'):.3f} | {held_out:.3f} |")


if __name__ == "__main__":
    main()
