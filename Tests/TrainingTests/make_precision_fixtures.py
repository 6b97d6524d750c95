#!/usr/bin/env python3
"""What torch computes for training in FP8 and for optimizer state of fewer bits.

usage: make_precision_fixtures.py

Fixtures/float8-linear.safetensors
  rows, block       a linear layer's input in tiles of 1 x 128 and its weight in blocks of 128 x 128: E4M3 (torch's cast), and their scales
  linear.*          that layer in FP8 (DeepSeek-V3 report, section 3.3): output, gradient of the input, of the weight, sums in double
Fixtures/float8-model.safetensors
  model.*           gradients of a DeepSeek-V3 in small in FP8; float8-model.json has its loss, in FP8 and in F32
Fixtures/moments.safetensors
  table.*, codes.*  int8: what the codes stand for, and codes and scales of values (Dettmers et al. 2022)
  adamw.*, muon.*   a weight after six steps with moments in bfloat16 and int8
Inputs are made by `made`, here and in the tests.

Code table and codes are compared with bitsandbytes' functional.create_dynamic_map and quantize_blockwise when it is installed.
"""
import importlib.util, json, math
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("training_fixtures", HERE / "make_fixtures.py")
training = importlib.util.module_from_spec(spec)
spec.loader.exec_module(training)

ROWS, INPUTS, OUTPUTS = 130, 140, 132
STATE_SHAPE, STEPS, RATE = (70, 60), 6, 0.01


def made(count, seed):
    """Numbers of several magnitudes that every language makes the same of: integers over powers of two."""
    i = torch.arange(count, dtype=torch.int64)
    numerators = (i * 7919 + seed * 104729 + i * i % 977) % 2003 - 1001
    return (numerators.double() / 1024 * 2.0 ** -((i * 31 + seed) % 11).double()).float()


# --------------------------------------------------------------------------------------------------------- FP8


def tile_scales(x):
    """Of rows in tiles of 128: the smallest power of two that takes the largest magnitude to at most 448."""
    tiles = torch.nn.functional.pad(x, (0, -x.shape[1] % 128)).reshape(len(x), -1, 128)
    fraction, exponent = torch.frexp(tiles.abs().amax(-1))  # largest = fraction * 2^exponent; 448 = 0.875 * 2^9
    return torch.ldexp(torch.ones_like(fraction), torch.where(fraction > 0.875, exponent - 8, exponent - 9))


def spread(scales, columns):
    return scales.repeat_interleave(128, 1)[:, :columns]


def tiles(x):
    """Rows rounded in tiles of 1 x 128."""
    scales = spread(tile_scales(x), x.shape[1])
    return (x / scales).to(torch.float8_e4m3fn).float() * scales


