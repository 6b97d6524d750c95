#!/usr/bin/env python3
"""A small real task for filling in the middle: statements of which any part follows from what stands around it.

  make FOLDER  train.jsonl, whole statements for Recipes/fill-in-middle.yaml; test.jsonl with prefix, middle, suffix

A statement is one of six forms with the name of a thing and that of a field. The test's pairs of names are in no statement to train with. It is
cut at two random characters, as in training, and only those cuts count that leave a suffix and where no other statement has the same beginning and end.
"""
import argparse, hashlib, json, random
from pathlib import Path

THINGS = """account album animal author bakery barrel basket bicycle bird book bottle bridge bus cabin camera candle carpet castle chair church
cinema clinic clock cloud company corner country crane dancer desk doctor door dragon driver engine event farmer ferry flower forest fountain garden
gate glacier guest guitar hammer harbour helmet horse hotel island jacket judge kettle kitchen ladder lamp lawyer letter library machine market meadow
mirror mountain museum needle nurse ocean order painter palace parcel pencil piano pilot planet poem pond prison river rocket sailor school ship singer
song spoon station street student table teacher temple tiger tower train tunnel valley village wagon window zebra""".split()
FIELDS = """access address age angle area balance base brand budget capacity category charge code colour comment cost count currency cycle date deadline
degree delay demand density depth detail digest discount distance duration email energy error factor fee flag format frame grade growth height icon
income index inventory key keyword kind label language latitude length level limit location margin mass mode name note number option origin owner
password period phase phone pressure price profile progress quality quota radius rank rate ratio reason region result risk role route salary scale
score season share signal size speed state status stock tariff tax temperature theme title topic total trend unit usage value version volume voltage
weight width zone""".split()
FORMS = [
    "{thing}.{field} = get_{field}({thing})\n",
    "set_{field}({thing}, {thing}.{field})\n",
    "if {thing}.{field} > {thing}.least_{field}:\n",
    "print({thing}, {field}, {thing}.{field})\n",
    "return {field}_of({thing}, {field})\n",
    "{field} = read({thing}, '{field}')\n",
]
TEST_PAIRS, TEST_CASES = 200, 200


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
        if middle and suffix and middles == {middle}:
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command = parser.add_subparsers(dest="command", required=True).add_parser("make", help="writes the statements")
    command.add_argument("folder", metavar="FOLDER", type=Path)
    make(parser.parse_args().folder)


if __name__ == "__main__":
    main()
