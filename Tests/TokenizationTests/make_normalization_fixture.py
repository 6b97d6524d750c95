"""Makes Fixtures/normalization.json: texts and their Normalization Form C as `tokenizers` computes it."""

import json
import os
import random
import unicodedata

from tokenizers import normalizers

composition = normalizers.NFC()
r = random.Random(15)
bases = [*"aAeoOsd1 ", "\u1100", "\u1112", "\u1113", "\u1161", "\u1175", "\u1176", "\u11a7", "\u11a8", "\u11c2", "\u11c3", "가", "각", "か",
         "ế", "ǭ", "\u0915", "\u0958", "\u09c7", "\u0dd9", "\u0f40", "\u0f71", "\u212b", "\u2126", "\u1f71", "\uf900", "\U0002f800", "\ufb1f",
         "\u0374", "\u2adc", "\U0001d15e", "\U000110a5", "的", "\U0001f600"]
marks = [chr(c) for c in (*range(0x300, 0x315), 0x31B, 0x323, 0x327, 0x328, 0x338, 0x340, 0x344, 0x345, 0x5B0, 0x93C, 0x9BE, 0xDCA, 0xDCF,
                          0xF72, 0xF73, 0xF74, 0xF75, 0xF80, 0xF81, 0x3099, 0x309A, 0x1D165, 0x1D16E, 0x110BA)]
cases = []
for _ in range(1500):
    text = "".join(r.choice(bases) + "".join(r.choices(marks, k=r.choice([0, 0, 1, 1, 2, 3, 4]))) for _ in range(r.randint(1, 4)))
    cases.append([text, composition.normalize_str(text)])
# Every mark before and after another one: which of them move.
for first in range(0x300, 0x30000, 0x300):
    marked = [chr(c) for c in range(first, first + 0x300) if unicodedata.category(chr(c))[0] == "M"]
    if marked:
        text = "".join(f"的\u0315{c}的{c}\u0316" for c in marked)
        cases.append([text, composition.normalize_str(text)])
# Every scalar that is not its own normal form.
singles = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
cases.append(["".join(c + "|" for c in singles if composition.normalize_str(c) != c)])
cases[-1].append(composition.normalize_str(cases[-1][0]))
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Fixtures/normalization.json")
with open(path, "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
