"""Chats for Recipes/thoughts.yaml, and a vocabulary of their words.

Half of the chats are worked problems of one family, as `swiftlet tasks --worked` writes them. Of the others the thought is cut
anywhere, or empty, and the answer stands behind it all the same, so that the model learns to answer when its thought is ended.

    python3 Benchmarks/thoughts.py runs/thoughts-data --swiftlet .build/release/swiftlet
"""

import argparse
import json
import pathlib
import random
import subprocess


def shortened(answer, index, chance):
    """The answer with the thought that was cut: a quarter of these are empty."""
    thought, rest = answer.split("\n</think>\n")
    thought = thought.removeprefix("<think>\n")
    cut = 0 if index % 8 == 3 else chance.randrange(len(thought))
    return "<think>\n" + thought[:cut].rstrip() + "\n</think>\n\n" + rest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--family", default="parity")
    parser.add_argument("--count", type=int, default=12000)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    worked = arguments.folder / "worked.jsonl"
    subprocess.run(
        [arguments.swiftlet, "tasks", "--tasks", arguments.family, "--export", str(arguments.count), "--worked",
         "--split", "train", "--output", worked], check=True)
    # A second family has the numbers that stand alone.
    texts = arguments.folder / "texts.jsonl"
    subprocess.run(
        [arguments.swiftlet, "tasks", "--tasks", f"{arguments.family},arithmetic", "--export", "5000", "--worked",
         "--split", "train", "--output", texts], check=True)
    subprocess.run(
        [arguments.swiftlet, "tokenizer", "train", texts, "--size", "384", "--pre-tokenizer", "smollm", "--force",
         "--out", arguments.folder / "tokenizer.json"], check=True)
    chance = random.Random(1)
    with open(worked) as lines, open(arguments.folder / "chats.jsonl", "w") as chats:
        for index, line in enumerate(lines):
            chat = json.loads(line)
            if index % 2:
                message = chat["messages"][1]
                message["content"] = shortened(message["content"], index, chance)
            chats.write(json.dumps(chat, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