def block_scales(w):
    rows, columns = w.shape
    padded = torch.nn.functional.pad(w, (0, -columns % 128, 0, -rows % 128))
    largest = padded.reshape(padded.shape[0] // 128, 128, -1, 128).abs().amax((1, 3))
    return torch.where(largest == 0, torch.ones_like(largest), largest / 448)


def blocks(w):
    """A weight rounded in blocks of 128 x 128."""
    scales = spread(block_scales(w), w.shape[1]).repeat_interleave(128, 0)[: w.shape[0]]
    return (w / scales).to(torch.float8_e4m3fn).float() * scales


SUM_TYPE = torch.float64


def product(a, b):
    """a · bᵀ of E4M3 values with their scales: sums of 128 products each, promoted one after the other; in double."""
    total = 0
    for k in range(0, a.shape[1], 128):
        total = total + a[:, k : k + 128].to(SUM_TYPE) @ b[:, k : k + 128].to(SUM_TYPE).T
    return total.float()


class Linear8(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        rows = x.reshape(-1, x.shape[-1])
        return product(tiles(rows), blocks(weight)).reshape(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        rows, gradients = x.reshape(-1, x.shape[-1]), gradient.reshape(-1, gradient.shape[-1])
        return (product(tiles(gradients), blocks(weight).T.contiguous()).reshape(x.shape),
                product(tiles(gradients.T.contiguous()), tiles(rows.T.contiguous())))


class Expert8(torch.autograd.Function):
    """weight * down(silu(gate(x)) * up(x)) of the rows that chose an expert. On the way back the row's weight multiplies what the
    down-projection saw."""

    @staticmethod
    def forward(ctx, x, weights, gate, up, down):
        g, u = product(tiles(x), blocks(gate)), product(tiles(x), blocks(up))
        ctx.save_for_backward(x, weights, gate, up, down, g, u)
        return weights[:, None] * product(tiles(torch.nn.functional.silu(g) * u), blocks(down))

    @staticmethod
    def backward(ctx, gradient):
        x, weights, gate, up, down, g, u = ctx.saved_tensors
        columns = lambda a: tiles(a.T.contiguous())
        inner = product(tiles(gradient), blocks(down).T.contiguous())
        sigmoid = g.sigmoid()
        silu = g * sigmoid
        of_weights = (inner * silu * u).sum(-1)
        scaled = inner * weights[:, None]
        of_up, of_gate = scaled * silu, scaled * u * (sigmoid + silu * (1 - sigmoid))
        of_x = product(tiles(of_gate), blocks(gate).T.contiguous()) + product(tiles(of_up), blocks(up).T.contiguous())
        return (of_x, of_weights, product(columns(of_gate), columns(x)), product(columns(of_up), columns(x)),
                product(columns(gradient), columns(silu * u * weights[:, None])))


def experts_forward(module):
    def forward(hidden, indices, weights):
        result = torch.zeros_like(hidden)
        for expert in range(module.gate_up_proj.shape[0]):
            rows, choice = torch.where(indices == expert)
            if len(rows) > 0:
                gate, up = module.gate_up_proj[expert].chunk(2)
                result = result.index_add(0, rows, Expert8.apply(
                    hidden[rows], weights[rows, choice], gate, up, module.down_proj[expert]))
        return result
    return forward


def model_in_float8(model):
    """Every linear layer but the head; routers are no torch.nn.Linear."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name != "lm_head" and not name.endswith("mlp.gate"):
            assert module.bias is None, name
            module.forward = lambda x, module=module: Linear8.apply(x, module.weight)
        elif name.endswith("mlp.experts"):
            module.forward = experts_forward(module)


def small_model():
    name, kept = "deepseek-v3-plain", (".layers.1.", "norm.weight")
    training.ROWS[:] = [150]
    facts, gradients = {}, {}
    global SUM_TYPE
    for precision in ["float32", "float8", "float8, sums in float32"]:
        SUM_TYPE = torch.float32 if precision.endswith("float32") else torch.float64
        model, tensors = training.load(name, 0)
        if precision != "float32":
            model_in_float8(model)
        tokens, targets = training.batch(model.config.vocab_size)
        parts, _ = training.losses(model, tokens, targets)
        parts["cross_entropy"].backward()
        facts[precision] = parts["cross_entropy"].item()
        gradients[precision] = training.by_name(model, lambda p: p.grad)
    SUM_TYPE = torch.float64
    for other in ["float32", "float8, sums in float32"]:
        changes = [((gradients[other][k] - g).norm() / g.norm()).item() for k, g in gradients["float8"].items() if g.norm() > 0]
        print(name, facts, "gradients differ from those of", other, "by", min(changes), "to", max(changes), flush=True)
    # What roundings of F32 alone bring about: values at the border between two E4M3 fall to the other side, and so on from layer to layer.
    facts["largest difference"] = max(changes)
    result = {f"model.{k}": g for k, g in gradients["float8"].items() if any(part in k for part in kept)}
    facts["rows"] = training.ROWS[0]
    return result, facts


# -------------------------------------------------------------------------------------------- optimizer's state


def dynamic_table(signed):
    """What bitsandbytes' create_dynamic_map computes."""
    values = [0.0, 1.0]
    for exponent in range(7):
        boundaries = torch.linspace(0.1, 1, 2 ** (exponent if signed else exponent + 1) + 1)
        means = 10.0 ** (exponent - 6) * ((boundaries[:-1] + boundaries[1:]) / 2)
        values += means.tolist() + ((-means).tolist() if signed else [])
    return torch.tensor(sorted(values))


def encode(values, table):
    """Codes and scales of blocks of 256."""
    padded = torch.nn.functional.pad(values.flatten(), (0, -values.numel() % 256)).reshape(-1, 256)
    scales = padded.abs().amax(1)
    normed = torch.where(scales[:, None] > 0, padded / scales[:, None], torch.zeros_like(padded))
    left = (torch.bucketize(normed, table, right=True) - 1).clamp(0, 254)
    codes = torch.where(table[left + 1] - normed < normed - table[left], left + 1, left)
    codes = torch.where(normed >= 1, 255, codes)
    return codes.flatten()[: values.numel()].to(torch.uint8), scales


def stored(values, form, signed):
    if form == "bfloat16":
        return values.bfloat16().float()
    table = dynamic_table(signed)
    codes, scales = encode(values, table)
    return (table[codes.long()] * scales.repeat_interleave(256)[: values.numel()]).reshape(values.shape)


def optimizer_steps(form):
    count = math.prod(STATE_SHAPE)
    value = made(count, 5).reshape(STATE_SHAPE)
    mean, square = torch.zeros_like(value), torch.zeros_like(value)
    other, momentum = value.clone(), torch.zeros_like(value)
    for step in range(STEPS):
        g = made(count, 20 + step).reshape(STATE_SHAPE)
        mean = 0.9 * mean + (1 - torch.tensor(0.9)) * g
        square = 0.95 * square + (1 - torch.tensor(0.95)) * g * g
        change = (mean / (1 - 0.9 ** (step + 1))) / ((square / (1 - 0.95 ** (step + 1))).sqrt() + 1e-8)
        value = value * (1 - RATE * 0.1) - RATE * change
        mean, square = stored(mean, form, True), stored(square, form, False)
        momentum = 0.95 * momentum + g
        update = training.orthogonalized(g + 0.95 * momentum) * 0.2 * math.sqrt(max(STATE_SHAPE))
        other = other * (1 - RATE * 0.1) - RATE * update
        momentum = stored(momentum, form, True)
    return value, other


def compare_with_bitsandbytes(name, signed, values, table, codes):
    try:
        from bitsandbytes import functional
    except ImportError:
        print("bitsandbytes is not installed; tables and codes are those of this script alone")
        return
    theirs = functional.create_dynamic_map(signed=signed)
    # Of doubles it takes the nearest code, as here; of floats its library for CPUs takes a neighbour of it now and then.
    nearest, _ = torch.ops.bitsandbytes.quantize_blockwise(values.double(), theirs, 256)
    found, _ = functional.quantize_blockwise(values, code=theirs, blocksize=256)
    print(f"bitsandbytes, {name}: {(theirs != table).sum().item()} numbers of the table differ, by "
          f"{(theirs / table - 1).abs().nan_to_num().max().item():.2g} of their size; of {len(codes)} codes "
          f"{(nearest != codes).sum().item()} differ, of its CPU library {(found != codes).sum().item()}")


def linear():
    x, weight = made(ROWS * INPUTS, 1).reshape(ROWS, INPUTS), made(OUTPUTS * INPUTS, 2).reshape(OUTPUTS, INPUTS)
    x_scales, scales = tile_scales(x), block_scales(weight)
    tensors = {
        "rows": (x / spread(x_scales, INPUTS)).to(torch.float8_e4m3fn), "rows.scales": x_scales,
        "block": (weight / spread(scales, INPUTS).repeat_interleave(128, 0)[:OUTPUTS]).to(torch.float8_e4m3fn), "block.scales": scales}
    x.requires_grad_(), weight.requires_grad_()
    output = Linear8.apply(x, weight)
    output.backward(made(ROWS * OUTPUTS, 3).reshape(ROWS, OUTPUTS))
    plain = x.detach() @ weight.detach().T
    print("linear: FP8 differs from F32 by", ((output - plain).norm() / plain.norm()).item())
    return tensors | {"linear.output": output.detach(), "linear.input": x.grad, "linear.weight": weight.grad}


def moments():
    tensors = {}
    for name, signed in [("signed", True), ("unsigned", False)]:
        values, table = made(5000, 4), dynamic_table(signed)
        values = values if signed else values.abs()
        codes, scales = encode(values, table)
        compare_with_bitsandbytes(name, signed, values, table, codes)
        tensors |= {f"table.{name}": table, f"codes.{name}": codes.int(), f"codes.{name}.scales": scales}
    for form in ["bfloat16", "int8"]:
        tensors[f"adamw.{form}"], tensors[f"muon.{form}"] = optimizer_steps(form)
    return tensors


def main():
    torch.set_num_threads(2)
    gradients, facts = small_model()
    for name, tensors in [("float8-linear", linear()), ("moments", moments()), ("float8-model", gradients)]:
        save_file({k: v.contiguous() for k, v in tensors.items()}, HERE / "Fixtures" / f"{name}.safetensors")
        print(name, (HERE / "Fixtures" / f"{name}.safetensors").stat().st_size, "bytes")
    (HERE / "Fixtures" / "float8-model.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
