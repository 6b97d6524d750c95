#!/usr/bin/env python3
"""A tiny FP8 checkpoint as DeepSeek publishes V3, with F32 scales and with powers of two (`ue8m0`).

Fixtures/checkpoints/deepseek-v3-fp8[-ue8m0]/ hold what make_fixtures.py describes; linear weights are F8_E4M3 with a
`weight_scale_inv` for each 128 x 128 block, of which every matrix has cut ones. The logits are those of the weights
multiplied with their scales and rounded to BF16, as DeepSeek's fp8_cast_bf16.py makes them, computed in float32.

Fixtures/float8.safetensors: `codes` F8_E4M3 [200, 256], every code, `codes_scale_inv` F32 [2, 2], and `expected` F32 [200, 256]:
torch's values. `powers`, `powers_scale_inv` F8_E8M0 [1, 2] and `powers_expected` do the same for powers of two.
"""
import json, shutil, tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from fixture_cases import V3_PUBLISHED, deepseek_v3, yarn
from make_fixtures import CHECKPOINTS, HERE, LONG_POSITIONS, build, fill, load, logits, routing_margins, save, tokens

BLOCK, LARGEST = 128, 448.0
CONFIG = deepseek_v3(
    hidden_size=136, intermediate_size=140, num_attention_heads=12, num_key_value_heads=12, vocab_size=101, rope_theta=10000,
    rope_scaling=yarn(), torch_dtype="bfloat16") | V3_PUBLISHED
QUANTIZATION = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [BLOCK, BLOCK]}


def expanded(scales, shape):
    return scales.float().repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)[: shape[0], : shape[1]]


def quantized(weight, powers):
    rows, columns = weight.shape
    scales = torch.empty(-(-rows // BLOCK), -(-columns // BLOCK))
    for i in range(scales.shape[0]):
        for j in range(scales.shape[1]):
            block = weight[i * BLOCK:(i + 1) * BLOCK, j * BLOCK:(j + 1) * BLOCK].float()
            scales[i, j] = block.abs().max() / LARGEST
    if powers:
        scales = torch.exp2(scales.log2().ceil())
    codes = (weight.float() / expanded(scales, weight.shape)).clamp(-LARGEST, LARGEST).to(torch.float8_e4m3fn)
    return codes, scales.to(torch.float8_e8m0fnu) if powers else scales


def is_quantized(name):
    return name.endswith("proj.weight") or name.endswith("proj_with_mqa.weight")


def make(name, powers, seeds):
    folder = CHECKPOINTS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    quantization = QUANTIZATION | ({"scale_fmt": "ue8m0"} if powers else {})
    best = None
    for seed in seeds:
        with tempfile.TemporaryDirectory() as scratch:
            scratch = Path(scratch)
            (scratch / "config.json").write_text(json.dumps(CONFIG))
            model = build(scratch, False)
            fill(model, seed, torch.bfloat16, (-0.05, 0.1))
            save(model, scratch, torch.bfloat16, 1, False)
            tensors, plain = {}, {}
            for key, tensor in load_file(scratch / "model.safetensors").items():
                if is_quantized(key):
                    tensors[key], tensors[key + "_scale_inv"] = quantized(tensor, powers)
                    plain[key] = (tensors[key].float() * expanded(tensors[key + "_scale_inv"], tensor.shape)).to(torch.bfloat16)
                else:
                    tensors[key] = plain[key] = tensor
            save_file(plain, scratch / "model.safetensors", metadata={"format": "pt"})
            oracle = load(scratch)
        ids, long = tokens(seed, CONFIG["vocab_size"])
        with routing_margins(oracle) as margins:
            far = logits(oracle, long)
        if best is None or min(margins) > best[0]:
            best = min(margins), seed, tensors, ids, long, logits(oracle, ids), far
    margin, seed, tensors, ids, long, short, far = best
    (folder / "config.json").write_text(json.dumps(CONFIG | {"quantization_config": quantization}, indent=2) + "\n")
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    for file, ids, positions, values in (
        ("expected.safetensors", ids, list(range(12)), short), ("expected-long.safetensors", long, LONG_POSITIONS, far)):
        save_file({"ids": torch.tensor(ids, dtype=torch.int32), "positions": torch.tensor(positions, dtype=torch.int32),
                   "logits": values[positions].contiguous()}, folder / file)
    size = sum(f.stat().st_size for f in folder.iterdir()) // 1000
    print(f"{name}: {size} KB, seed {seed}, routing margin {margin:.2g}, logit deviation {far.std().item():.3g}")


def codes():
    every = torch.arange(256, dtype=torch.uint8).repeat(200, 1).view(torch.float8_e4m3fn)
    scales = torch.tensor([[0.0123, 3.7], [1e-30, 2.5e-4]])
    powers = torch.tensor([[0.03125, 64.0]]).to(torch.float8_e8m0fnu)
    save_file({
        "codes": every, "codes_scale_inv": scales, "expected": every.float() * expanded(scales, every.shape),
        "powers": every[:3].clone(), "powers_scale_inv": powers,
        "powers_expected": every[:3].float() * expanded(powers, (3, 256))}, HERE / "Fixtures" / "float8.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(2)
    codes()
    make("deepseek-v3-fp8", False, range(31000, 31060))
    make("deepseek-v3-fp8-ue8m0", True, range(32000, 32060))
