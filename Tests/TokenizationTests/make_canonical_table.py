"""Writes Unicode's canonical decompositions, those that `tokenizers` knows, to Sources/Tokenization/CanonicalDecompositions.swift."""

import os
import unicodedata

from tokenizers import normalizers

decomposition = normalizers.NFD()
items = []
for value in range(0x110000):
    if 0xAC00 <= value <= 0xD7A3 or 0xD800 <= value < 0xE000:
        continue  # Hangul syllables decompose by arithmetic.
    mapping = unicodedata.decomposition(chr(value))
    if mapping and not mapping.startswith("<") and decomposition.normalize_str(chr(value)) != chr(value):
        parts = mapping.split()
        composes = len(parts) == 2 and unicodedata.normalize("NFC", chr(value)) == chr(value)
        items.append("%X%s%s" % (value, "=" if composes else ">", "+".join(p.lstrip("0") for p in parts)))

lines = [""]
for item in items:
    if len(lines[-1]) + len(item) > 118:
        lines.append("")
    lines[-1] += item + " "
body = "\n".join("    " + line.strip() + " \\" for line in lines)[:-2]
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Sources/Tokenization/CanonicalDecompositions.swift")
with open(path, "w") as file:
    file.write(f'''/// Unicode 9's canonical decompositions, written by make_canonical_table.py: in hexadecimal, `C0=41+300` where the two compose
/// again, `340>300` where the decomposition is for good.
enum CanonicalDecompositions {{
  static let text: StaticString = """
{body}
    """
}}
''')
