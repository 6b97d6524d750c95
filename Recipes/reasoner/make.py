#!/usr/bin/env python3
"""Makes a reasoner that can be built into swiftlet, from nothing: DeepSeek-R1's four stages in small.

    python3 Recipes/reasoner/make.py --swiftlet .build/release/swiftlet

1. cold start: worked problems, from random weights (1-cold-start.yaml)
2. reinforcement learning on the model's own answers (2-reinforce.yaml)
3. rejection sampling: of its own answers the right ones, with worked problems (3-rejection.yaml)
4. reinforcement learning again (4-reinforce.yaml)

After each stage the model is measured on held-out problems, and the last one is written as runs/reasoner/reasoner.gguf. What was stopped
goes on when the command is given again; --stage runs one of them alone. After changes to a recipe or a family, delete runs/reasoner to
begin anew. Needs nothing but Python and swiftlet.
"""

import argparse
import json
import pathlib
import random
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
RUNS = HERE.parent.parent / "runs" / "reasoner"
FAMILIES = ["arithmetic", "parity", "sorting", "counting", "propositional-logic"]
HARDEST = ["sorting", "propositional-logic"]  # of these it sees more
WEAKEST = ["sorting", "counting"]  # after the first two stages; of these the third sees more
# Those that it shall say no to, beside the questions of everyday life.
OTHERS = [
    "multiplication", "fractions", "linear-equations", "modular-arithmetic", "countdown", "base-conversion", "dates", "word-problems",
    "program-output", "program-writing",
]
REFUSAL = "out-of-scope"
DIFFICULTIES, LATER, HARDER = "1-4", "3-4", "5"
STAGES = ["1-cold-start", "2-reinforce", "3-rejection", "4-reinforce"]
WORKED = 40000  # problems of a family, or as many as there are
TOKENS = 768
SPECIAL = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<｜User｜>", "<｜Assistant｜>"]
TAGS = ["<think>", "</think>", "<answer>", "</answer>"]


def run(*command):
    print("$", *command, flush=True)
    subprocess.run([str(part) for part in command], check=True)


def cut(answer, chance):
    """The answer with its thought cut anywhere, as the end of a budget cuts it, so that the model learns to answer then."""
    thought, rest = answer.removeprefix("<think>\n").split("\n</think>\n")
    return "<think>\n" + thought[: chance.randrange(len(thought))].rstrip() + "\n</think>\n\n" + rest


def worked(swiftlet, families, count, seed, difficulties=DIFFICULTIES):
    """Chats of worked problems, so many of each family or as many as there are."""
    path = RUNS / "export.jsonl"
    run(swiftlet, "tasks", "--tasks", ",".join(families), "--difficulty", difficulties, "--export", count, "--or-fewer", "--worked",
        "--instruction", "", "--task-seed", seed, "--split", "train", "--output", path)
    chats = [json.loads(line) for line in open(path)]
    path.unlink()
    return chats


