#!/usr/bin/env python3
"""A small real task for fine-tuning: the section of a Debian package, from its one-line description.

  make FOLDER        train.jsonl and test.jsonl with answers.jsonl, from apt's lists (apt-cache dumpavail)
  score FOLDER FILE  FILE is what 'swiftlet run MODEL --batch FOLDER/test.jsonl --output FILE' wrote

Descriptions are those of the packages in Debian's main archive, under the packages' own free licences. Sections are equally frequent.
Packages of one source are all in train.jsonl or all in test.jsonl, and no description is in both. The choice follows from the lists alone.
"""
import argparse, collections, hashlib, json, subprocess, sys
from pathlib import Path

SECTIONS = ["admin", "electronics", "games", "graphics", "mail", "net", "science", "sound"]
TRAIN, TEST = 85, 25  # of each section
TASK = "Name the section of the Debian package in one word: " + ", ".join(SECTIONS) + "."


def packages():
    text = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, check=True).stdout
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and not line.startswith(" "))
        if fields.get("Section") in SECTIONS and "Description" in fields:
            yield fields["Section"], fields.get("Source", fields["Package"]).split(" ")[0], fields["Description"].strip()


def chosen():
    """By section its descriptions, one a source, in an order that no property of them decides."""
    found, seen = collections.defaultdict(list), set()
    for section, source, text in sorted(set(packages()), key=lambda p: hashlib.sha256(" ".join(p).encode()).digest()):
        if source not in seen and text not in seen and len(text) < 100:
            seen |= {source, text}
            found[section].append(text)
    return found


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    found = chosen()
    for section in SECTIONS:
        if len(found[section]) < TRAIN + TEST:
            sys.exit(f"{section}: {len(found[section])} packages, expected {TRAIN + TEST}; run apt-get update")
    with open(folder / "train.jsonl", "w") as train, open(folder / "test.jsonl", "w") as test, open(
            folder / "answers.jsonl", "w") as answers:
        for index in range(TRAIN + TEST):
            for section in SECTIONS:
                messages = [{"role": "system", "content": TASK}, {"role": "user", "content": found[section][index]}]
                if index < TEST:
                    print(json.dumps({"messages": messages}, ensure_ascii=False), file=test)
                    print(json.dumps({"section": section}), file=answers)
                else:
                    messages.append({"role": "assistant", "content": section})
                    print(json.dumps({"messages": messages}, ensure_ascii=False), file=train)
    print(f"{TRAIN * len(SECTIONS)} to train with, {TEST * len(SECTIONS)} to test")


def score(folder, path):
    expected = [json.loads(line)["section"] for line in open(folder / "answers.jsonl")]
    texts = [json.loads(line)["text"] for line in open(path)]
    if len(texts) != len(expected):
        sys.exit(f"{path} has {len(texts)} answers, expected {len(expected)}")
    exact = sum(text.strip() == section for text, section in zip(texts, expected))
    # The first section that is named anywhere in the answer.
    named = 0
    for text, section in zip(texts, expected):
        places = {name: text.lower().find(name) for name in SECTIONS if name in text.lower()}
        named += bool(places) and min(places, key=places.get) == section
    print(json.dumps({"rows": len(expected), "exact": exact / len(expected), "named": named / len(expected),
                      "answers": collections.Counter(text.strip()[:20] for text in texts).most_common(10)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("make", help="writes the chats")
    command.add_argument("folder", metavar="FOLDER", type=Path)
    command = commands.add_parser("score", help="scores answers to the chats of test.jsonl")
    command.add_argument("folder", metavar="FOLDER", type=Path)
    command.add_argument("file", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments.folder)
    else:
        score(arguments.folder, arguments.file)


if __name__ == "__main__":
    main()
