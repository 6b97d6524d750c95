"""Trains one recipe in several precisions and compares losses, memory and time: BF16 with F32, FP8 with BF16, and fewer bits of
optimizer state with F32.

    python3 Benchmarks/precision.py [--recipe Recipes/precision.yaml] [--threads 2] [--into docs/training.md] [--keep FOLDER]

Every arm has the same seed, so the same weights and batches. Prints a table, and draws precision.svg: the losses, and how far each arm is
from the one it is compared with, both as means of eleven steps. --into puts the table between the comments of a Markdown file and the
plot into training/ beside it. --keep has the runs' folders: those that are done are not run again. --times FILE has the seconds of a step,
measured into it by short runs in turn when it is not there; nothing else may run then. Needs nothing but Python.
"""

import argparse
import json
import math
import pathlib
import re
import statistics
import subprocess
import tempfile
from xml.sax.saxutils import escape

# Name, precision of products, optimizer state, what it is compared with.
ARMS = [
    ("F32", "float32", "float32", None),
    ("BF16", "bfloat16", "float32", "F32"),
    ("FP8", "fp8", "float32", "BF16"),
    ("BF16, state int8", "bfloat16", "int8", "BF16"),
    ("BF16, state BF16", "bfloat16", "bfloat16", "BF16"),
]
COLOURS = ["#7d7d7d", "#4a8fd4", "#d9700a", "#3f9e5a", "#a05cc0"]
TEXT, GRID = "#7d7d7d", "#9a9a9a"
WINDOW = 11
SHORT = 12  # steps of a run that measures time


def write_recipe(source, arm, folder, steps=None):
    """The recipe of one arm, beside the original, so that its paths hold."""
    text = source.read_text()
    _, precision, state, _ = arm
    for key, value in [("precision", precision), ("state", state)] + ([("steps", steps)] if steps else []):
        text, count = re.subn(rf"^( *){key}:.*$", rf"\g<1>{key}: {value}", text, flags=re.MULTILINE)
        assert count == 1, f"{source}: expected one line of {key}"
    path = source.parent / f".{folder.name}.yaml"
    path.write_text(text)
    return path


def train(options, arm, folder, steps=None):
    # A run that was stopped has a report too, but no model.
    if not (folder / "model" / "config.json").exists():
        recipe = write_recipe(options.recipe, arm, folder, steps)
        try:
            subprocess.run([options.swiftlet, "train", recipe, "--out", folder, "--threads", str(options.threads)], check=True,
                           stdout=subprocess.DEVNULL)
        finally:
            recipe.unlink()
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def name_of(arm):
    return re.sub(r"\W+", "-", arm[0].lower())


def state_bytes(folder):
    """Bytes a parameter of the optimizer's state, as the checkpoint has them."""
    file = sorted(folder.glob("checkpoints/step-*/optimizer.safetensors"))[-1]

    def tensors(path):
        with open(path, "rb") as source:
            header = json.loads(source.read(int.from_bytes(source.read(8), "little")))
        return {name: entry for name, entry in header.items() if name != "__metadata__"}

    state = sum(end - begin for begin, end in (entry["data_offsets"] for entry in tensors(file).values()))
    return state / sum(math.prod(entry["shape"]) for name, entry in tensors(file).items() if name.startswith(("mean.", "momentum."))
                       and not name.endswith(".scales"))


def smooth(values):
    half = WINDOW // 2
    return [statistics.fmean(values[max(0, i - half) : i + half + 1]) for i in range(len(values))]


def percent(value, base):
    return f"{100 * (value / base - 1):+.2f} %"


def table(results):
    """A row an arm; the time of a step, as times that of BF16, where it was measured."""
    timed = results[0]["time"] is not None
    head = ["products", "last loss (mean of 20)", "mean loss", "held out", "against", "last", "mean", "held out", "state, bytes a parameter"]
    lines = ["| " + " | ".join(head + ["step, times BF16"] * timed) + " |", "|---" * (len(head) + timed) + "|"]
    for (name, _, _, base), figures in zip(ARMS, results):
        values = [figures[key] for key in ("last", "mean", "held")]
        other = next((f for arm, f in zip(ARMS, results) if arm[0] == base), None)
        against = [base] + [percent(v, other[k]) for v, k in zip(values, ("last", "mean", "held"))] if other else [""] * 4
        cells = [name] + [f"{v:.4f}" for v in values] + against + [f"{figures['bytes']:.2f}"]
        lines.append("| " + " | ".join(cells + ([f"{figures['time'] / results[1]['time']:.2f}"] if timed else [])) + " |")
    return "\n".join(lines)


def label(x, y, text, anchor="start", size=11, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{TEXT}">'
            f"{escape(text)}</text>")


