"""Draws the figures of compare.py as SVG: decoding speed against sequences, context and threads, ours and llama.cpp's.

    python3 Benchmarks/plots.py figures.json docs/performance

A plot has one panel a model; points are medians, lines through them lowest to highest. Needs nothing but Python. Colours are read on light
and on dark pages.
"""

import argparse
import json
import math
import pathlib
import re
import statistics
from xml.sax.saxutils import escape

SIDES = {"swiftlet": "#d9700a", "llama.cpp": "#4a8fd4"}
TEXT, GRID = "#7d7d7d", "#9a9a9a"
WIDTH, HEIGHT = 400, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 78, 52, 46
# Work in the rows' names: the file, what the plot shows, the axis, and whether numbers double from one to the next.
PLOTS = {
    "batch": ("Decoding several sequences together", "sequences", True),
    "depth": ("Decoding behind a context", "tokens before", False),
    "threads": ("Decoding with several threads", "threads", True),
}
TITLES = {"smollm2": "SmolLM2-135M Q4_1", "qwen": "R1-Distill-Qwen-1.5B", "v2lite": "DeepSeek-V2-Lite"}


def model_title(model):
    """`qwen-q4_0@avx2` in words."""
    model, _, kernels = model.partition("@")
    name, _, kind = model.partition("-")
    return TITLES[name] + (f" {kind.upper()}" if kind else "") + (f", {kernels}" if kernels else "")


def series(result, work):
    """For each model and side the points (number, lowest, median, highest)."""
    figures = {}
    for record in result["records"]:
        if found := re.fullmatch(rf"(.*)/{work}-(\d+)", record["row"]):
            for side in SIDES:
                if record[side] is None:
                    continue
                points = figures.setdefault(found.group(1), {}).setdefault(side, {})
                points.setdefault(int(found.group(2)), []).append(record[side])
    return {
        model: {side: [(number, min(values), statistics.median(values), max(values)) for number, values in sorted(points.items())]
                for side, points in sides.items()}
        for model, sides in figures.items() if len(sides["swiftlet"]) > 1}


def step(highest):
    """A round distance of four or five lines up to a value."""
    unit = 10 ** math.floor(math.log10(highest / 4))
    return next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor * 5 >= highest)


def number_text(value):
    return f"{value:,.0f}".replace(",", " ") if value == int(value) else f"{value:g}"


def label(x, y, text, anchor="middle", size=12, colour=TEXT, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" '
            f'font-weight="{weight}">{escape(text)}</text>')


def panel(title, sides, axis, doubles):
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    numbers = sorted({point[0] for points in sides.values() for point in points})
    highest = max(point[3] for points in sides.values() for point in points)
    distance = step(highest)
    top = distance * math.ceil(highest / distance)
    place = math.log2 if doubles else float
    first, last = place(numbers[0]), place(numbers[-1])
    x = lambda number: LEFT + 10 + (place(number) - first) / (last - first) * (right - LEFT - 20)
    y = lambda value: bottom - value / top * (bottom - TOP)
    parts = [label(LEFT, 18, title, "start", 14, TEXT, "600"), label(LEFT, 36, "tokens/s", "start", 11)]
    for line in range(round(top / distance) + 1):
        value = line * distance
        parts.append(f'<path d="M{LEFT} {y(value):.1f}H{right}" stroke="{GRID}" stroke-opacity="{0.9 if line == 0 else 0.3}"/>')
        parts.append(label(LEFT - 8, y(value) + 4, number_text(value), "end", 11))
    shown = -math.inf
    for number in numbers:
        if x(number) - shown >= 34:
            shown = x(number)
            parts.append(label(x(number), bottom + 18, number_text(number), size=11))
    parts.append(label((LEFT + right) / 2, bottom + 37, axis, size=11))
    # Names at the ends of the lines, kept apart. A side that took too long has none.
    ends = {side: y(points[-1][2]) for side, points in sides.items()}
    if len(ends) == 2:
        upper, lower = sorted(ends, key=ends.get)
        overlap = max(0, 16 - (ends[lower] - ends[upper])) / 2
        ends[upper], ends[lower] = ends[upper] - overlap, ends[lower] + overlap
    for side, points in sides.items():
        colour = SIDES[side]
        path = "L".join(f"{x(number):.1f} {y(median):.1f}" for number, _, median, _ in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.2" stroke-linejoin="round"/>')
        for number, low, median, high in points:
            parts.append(f'<path d="M{x(number):.1f} {y(low):.1f}V{y(high):.1f}" stroke="{colour}" stroke-width="1.4" stroke-opacity="0.6"/>')
            parts.append(f'<circle cx="{x(number):.1f}" cy="{y(median):.1f}" r="3.6" fill="{colour}"/>')
        parts.append(label(x(numbers[-1]) + 11, ends[side] + 4, side, "start", 12, colour, "600"))
    return "\n".join(parts)


def draw(result, folder):
    """Writes a file for each kind of work that was measured at more than one point.
    Returns lines of Markdown that show them, with paths relative to the folder's own."""
    folder, images = pathlib.Path(folder), []
    for work, (title, axis, doubles) in PLOTS.items():
        models = series(result, work)
        if not models:
            continue
        panels = [f'<g transform="translate({index * WIDTH} 0)">\n{panel(model_title(model), sides, axis, doubles)}\n</g>'
                  for index, (model, sides) in enumerate(models.items())]
        width = WIDTH * len(panels)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{work}.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" '
            f'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">\n<title>{escape(title)}</title>\n'
            + "\n".join(panels) + "\n</svg>\n")
        images.append(f"![{title}]({folder.name}/{work}.svg)")
    return images


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", metavar="FIGURES.json")
    parser.add_argument("folder")
    arguments = parser.parse_args()
    print("\n".join(draw(json.loads(pathlib.Path(arguments.figures).read_text()), arguments.folder)))


if __name__ == "__main__":
    main()
