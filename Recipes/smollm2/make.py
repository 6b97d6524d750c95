#!/usr/bin/env python3
"""Teaches SmolLM2-135M to think before it answers, on three families of tasks: a cold start on worked problems, then GRPO.

    python3 Recipes/smollm2/make.py --swiftlet .build/release/swiftlet

Beside the worked problems it learns answers of its own to plain requests, for its English's sake. Before, between and after, it is asked
held-out problems, and its perplexity on English is measured. What was stopped goes on when the command is given again; all of it lies in
runs/smollm2/, the model in runs/smollm2/reinforced. After changes to a recipe or a family, delete runs/smollm2 to begin anew. Needs
nothing but Python and swiftlet.
"""

import argparse
import json
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUNS = ROOT / "runs" / "smollm2"
FAMILIES = ["arithmetic", "counting", "parity"]
# Of the cold start's adapter: between the weights before and after, more of the English is kept than of the tasks is lost (Wortsman et
# al. 2022, "Robust fine-tuning of zero-shot models").
STRENGTH = 0.7
INSTRUCTION = "Think step by step."  # as in 2-reinforce.yaml
TASKS = ["--tasks", ",".join(FAMILIES), "--difficulty", "1-2", "--instruction", INSTRUCTION]
# English that is no source of the model's, as far as one can know; copied at the start, since documents are edited.
TEXTS = [ROOT / "docs" / "threat-model.md", ROOT / "docs" / "distillation.md"]

TOPICS = [
    "the sea", "bread", "volcanoes", "the moon", "bicycles", "honey bees", "winter", "libraries", "trees", "the heart", "friendship", "sleep",
    "music", "earthquakes", "paper", "the Roman Empire", "rain", "chess", "photosynthesis", "money", "gardens", "trains", "vaccines",
    "clouds", "cats", "coffee", "the Sahara", "painting", "the printing press", "democracy", "glaciers", "football", "dreams", "bridges",
    "electricity", "whales", "tea", "salt", "maps", "silence"]
REQUESTS = [
    "Tell me about {}.", "Why does {} matter to people?", "Write a very short story in which {} plays a part.",
    "What should a child know about {}?", "Give me three facts about {}.", "Explain {} in two sentences.",
    "What did people think of {} a hundred years ago?", "Write a letter to a friend about {}."]


def run(*command):
    print("$", *command, flush=True)
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(swiftlet, model, name):
    """Held-out problems, 100 of each family, the likeliest answer to each, and perplexity; kept once they are complete."""
    target = RUNS / f"{name}.json"
    if not target.exists():
        figures = json.loads(run(swiftlet, "eval", model, *TASKS, "--problems", 100, "--temperature", 0, "--max-tokens", 320,
                                 "--parallel", 32, "--json"))
        figures["perplexity"] = {}
        for text in TEXTS:
            printed = run(swiftlet, "perplexity", model, RUNS / text.name, "--json")
            figures["perplexity"][text.name] = json.loads(printed)["perplexity"]
        partial = target.with_suffix(".partial")
        partial.write_text(json.dumps(figures))
        partial.rename(target)
    return json.loads(target.read_text())


def make_own(swiftlet):
    """Whole answers of the model as it is to plain requests; those that are cut would teach it to end in the middle."""
    target, requests = RUNS / "own.jsonl", RUNS / "requests.txt"
    if not target.exists():
        requests.write_text("".join(request.format(topic) + "\n" for request in REQUESTS for topic in TOPICS))
        run(swiftlet, "distill", RUNS / "base", "--prompts", requests, "--keep", "all", "--temperature", 1, "--max-tokens", 400,
            "--concurrency", 64, "--near-duplicates", 0, "--output", target)


def train(swiftlet, stage, base, merged, strength=1.0):
    """Trains a stage, and adds its adapter, so many times as strong as it was trained, to the weights that it began with."""
    if not (RUNS / merged).is_dir():
        subprocess.run([str(swiftlet), "train", str(HERE / f"{stage}.yaml")], check=True)
        adapter = RUNS / stage / f"adapter-{strength}"
        shutil.copytree(RUNS / stage / "adapter", adapter, dirs_exist_ok=True)
        settings = json.loads((adapter / "adapter_config.json").read_text())
        settings["lora_alpha"] *= strength
        (adapter / "adapter_config.json").write_text(json.dumps(settings))
        run(swiftlet, "merge", RUNS / base, adapter, RUNS / merged)
    return RUNS / merged


def table(rows):
    print("| | " + " | ".join(rows) + " |\n|---|" + "---|" * len(rows))

    def line(name, value):
        print(f"| {name} | " + " | ".join(value(figures) for figures in rows.values()) + " |")

    def share(figure):
        return "{:.0f} [{:.0f}, {:.0f}]".format(*(100 * figure[key] for key in ("value", "low", "high")))

    for family in FAMILIES:
        line(family, lambda figures: share(figures["families"][family]["pass@1"]))
    line("all", lambda figures: share(figures["overall"]["pass@1"]))
    line("in the form that was asked for", lambda figures: share(figures["overall"]["well_formed"]))
    for text in TEXTS:
        line(f"perplexity, {text.name}", lambda figures: f"{figures['perplexity'][text.name]:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    swiftlet = pathlib.Path(parser.parse_args().swiftlet).resolve()
    RUNS.mkdir(parents=True, exist_ok=True)
    for text in TEXTS:
        if not (RUNS / text.name).exists():
            partial = RUNS / (text.name + ".partial")
            shutil.copyfile(text, partial)
            partial.rename(RUNS / text.name)
    if not (RUNS / "base").is_dir():
        run(swiftlet, "convert", "smollm2", "--to", "safetensors", "--type", "bf16", "--output", RUNS / "base")
    if not (RUNS / "worked.jsonl").exists():
        run(swiftlet, "tasks", *TASKS, "--export", 1000, "--worked", "--shuffle", "--split", "train", "--output", RUNS / "worked.jsonl")
    make_own(swiftlet)
    rows = {"before": measure(swiftlet, RUNS / "base", "before")}
    started = train(swiftlet, "1-cold-start", "base", "cold-start", STRENGTH)
    rows["after the cold start"] = measure(swiftlet, started, "cold-start")
    rows["after GRPO"] = measure(swiftlet, train(swiftlet, "2-reinforce", "cold-start", "reinforced"), "reinforced")
    table(rows)


if __name__ == "__main__":
    main()