def panel(left, title, unit, lines, digits):
    """Lines over steps: (colour, values)."""
    width, top, bottom = 400, 56, 270
    everything = [value for _, values in lines for value in values]
    low, high = min(everything), max(everything)
    raw = (high - low) / 4
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * f for f in (1, 2, 5, 10) if power * f >= raw)
    low, high = step * math.floor(low / step), step * math.ceil(high / step)
    count = max(len(values) for _, values in lines)
    x = lambda i: left + i / (count - 1) * width
    y = lambda value: bottom - (value - low) / (high - low) * (bottom - top)
    parts = [label(left - 40, 22, title, size=14, weight="600"), label(left - 40, 40, unit)]
    for i in range(round((high - low) / step) + 1):
        value = low + i * step
        strong = abs(value) < 1e-9
        parts.append(f'<path d="M{left} {y(value):.1f}H{left + width}" stroke="{GRID}" stroke-opacity="{0.9 if strong else 0.3}"/>')
        parts.append(label(left - 8, y(value) + 4, f"{value:.{digits}f}", "end"))
    for i in range(0, count + 1, 50):
        parts.append(label(x(max(0, i - 1)), bottom + 18, str(i), "middle"))
    for colour, values in lines:
        path = "L".join(f"{x(i):.1f} {y(value):.1f}" for i, value in enumerate(values))
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>')
    return parts


def plot(results, path):
    losses = {arm[0]: smooth(figures["losses"]) for arm, figures in zip(ARMS, results)}
    parts = panel(56, "Loss", "Training, in nats, mean of eleven steps", [(c, losses[a[0]]) for c, a in zip(COLOURS, ARMS)], 1)
    apart = [(colour, [100 * (value / other - 1) for value, other in zip(losses[arm[0]], losses[arm[3]])])
             for colour, arm in zip(COLOURS, ARMS) if arm[3]]
    parts += panel(540, "Difference", "% of the loss of the arm it is compared with", apart, 1)
    place = 56
    for colour, (name, _, _, base) in zip(COLOURS, ARMS):
        text = name + (f" (to {base})" if base else "")
        parts += [f'<rect x="{place}" y="306" width="14" height="3" fill="{colour}"/>', label(place + 20, 311, text)]
        place += 50 + 7 * len(text)
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 970 330" width="970" height="330" '
                    'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">\n'
                    "<title>Losses in several precisions</title>\n" + "\n".join(parts) + "\n</svg>\n")


def times(options, folder):
    """Of each arm the median seconds of a step, from short runs by turns."""
    seconds = {}
    for turn in range(3):
        for arm in ARMS:
            records = train(options, arm, folder / f"time-{turn}-{name_of(arm)}", SHORT)
            seconds.setdefault(arm[0], []).extend(record["seconds"] for record in records[2:])
    return {name: statistics.median(values) for name, values in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--recipe", type=pathlib.Path, default=pathlib.Path("Recipes/precision.yaml"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--times", type=pathlib.Path, metavar="FILE", help="seconds of a step by arm, measured into it when it is not there")
    parser.add_argument("--only-times", action="store_true", help="measures --times and stops")
    parser.add_argument("--arms", type=int, default=len(ARMS), metavar="N", help="only the first N")
    parser.add_argument("--into", type=pathlib.Path, metavar="FILE")
    options = parser.parse_args()
    del ARMS[options.arms :]
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.keep or pathlib.Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        seconds = None
        if options.times:
            if not options.times.exists():
                options.times.write_text(json.dumps(times(options, pathlib.Path(scratch)), indent=1) + "\n")
            seconds = json.loads(options.times.read_text())
            if options.only_times:
                return print(json.dumps(seconds, indent=1))
        results = []
        for arm in ARMS:
            records = train(options, arm, folder / name_of(arm))
            losses = [record["loss"] for record in records]
            results.append({
                "losses": losses, "last": statistics.fmean(losses[-20:]), "mean": statistics.fmean(losses),
                "held": [record["held_out_loss"] for record in records if record.get("held_out_loss") is not None][-1],
                "bytes": state_bytes(folder / name_of(arm)),
                "time": seconds[arm[0]] if seconds else None,
            })
        text = table(results)
        print(text)
        image = (options.into.parent / "training" if options.into else pathlib.Path(".")) / "precision.svg"
        plot(results, image)
        if options.into:
            document = options.into.read_text()
            begin, end = "<!-- precision.py -->\n", "\n<!-- end -->"
            assert begin in document, f"{options.into} has no line {begin.strip()}"
            before, rest = document.split(begin, 1)
            options.into.write_text(before + begin + text + end + rest.split(end[1:], 1)[1])


if __name__ == "__main__":
    main()
