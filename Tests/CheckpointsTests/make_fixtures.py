#!/usr/bin/env python3
"""Small GGUF and safetensors files, and what the reference packages read from them.

Fixtures/ holds
  types.gguf                 one tensor of 6 x 512 a type, named by the type: random blocks, some with edge scales (zeros of
                             both signs, subnormal, largest, negative), one of all-zero and one of all-one bits
  types.expected.safetensors the same tensors as F32, dequantised by the `gguf` package
  other-type.gguf            one tensor of a type that is not read, to be refused
  metadata.gguf, .json       every value type, arrays, nested and empty arrays, a long string, alignment 64, a 3-D tensor
  version2.gguf, .json       the format's second version
  big-endian.gguf            to be refused
  split-0000N-of-00003.gguf  seven tensors in three files
  tensors.safetensors, .json F32, F16, BF16, F8_E4M3 (all codes), integers, an empty tensor, a scalar, and data that starts at an
                             odd offset with tensors that are not aligned to their element

The .json files list key, type and value: 64-bit integers are strings, and so are "inf", "-inf" and "nan".
No block mixes products that float32 cannot hold, so every order of evaluation gives the expected bits (compare -0 as equal to 0).
"""
import json, math, struct
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type, GGUFValueType as Value
from safetensors.torch import load_file, save_file

FIXTURES = Path(__file__).resolve().parent / "Fixtures"
ROWS, COLUMNS = 6, 512

# The byte offsets of a block's float16 scales.
SCALES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82], Type.Q3_K: [108],
    Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_NL: [0], Type.IQ4_XS: [0], Type.IQ2_XXS: [0],
}
UNREAD = Type.IQ2_XXS
EDGE_SCALES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0xFBFF, 0x0400]  # ±0, subnormals, ±65504, the least normal


def number(value):
    value = float(value)
    return value if math.isfinite(value) else "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


# -------------------------------------------------------------------------------------------------- block types


def blocks(type, random):
    """Random blocks; the first ones have the edge scales, the next two all bits clear and all bits set."""
    size, bytes_each = gguf.GGML_QUANT_SIZES[type]
    count = ROWS * COLUMNS // size
    data = random.integers(0, 256, (count, bytes_each), dtype=np.uint8)
    edges = len(EDGE_SCALES)
    data[edges], data[edges + 1] = 0x00, 0xFF
    for i, offset in enumerate(SCALES[type]):
        scales = (random.normal(0, 0.02, count)).astype(np.float16).view(np.uint16)
        scales[:edges] = np.roll(EDGE_SCALES, i)  # a block's two scales are not the same edge
        data[:, offset:offset + 2] = scales.astype("<u2").view(np.uint8).reshape(count, 2)
    return data.reshape(ROWS, -1)


def make_types():
    random = np.random.default_rng(1)
    plain = random.normal(0, 1, (ROWS, COLUMNS)).astype(np.float32)
    plain[0, :8] = [0.0, -0.0, 1e-45, -1e-39, 3.4028235e38, np.inf, -np.inf, 65520.0]
    half = random.normal(0, 1, (ROWS, COLUMNS)).astype(np.float16)
    half.view(np.uint16)[0, :9] = EDGE_SCALES + [0x7C00, 0xFC00]
    bfloat = (plain.view(np.uint32) >> 16).astype(np.uint16)
    bfloat[0, :4] = [0x0001, 0x8001, 0x007F, 0x7F7F]
    tensors = {Type.F32: plain, Type.F16: half, Type.BF16: bfloat.view(np.uint8).reshape(ROWS, -1)}
    tensors |= {type: blocks(type, random) for type in SCALES}
    read, unread = (gguf.GGUFWriter(FIXTURES / name, "test") for name in ("types.gguf", "other-type.gguf"))
    expected = {}
    for type, data in tensors.items():
        if type == UNREAD:
            unread.add_tensor(type.name, data, raw_dtype=type)
            continue
        read.add_tensor(type.name, data, raw_dtype=type)
        values = gguf.quants.dequantize(data, type)
        assert values.dtype == np.float32 and values.shape == (ROWS, COLUMNS) and not np.isnan(values).any(), type
        expected[type.name] = torch.from_numpy(values.copy())
    for writer in (read, unread):
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    save_file(expected, FIXTURES / "types.expected.safetensors")


# ------------------------------------------------------------------------------------------------ GGUF metadata

