#!/usr/bin/env python3
"""What llama.cpp's llama-quantize loses of some F32 tensors, and the bytes the `gguf` package writes as Q8_0.

Fixtures/ holds
  quantization.f32   the tensors' values, little-endian, one tensor after the other
  quantization.q8_0  the same as Q8_0 of the `gguf` package
  quantization.json  for each tensor its name, shape and, by type, the root mean squared error that llama-quantize leaves

Needs --llama-quantize PROGRAM, built from llama.cpp, and --smollm FILE, a GGUF file with a Q8_0 token_embd.weight.
"""
import argparse, json, subprocess, tempfile
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

FIXTURES = Path(__file__).resolve().parent / "Fixtures"
TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
SHAPE = (2, 768)


def tensors(smollm):
    r = np.random.default_rng(20)
    normal = lambda: r.standard_normal(SHAPE)
    yield "normal", normal() * 0.02
    yield "laplace", r.laplace(size=SHAPE) * 0.02
    yield "heavy tails", r.standard_t(2, size=SHAPE) * 0.02
    yield "uniform", r.uniform(-1, 1, size=SHAPE)
    yield "positive", abs(normal())
    yield "far from zero", normal() * 0.1 - 3
    yield "constant", np.repeat([[0.1234], [-0.37]], SHAPE[1], 1)
    yield "zeros", np.zeros(SHAPE)
    outlier = normal() * 0.02
    outlier[:, 300] = [5, -7]
    yield "one outlier", outlier
    yield "one value", np.eye(*SHAPE, 77) * 5
    yield "sparse", normal() * (r.random(SHAPE) < 0.1)
    yield "groups of many sizes", normal() * np.repeat(np.exp(2 * r.standard_normal((2, SHAPE[1] // 32))), 32, 1) * 0.01
    yield "scales that are subnormal in F16", normal() * 1e-5
    yield "subnormal in F32", normal() * 1e-40
    yield "large", normal() * 1e4
    embedding = next(t for t in gguf.GGUFReader(smollm).tensors if t.name == "token_embd.weight")
    assert embedding.tensor_type == Type.Q8_0
    yield "SmolLM2", gguf.dequantize(embedding.data[1000:1008], Type.Q8_0).reshape(6, 768)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--llama-quantize", required=True)
    arguments.add_argument("--smollm", required=True)
    arguments = arguments.parse_args()
    values = {name: np.ascontiguousarray(x, dtype=np.float32) for name, x in tensors(arguments.smollm)}
    entries = [{"name": name, "shape": x.shape, "errors": {}} for name, x in values.items()]
    with tempfile.TemporaryDirectory() as folder:
        source = f"{folder}/source.gguf"
        # As much of a Llama model as the program asks for; each tensor is a feed-forward weight of one layer.
        writer = gguf.GGUFWriter(source, "llama")
        writer.add_block_count(len(values))
        writer.add_context_length(64)
        writer.add_embedding_length(768)
        writer.add_feed_forward_length(768)
        writer.add_head_count(2)
        writer.add_layer_norm_rms_eps(1e-5)
        for layer, x in enumerate(values.values()):
            writer.add_tensor(f"blk.{layer}.ffn_gate.weight", x)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        for type in TYPES:
            name = {"Q4_K": "Q4_K_S", "Q5_K": "Q5_K_S"}.get(type, type)
            subprocess.run([arguments.llama_quantize, "--pure", source, f"{folder}/{type}.gguf", name], check=True, capture_output=True)
            stored = {t.name: t for t in gguf.GGUFReader(f"{folder}/{type}.gguf").tensors}
            for layer, (entry, x) in enumerate(zip(entries, values.values())):
                tensor = stored[f"blk.{layer}.ffn_gate.weight"]
                assert tensor.tensor_type == Type[type], f"{entry['name']}: {tensor.tensor_type.name} instead of {type}"
                decoded = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(x.shape)
                entry["errors"][type] = float(np.sqrt(np.mean((decoded.astype(np.float64) - x) ** 2)))
    FIXTURES.mkdir(exist_ok=True)
    (FIXTURES / "quantization.f32").write_bytes(b"".join(x.tobytes() for x in values.values()))
    with np.errstate(all="ignore"):
        (FIXTURES / "quantization.q8_0").write_bytes(b"".join(gguf.quantize(x, Type.Q8_0).tobytes() for x in values.values()))
    lines = ",\n".join(json.dumps(e) for e in entries)
    (FIXTURES / "quantization.json").write_text(f"[\n{lines}\n]\n")


main()
