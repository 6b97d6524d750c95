"""Measures the perplexity of a text under one file, with `swiftlet perplexity` and with llama-perplexity, for every variant of the kernels
that this CPU can run.

    python3 Benchmarks/perplexity.py --llama PATH/llama-perplexity [MODEL.gguf] [--text FILE ...]

The model is SmolLM2 (`swiftlet pull smollm2`) unless a file is named; the text is the repository's documents, one after the other.
Both sides cut the same windows and score their second halves. They need not agree to the last digit: inputs of products are rounded
differently (docs/determinism.md), and so are variants among themselves. Needs nothing but Python.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = ["LICENSE", "README.md", "CONTRIBUTING.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md"))]


def variants(swiftlet, model):
    """Those that this CPU can run: the command lists them when it is asked for another one."""
    shown = subprocess.run(
        [swiftlet, "show", model], stderr=subprocess.PIPE, text=True, env=os.environ | {"SWIFTLET_KERNELS": "none"})
    found = re.search(r"can run: ([a-z0-9_, ]+)", shown.stderr)
    return found.group(1).split(", ") if found else sys.exit(f"swiftlet names no kernels: {shown.stderr.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", metavar="MODEL.gguf")
    parser.add_argument("--llama", required=True, metavar="PATH", help="llama-perplexity")
    parser.add_argument("--swiftlet", default=str(ROOT / ".build" / "release" / "swiftlet"))
    parser.add_argument("--text", nargs="+", default=[str(ROOT / name) for name in DOCUMENTS], metavar="FILE")
    parser.add_argument("--bytes", type=int, default=100_000, help="of the text that are used")
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--markdown", action="store_true", help="prints a Markdown table")
    arguments = parser.parse_args()
    context, threads = str(arguments.context), str(arguments.threads)
    model = arguments.model
    if not model:
        shown = subprocess.run([arguments.swiftlet, "show", "smollm2", "--json"], stdout=subprocess.PIPE)
        if shown.returncode != 0:
            sys.exit("SmolLM2 is not on this machine: run `swiftlet pull smollm2`, or name a model.")
        model = json.loads(shown.stdout)["path"]
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "text"
        whole = b"".join(pathlib.Path(path).read_bytes() for path in arguments.text)
        # The last character may be cut in two.
        text.write_text(whole[:arguments.bytes].decode(errors="ignore"))
        rows = []
        for variant in variants(arguments.swiftlet, model):
            result = subprocess.run(
                [arguments.swiftlet, "perplexity", model, text, "--context", context, "--threads", threads, "--json"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"SWIFTLET_KERNELS": variant})
            if result.returncode != 0:
                sys.exit(f"swiftlet perplexity with {variant} failed: {result.stderr.strip()}")
            figures = json.loads(result.stdout)
            rows.append((variant, figures["perplexity"], figures["tokens"]))
            print(f"{variant}: {figures['perplexity']:.4f}", file=sys.stderr, flush=True)
        result = subprocess.run(
            [arguments.llama, "-m", model, "-f", text, "-c", context, "-t", threads],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        found = re.search(r"Final estimate: PPL = ([0-9.]+) \+/- ([0-9.]+)", result.stdout)
        if not found:
            sys.exit(f"llama-perplexity failed: {result.stdout.strip()[-500:]}")
    theirs = float(found.group(1))
    print(f"{pathlib.Path(model).name}, {len(whole[:arguments.bytes])} bytes, windows of {context}, {rows[0][2]} scored tokens; "
          f"llama-perplexity: {theirs:.4f} ± {found.group(2)}\n")
    if arguments.markdown:
        print("| kernels | swiftlet | difference |\n|---|---|---|")
    for variant, ours, _ in rows:
        difference = f"{100 * (ours / theirs - 1):+.3f} %"
        print(f"| {variant} | {ours:.4f} | {difference} |" if arguments.markdown else f"{variant:8}  {ours:.4f}  {difference}")


if __name__ == "__main__":
    main()