PACKED = {Value.UINT8: "B", Value.INT8: "b", Value.UINT16: "H", Value.INT16: "h", Value.UINT32: "I", Value.INT32: "i",
          Value.FLOAT32: "f", Value.BOOL: "?", Value.UINT64: "Q", Value.INT64: "q", Value.FLOAT64: "d"}


def pack(type, value, order):
    """A value without its type; an array is (element type, values)."""
    if type == Value.STRING:
        text = value.encode()
        return struct.pack(order + "Q", len(text)) + text
    if type == Value.ARRAY:
        element, values = value
        return struct.pack(order + "IQ", element, len(values)) + b"".join(pack(element, v, order) for v in values)
    return struct.pack(order + PACKED[type], value)


def describe(type, value):
    if type == Value.ARRAY:
        return {"type": "ARRAY", "element": value[0].name, "value": [describe(value[0], v)["value"] if value[0] != Value.ARRAY
                                                                    else describe(value[0], v) for v in value[1]]}
    if type in (Value.UINT64, Value.INT64):
        value = str(value)
    elif type == Value.FLOAT32:
        value = number(np.float32(value))
    elif type == Value.FLOAT64:
        value = number(value)
    return {"type": type.name, "value": value}


def write_gguf(name, entries, tensors, version=3, alignment=32, order="<"):
    """Written by hand: the package cannot write empty arrays, nor the second version."""
    body = bytearray(b"GGUF" + struct.pack(order + "IQQ", version, len(tensors), len(entries)))
    for key, type, value in entries:
        body += pack(Value.STRING, key, order) + struct.pack(order + "I", type) + pack(type, value, order)
    offset, data = 0, bytearray()
    for key, array in tensors.items():
        shape = array.shape[::-1]  # the fastest first
        body += pack(Value.STRING, key, order) + struct.pack(order + f"I{len(shape)}Q", len(shape), *shape)
        body += struct.pack(order + "IQ", Type.F32, len(data))
        data += array.astype(order + "f4").tobytes()
        data += bytes(-len(data) % alignment)
    body += bytes(-len(body) % alignment)
    (FIXTURES / f"{name}.gguf").write_bytes(body + data)


def write_description(name, entries, tensors, version):
    described = {"version": version, "metadata": [{"key": k} | describe(t, v) for k, t, v in entries],
                 "tensors": [{"name": k, "shape": list(a.shape), "values": [number(v) for v in a.flatten()]}
                             for k, a in tensors.items()]}
    (FIXTURES / f"{name}.json").write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n")


def check_with_package(name, entries, tensors):
    reader = gguf.GGUFReader(FIXTURES / f"{name}.gguf")
    for key, type, value in entries:
        field = reader.fields[key]
        assert field.types[0] == type, key
        if type != Value.ARRAY:
            assert type == Value.FLOAT32 or field.contents() == value, key
        elif value[1] and value[0] != Value.ARRAY:
            assert value[0] in (Value.FLOAT32,) or field.contents() == value[1], key
    for tensor, (key, array) in zip(reader.tensors, tensors.items(), strict=True):
        assert tensor.name == key and np.array_equal(tensor.data.reshape(array.shape), array), key


