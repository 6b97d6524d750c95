"""Measures what the second stage of Recipes/long-context.yaml brings: the perplexity of text that was not trained on, behind a long context.

    python3 Benchmarks/long_context.py [--swiftlet PATH] [--out FOLDER]

Trains Recipes/short-context.yaml, then goes on from it in several ways, each with as many tokens: as the recipe says; without YaRN; with
short sequences still. Also measured are the first stage alone, and the first stage with YaRN in its config.json but no training. Prints a Markdown
table: the perplexity over the second halves of windows of 128, 256 and 512 tokens of this repository's tests. Some five minutes on two
cores; a run that is there already is not done again. Needs nothing but Python.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONTEXTS = [128, 256, 512]
YARN = {"type": "yarn", "factor": 4, "original_max_position_embeddings": 128, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0,
        "mscale_all_dim": 1.0}


def train(swiftlet, recipe, run, changes=lambda text: text):
    if (run / "model" / "config.json").exists():
        return
    run.parent.mkdir(parents=True, exist_ok=True)
    path = run.parent / f"{run.name}.yaml"
    text = changes((ROOT / "Recipes" / recipe).read_text().replace("../runs/short-context", str(run.parent / "first")))
    path.write_text(text.replace("../", f"{ROOT}/"))
    if subprocess.run([swiftlet, "train", path, "--out", run], stdout=subprocess.DEVNULL).returncode != 0:
        sys.exit(f"{run.name}: swiftlet train failed")


def without_scaling(text):
    """Without `rope_scaling` and its keys."""
    lines, kept = text.splitlines(), []
    for line in lines:
        if line.startswith("  rope_scaling:") or line.startswith("    "):
            continue
        kept.append(line)
    return "\n".join(kept) + "\n"


def short(text):
    return (without_scaling(text).replace("sequence_length: 512", "sequence_length: 128").replace("\nbatch: 4", "\nbatch: 16")
            .replace("micro_batch: 4", "micro_batch: 8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swiftlet", default=str(ROOT / ".build" / "release" / "swiftlet"))
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs" / "long-context-arms")
    parser.add_argument("--bytes", type=int, default=60_000, help="of the text that are measured")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    train(arguments.swiftlet, "short-context.yaml", out / "first")
    untrained = out / "untrained" / "model"
    if not untrained.exists():
        shutil.copytree(out / "first" / "model", untrained)
        config = json.loads((untrained / "config.json").read_text())
        (untrained / "config.json").write_text(json.dumps(config | {"rope_scaling": YARN}))
    train(arguments.swiftlet, "long-context.yaml", out / "yarn")
    train(arguments.swiftlet, "long-context.yaml", out / "plain", without_scaling)
    train(arguments.swiftlet, "long-context.yaml", out / "short", short)
    text = out / "text"
    whole = b"".join(path.read_bytes() for path in sorted((ROOT / "Tests").glob("*/*.swift")))
    text.write_text(whole[:arguments.bytes].decode(errors="ignore"))
    print("| | " + " | ".join(map(str, CONTEXTS)) + " |\n|---|" + "---|" * len(CONTEXTS))
    for name, run in [("the first stage (128)", "first"), ("with YaRN, untrained", "untrained"), ("further with 128", "short"),
                      ("further with 512, no YaRN", "plain"), ("further with 512 and YaRN", "yarn")]:
        row = []
        for context in CONTEXTS:
            result = subprocess.run(
                [arguments.swiftlet, "perplexity", out / run / "model", text, "--context", str(context), "--cache-limit", "0", "--json"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if result.returncode != 0:
                sys.exit(f"{run}: {result.stderr.strip()}")
            row.append(f"{json.loads(result.stdout)['perplexity']:.2f}")
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