def make_worked(swiftlet, name, count, seed, special, special_count):
    """Worked problems, half as many more of the upper difficulties, more of special families, a few with a thought that is cut, and
    questions that are refused."""
    target = RUNS / name
    if target.exists():
        return
    RUNS.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    chats = worked(swiftlet, FAMILIES, count, seed)
    chats += worked(swiftlet, FAMILIES, count // 2, seed + 1, LATER)
    chats += worked(swiftlet, special, special_count, seed + 2, LATER)
    for chat in chats:
        answer = chat["messages"][1]
        if chance.random() < 0.04:
            answer["content"] = cut(answer["content"], chance)
    refusals = worked(swiftlet, [REFUSAL], count // 3, seed)
    by_language = {any("一" <= letter <= "龥" for letter in chat["messages"][0]["content"]): chat["messages"][1] for chat in refusals}
    for chat in worked(swiftlet, OTHERS, count // 30, seed):
        chat["messages"][1] = by_language[any("一" <= letter <= "龥" for letter in chat["messages"][0]["content"])]
        refusals.append(chat)
    chats += refusals
    chance.shuffle(chats)
    partial = target.with_suffix(".partial")
    with open(partial, "w") as file:
        for chat in chats:
            file.write(json.dumps(chat, ensure_ascii=False) + "\n")
    partial.rename(target)


def make_tokenizer(swiftlet):
    """Byte-level BPE with one digit a token; the tags are tokens that are part of the text, as DeepSeek's are."""
    target = RUNS / "tokenizer.json"
    if target.exists():
        return
    partial, sample = target.with_suffix(".partial"), RUNS / "sample.jsonl"
    with open(RUNS / "worked.jsonl") as lines, open(sample, "w") as part:
        for index, line in enumerate(lines):
            if index % 20 == 0:
                part.write(line)
    special = [option for token in SPECIAL + TAGS for option in ("--special", token)]
    run(swiftlet, "tokenizer", "train", sample, "--size", TOKENS, "--pre-tokenizer", "qwen2", *special, "--force", "--out", partial)
    tokenizer = json.loads(partial.read_text())
    for token in tokenizer["added_tokens"]:
        token["special"] = token["content"] not in TAGS
    partial.write_text(json.dumps(tokenizer, ensure_ascii=False))
    partial.rename(target)
    sample.unlink()


def train(swiftlet, stage):
    if not (RUNS / stage / "model").is_dir():
        run(swiftlet, "train", HERE / f"{stage}.yaml")


def make_own(swiftlet):
    """The model's own right answers, and worked problems of another seed, so that nothing is forgotten."""
    run(swiftlet, "distill", RUNS / "2-reinforce" / "model", "--tasks", ",".join(FAMILIES), "--difficulty", DIFFICULTIES,
        "--task-seed", 5, "--count", 500, "--samples", 4, "--temperature", 1, "--max-tokens", 440, "--parallel", 64,
        "--per-problem", 2, "--choose", "random", "--instruction", "", "--strict", "--well-formed", "--near-duplicates", 0,
        "--against", "tasks:held-out", "--output", RUNS / "own.jsonl")
    make_worked(swiftlet, "worked-more.jsonl", 2000, 5, WEAKEST, 8000)


def package(swiftlet, model):
    """The file for the program. A GGUF file is called as the folder is that it was made of, and takes its licence from the card."""
    folder = RUNS / "swiftlet-reasoner"
    shutil.copytree(model, folder, dirs_exist_ok=True)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\ndocs/reasoner.md of Swiftlet is this model's card.\n")
    run(swiftlet, "convert", folder, "--to", "gguf", "--type", "q8_0", "--force", "--output", RUNS / "reasoner.gguf")
    print(f"cp {RUNS / 'reasoner.gguf'} {HERE.parent.parent / 'Sources/Reasoner/weights'} takes it into the program")


def measure(swiftlet, model, difficulties, name):
    """Held-out problems, 100 of each family, the likeliest answer to each; the figures of a run that is complete are kept."""
    target = RUNS / f"{name}.json"
    if target.exists():
        return
    print(f"measuring {model} at difficulty {difficulties}", flush=True)
    done = subprocess.run(
        [str(swiftlet), "eval", str(model), "--tasks", ",".join([*FAMILIES, REFUSAL]), "--difficulty", difficulties, "--problems", "100",
         "--instruction", "", "--strict", "--temperature", "0", "--max-tokens", "480", "--parallel", "32", "--json"],
        check=True, stdout=subprocess.PIPE)
    target.write_bytes(done.stdout)


def table():
    """What every stage brought, in %."""
    rows = {}
    for stage in STAGES:
        for name in (stage, stage + "-harder"):
            path = RUNS / f"{name}.json"
            if path.exists():
                figures = json.loads(path.read_text())
                rows[name] = {name: 100 * figure["pass@1"]["value"] for name, figure in figures["families"].items()}
    print("| family | " + " | ".join(rows) + " |\n|---|" + "---|" * len(rows))
    for family in [*FAMILIES, REFUSAL]:
        print(f"| {family} | " + " | ".join(f"{row[family]:.0f}" for row in rows.values()) + " |")
    means = [sum(row[family] for family in FAMILIES) / len(FAMILIES) for row in rows.values()]
    print("| mean without refusals | " + " | ".join(f"{mean:.1f}" for mean in means) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--stage", type=int, choices=[1, 2, 3, 4], help="this one alone")
    arguments = parser.parse_args()
    swiftlet = pathlib.Path(arguments.swiftlet).resolve()
    make_worked(swiftlet, "worked.jsonl", WORKED, 0, HARDEST, WORKED // 2)
    make_tokenizer(swiftlet)
    for number, stage in enumerate(STAGES, 1):
        if arguments.stage in (None, number):
            if number == 3:
                make_own(swiftlet)
            train(swiftlet, stage)
            measure(swiftlet, RUNS / stage / "model", DIFFICULTIES, stage)
    if arguments.stage in (None, 4):
        last = RUNS / STAGES[-1] / "model"
        measure(swiftlet, last, HARDER, STAGES[-1] + "-harder")
        package(swiftlet, last)
    table()


if __name__ == "__main__":
    main()
