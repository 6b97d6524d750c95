"""Collects JSON schemas that others wrote, and judges what the samplers in SchemaCorpusTests.swift made of them.

    python make_fixtures.py                    # writes Fixtures/schemas.json
    python make_fixtures.py --judge samples.jsonl   # needs jsonschema[format]; `make schema-tests` runs it

The schemas come from source packages of PyPI: check-jsonschema (Apache-2.0; its vendored schemas of SchemaStore and others are under
their own free licences), nbformat (BSD-3-Clause), cyclonedx-python-lib (Apache-2.0), datamodel-code-generator (MIT) and the official
test suite within jsonschema (MIT).
"""

import argparse
import collections
import glob
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(HERE, "Fixtures", "schemas.json")
PACKAGES = [
    "check-jsonschema==0.39.0", "nbformat==5.11.1", "cyclonedx-python-lib==11.12.0", "datamodel-code-generator==0.89.0",
    "jsonschema==4.26.0",
]
# Bytes of the fixture, and of one schema in it.
LIMIT, EACH = 1_000_000, 45_000
FOLDERS = [
    "check_jsonschema-*/src/check_jsonschema/builtin_schemas/vendor/**/*.json",
    "nbformat-*/nbformat/**/*.schema.json",
    "cyclonedx_python_lib-*/cyclonedx/schema/_res/**/*.json",
]
GENERATOR = ["datamodel_code_generator-*/tests/data/jsonschema/**/*.json"]


def files(folder, patterns):
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(folder, pattern), recursive=True)):
            try:
                with open(path, encoding="utf-8") as file:
                    schema = json.load(file)
            except ValueError:
                continue
            yield os.path.relpath(path, folder), schema


def schemas(folder):
    yield from files(folder, FOLDERS)
    for draft in ("draft2020-12", "draft7"):
        for path in sorted(glob.glob(os.path.join(folder, "jsonschema-*/json/tests", draft, "*.json"))):
            with open(path, encoding="utf-8") as file:
                for group in json.load(file):
                    name = f"{os.path.relpath(path, folder)}: {group['description']}"
                    schema = group["schema"]
                    if draft == "draft7" and isinstance(schema, dict):
                        schema.setdefault("$schema", "http://json-schema.org/draft-07/schema#")
                    yield name, schema
    yield from files(folder, GENERATOR)


def looks_like_schema(schema):
    if isinstance(schema, bool):
        return True
    words = {"type", "properties", "$ref", "anyOf", "oneOf", "allOf", "enum", "const", "items", "$schema", "patternProperties"}
    return isinstance(schema, dict) and bool(words & schema.keys()) and "openapi" not in schema


def make():
    from jsonschema import validators

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder, *PACKAGES],
            check=True)
        for path in glob.glob(os.path.join(folder, "*.tar.gz")):
            with tarfile.open(path) as archive:
                archive.extractall(folder, filter="data")
        chosen, seen, size = [], set(), 2
        for name, schema in schemas(folder):
            suite = name.startswith("jsonschema-")
            if not suite and not looks_like_schema(schema):
                continue
            text = json.dumps(schema, separators=(",", ":"), sort_keys=True)
            if text in seen:
                continue
            seen.add(text)
            # Swiftlet's parser keeps doubles and 64-bit integers.
            if not all(abs(float(number)) < 1e300 for number in re.findall(r"-?\d[\d.eE+-]*", re.sub(r'"(?:\\.|[^"\\])*"', "", text))):
                continue
            try:
                cls = validators.validator_for(schema, default=validators.Draft202012Validator)
                cls.check_schema(schema)
            except Exception:
                continue
            row = json.dumps({"name": name, "schema": schema}, separators=(",", ":"), ensure_ascii=False)
            bytes_ = len(row.encode())
            if bytes_ > EACH or size + bytes_ + 2 > LIMIT:
                continue
            size += bytes_ + 2
            chosen.append(row)
    with open(TARGET, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(chosen) + "\n]\n")
    print(len(chosen), "schemas,", os.path.getsize(TARGET), "bytes")


def judge(path):
    from jsonschema import validators
    from referencing import Registry

    with open(TARGET, encoding="utf-8") as file:
        all_schemas = json.load(file)
    known = {}
    bad, good, refused, accepted = [], 0, collections.Counter(), collections.defaultdict(set)
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            name = all_schemas[row["index"]]["name"]
            group = "suite" if name.startswith("jsonschema-") else "real"
            if "refused" in row:
                refused[group, row["keyword"]] += 1
                accepted[group, False].add(row["index"])
                continue
            accepted[group, True].add(row["index"])
            if row["index"] not in known:
                schema = all_schemas[row["index"]]["schema"]
                cls = validators.validator_for(schema, default=validators.Draft202012Validator)
                # Formats are checked whatever the draft says about them; other documents are not there.
                known[row["index"]] = cls(schema, registry=Registry(), format_checker=cls.FORMAT_CHECKER)

            def unique(pairs):
                if len({key for key, _ in pairs}) != len(pairs):
                    raise ValueError("duplicate key")
                return dict(pairs)

            try:
                value = json.loads(row["text"], object_pairs_hook=unique)
                error = next(known[row["index"]].iter_errors(value), None)
                problem = error and f"{list(error.absolute_path)}: {error.message[:300]}"
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            if problem:
                bad.append((name, row["seed"], problem, row["text"][:300]))
            else:
                good += 1
    for entry in bad[:60]:
        print("INVALID", *entry, sep="\n  ")
    for group in ("real", "suite"):
        yes, no = len(accepted[group, True]), len(accepted[group, False])
        print(f"{group}: {yes} of {yes + no} schemas kept ({100 * yes / max(1, yes + no):.1f} %)")
        for (which, keyword), count in refused.most_common():
            if which == group:
                print(f"  {count:4} refused for {keyword or 'size'}")
    print(f"{good} valid, {len(bad)} invalid outputs")
    return 1 if bad or not good else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--judge", metavar="SAMPLES")
    arguments = parser.parse_args()
    if arguments.judge:
        sys.exit(judge(arguments.judge))
    make()