def make_metadata():
    random = np.random.default_rng(2)
    values = {
        Value.UINT8: [0, 255], Value.INT8: [-128, 127], Value.UINT16: [0, 65535], Value.INT16: [-32768, 32767],
        Value.UINT32: [0, 2**32 - 1], Value.INT32: [-2**31, 2**31 - 1], Value.UINT64: [0, 2**53 + 1, 2**63 - 1],
        Value.INT64: [-2**63, 2**63 - 1], Value.FLOAT32: [0.1, -1.5e-42, 3.4028234663852886e38, -math.inf],
        Value.FLOAT64: [0.1, 5e-324, 1.7976931348623157e308, math.inf], Value.BOOL: [True, False],
        Value.STRING: ["", "plain", "q\"\\\n\t\0\u001f", "Grüße 深度求索 🐦 e\u0301 é"],
    }
    entries = [("general.architecture", Value.STRING, "test"), ("general.alignment", Value.UINT32, 64)]
    entries += [(f"value.{t.name.lower()}.{i}", t, v) for t, vs in values.items() for i, v in enumerate(vs)]
    entries += [(f"array.{t.name.lower()}", Value.ARRAY, (t, vs)) for t, vs in values.items()]
    integers = lambda *v: (Value.INT32, list(v))
    entries += [
        ("array.empty", Value.ARRAY, (Value.STRING, [])),
        ("array.nested", Value.ARRAY, (Value.ARRAY, [integers(1, 2), integers(), (Value.STRING, ["three"])])),
        ("array.nested.twice", Value.ARRAY, (Value.ARRAY, [(Value.ARRAY, [integers(-1)]), (Value.ARRAY, [])])),
        ("array.thousand", Value.ARRAY, (Value.INT32, list(range(-500, 500)))),
        ("string.long", Value.STRING, "0123456789äß鳥 " * 1500),
        ("key.with spaces.ünd.鳥", Value.BOOL, True),
    ]
    tensors = {"vector": random.normal(size=5), "matrix": random.normal(size=(3, 7)), "cube": random.normal(size=(2, 3, 4))}
    tensors = {k: v.astype(np.float32) for k, v in tensors.items()}
    write_gguf("metadata", entries, tensors, alignment=64)
    write_description("metadata", entries, tensors, 3)
    check_with_package("metadata", entries, tensors)

    entries = [("general.architecture", Value.STRING, "test"), ("test.context_length", Value.UINT32, 4096),
               ("tokenizer.ggml.tokens", Value.ARRAY, (Value.STRING, ["<s>", "</s>", "Ġa"]))]
    tensors = {k: tensors[k] for k in ("vector", "matrix")}
    write_gguf("version2", entries, tensors, version=2)
    write_description("version2", entries, tensors, 2)
    check_with_package("version2", entries, tensors)
    write_gguf("big-endian", entries, tensors, order=">")


# -------------------------------------------------------------------------------------------------- safetensors


def make_safetensors():
    random = torch.Generator().manual_seed(3)
    edges = torch.tensor([0.0, -0.0, 1e-45, 6e-8, 65504.0, math.inf, -math.inf, math.nan, 1 / 3])
    tensors = {  # in the order of their data: whatever follows `bytes` lies at odd offsets
        "bytes": torch.tensor([0, 127, 255], dtype=torch.uint8),
        "float32": torch.randn(3, 5, generator=random),
        "float32.edges": edges,
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(-2.5),
        "float16": torch.randn(2, 3, 3, generator=random).half(),
        "float16.edges": edges.half(),
        "bfloat16": torch.randn(7, 2, generator=random).bfloat16(),
        "bfloat16.edges": edges.bfloat16(),
        "float8": torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).reshape(16, 16),
        "int8": torch.tensor([-128, 127], dtype=torch.int8),
        "bool": torch.tensor([True, False, True]),
        "int64": torch.tensor([[-2**63, 2**63 - 1]]),
        "Grüße/鳥": torch.tensor([1.0]),
    }
    names = {torch.uint8: "U8", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int8: "I8",
             torch.float8_e4m3fn: "F8_E4M3", torch.bool: "BOOL", torch.int64: "I64"}
    header, data = {"__metadata__": {"format": "pt", "note": "Grüße"}}, bytearray()
    for name, tensor in tensors.items():
        raw = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (1 - len(text) % 2)  # the data begins at an odd offset
    file = FIXTURES / "tensors.safetensors"
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)
    read = load_file(file)
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype and read[name].shape == tensor.shape, name
        same = read[name].reshape(-1).view(torch.uint8) == tensor.reshape(-1).view(torch.uint8)
        assert same.all(), name

    def values(tensor):
        if tensor.dtype == torch.int64:
            return [str(v) for v in tensor.flatten().tolist()]
        if tensor.is_floating_point():
            return [number(v) for v in tensor.float().flatten().tolist()]
        return tensor.flatten().tolist()

    described = {n: {"dtype": names[t.dtype], "shape": list(t.shape), "values": values(t)} for n, t in tensors.items()}
    (FIXTURES / "tensors.json").write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n")


# ------------------------------------------------------------------------------------------------- several parts


def make_split():
    random = np.random.default_rng(3)
    writer = gguf.GGUFWriter(FIXTURES / "split.gguf", "test", split_max_tensors=3)
    writer.add_string("test.note", "in the first part")
    for index in range(7):
        writer.add_tensor(f"tensor.{index}", random.normal(0, 1, (2, 4 + index)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    FIXTURES.mkdir(exist_ok=True)
    make_types()
    make_metadata()
    make_safetensors()
    make_split()
