#!/usr/bin/env python3
"""A small real task for filling in the middle: statements of which any part follows from what stands around it.

usage: statements.py make FOLDER        train.jsonl, whole statements for Recipes/fill-in-middle.yaml; test.jsonl with prefix, middle, suffix

A statement is one of six forms with the name of a thing and that of a field. The test's pairs of names are in no statement to train with. It is
cut at two random characters, as in training, and only those cuts count where no other statement has the same beginning and end.
"""
import hashlib, json, random, sys
from pathlib import Path

THINGS = """account album animal author book bridge camera church cloud company country desk doctor engine farmer flower garden guest harbour hotel
island kitchen lamp letter machine market museum order parcel planet poem river school ship song street teacher train village window""".split()
FIELDS = """address age area balance category colour cost count depth distance duration email format height keyword label language length level limit
location mass name number origin owner phone price quality rank rate score size speed status title topic value volume width""".split()
FORMS = [
    "{thing}.{field} = get_{field}({thing})\n",
    "set_{field}({thing}, {thing}.{field})\n",
    "if {thing}.{field} > {thing}.least_{field}:\n",
    "print({thing}, {field}, {thing}.{field})\n",
    "return {field}_of({thing}, {field})\n",
    "{field} = read({thing}, '{field}')\n",
]
TEST_PAIRS, TEST_CASES = 160, 200


def statements(pairs):
    return [form.format(thing=thing, field=field) for thing, field in pairs for form in FORMS]


def cases(test, everything):
    """Cuts with one possible middle."""
    generator = random.Random(1)
    while True:
        text = generator.choice(test)
        first, second = sorted(generator.randint(0, len(text)) for _ in range(2))
        prefix, middle, suffix = text[:first], text[first:second], text[second:]
        middles = {other[first:len(other) - len(suffix)] for other in everything
                   if len(other) >= len(prefix) + len(suffix) and other.startswith(prefix) and other.endswith(suffix)}
        if middle and middles == {middle}:
            yield {"prefix": prefix, "middle": middle, "suffix": suffix}


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [(thing, field) for thing in THINGS for field in FIELDS]
    pairs.sort(key=lambda pair: hashlib.sha256(" ".join(pair).encode()).digest())
    test, train = statements(pairs[:TEST_PAIRS]), statements(pairs[TEST_PAIRS:])
    with open(folder / "train.jsonl", "w") as file:
        for text in train:
            print(json.dumps({"text": text}), file=file)
    with open(folder / "test.jsonl", "w") as file:
        for _, case in zip(range(TEST_CASES), cases(test, test + train)):
            print(json.dumps(case), file=file)
    print(f"{len(train)} statements to train with, {TEST_CASES} cuts of {len(test)} others to test")


if len(sys.argv) == 3 and sys.argv[1] == "make":
    make(Path(sys.argv[2]))
else:
    sys.exit(__doc__)
