"""How many bytes of a GGUF file's weights a generated token reads, from the file's header. Needs nothing but Python."""

import math
import struct

# Values and bytes of a block, by the number of the type (ggml.h).
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84), 11: (256, 110),
    12: (256, 144), 13: (256, 176), 14: (256, 210), 20: (32, 18), 23: (256, 136), 30: (1, 2),
}
# Letters of struct, by the number of a metadata value's type.
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


def read(file, letter):
    return struct.unpack("<" + letter, file.read(struct.calcsize("<" + letter)))[0]


def text(file):
    return file.read(read(file, "Q")).decode()


def value(file, kind):
    if kind == STRING:
        return text(file)
    if kind == ARRAY:
        element, count = read(file, "I"), read(file, "Q")
        return [value(file, element) for _ in range(count)]
    return read(file, SCALARS[kind])


def bytes_per_token(path):
    """Every weight once; of the embedding one row, unless it is the head too; of the experts those that a token chooses."""
    with open(path, "rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path} is no GGUF file")
        read(file, "I")
        tensors, entries = read(file, "Q"), read(file, "Q")
        metadata = {}
        for _ in range(entries):
            key = text(file)
            metadata[key] = value(file, read(file, "I"))
        sizes = {}
        for _ in range(tensors):
            name = text(file)
            count = math.prod(read(file, "Q") for _ in range(read(file, "I")))
            length, size = BLOCKS[read(file, "I")]
            read(file, "Q")
            sizes[name] = count // length * size
    architecture = metadata["general.architecture"]
    chosen = metadata.get(f"{architecture}.expert_used_count", 0) / max(1, metadata.get(f"{architecture}.expert_count", 0))
    if "output.weight" in sizes:
        sizes["token_embd.weight"] = 0
    return int(sum(size * (chosen if "_exps." in name else 1) for name, size in sizes.items() if ".nextn." not in name))
