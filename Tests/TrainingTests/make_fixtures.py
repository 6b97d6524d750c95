#!/usr/bin/env python3
"""Losses, gradients and optimizer steps that torch computes for the tiny checkpoints of Tests/ModelsTests.

usage: make_fixtures.py [NAME ...]

Fixtures/NAME.safetensors holds
  tokens, targets   int32 [rows]: documents one after the other; a target of -1 is none
  documents         int32: the rows of each document
  the gradient of the loss by every parameter, F32, named as in the checkpoint (of some cases those of biases alone)
Fixtures/losses.json has of each case the parts of the loss and, for steps of an optimizer, their losses before each step.

The models are transformers', in float32 with eager attention; every document is computed alone. What transformers lacks is written here:
the prediction layer (DeepSeek-V3 report, section 2.2), the sequence-wise balance loss (section 2.1.2, equations 17 to 20), the rule for
the routing bias (equation 16 and the text behind it), and Muon (Jordan 2024, with the scale of Liu et al. 2025).
"""
import contextlib, importlib.util, json, math, sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers.models.deepseek_v2 import modeling_deepseek_v2
from transformers.models.deepseek_v3 import modeling_deepseek_v3

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent / "ModelsTests"
sys.path.insert(0, str(MODELS))
spec = importlib.util.spec_from_file_location("model_fixtures", MODELS / "make_fixtures.py")
model_fixtures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(model_fixtures)

ROWS = [101, 28]  # of each document; more than one block of attention
CLIP, RATE, BETAS, EPSILON, DECAY, GAMMA = 1.0, 1e-3, (0.9, 0.95), 1e-8, 0.1, 0.01

# name: options
CASES = {
    "llama-gqa-tied": {"muon": True},
    "qwen2-untied": {},
    "llama-attention-bias": {"only": ".bias", "steps": 0},
    "llama-mlp-bias": {"only": ".bias", "steps": 0},
    # What the others lack; every other gradient goes into those of the norms, and all into the norm of all.
    "llama-rope-llama3": {"only": "norm.weight", "steps": 0},
    "qwen2-yarn": {"only": "norm.weight", "steps": 0},
    "deepseek-v2-lite": {"only": "norm.weight", "steps": 0},
    "deepseek-v3-plain": {"only": "norm.weight", "steps": 0},
    "deepseek-v3-unnormalised": {"only": "norm.weight", "steps": 0},
    "deepseek-v2": {"balance": 0.02},
    "deepseek-v3-next-token": {"balance": 0.01, "prediction": 0.3},
}


def batch(vocabulary, shift=0):
    tokens = [(7 * i * i + 13 * i + 3 + 31 * shift) % vocabulary for i in range(sum(ROWS))]
    targets, start = [], 0
    for rows in ROWS:
        targets += tokens[start + 1 : start + rows] + [-1]
        start += rows
    targets[5] = targets[60] = -1  # rows that are not learnt from
    return tokens, targets


# ------------------------------------------------------------------------------------------------------- model


def load(name, prediction):
    """The model with the checkpoint's weights, experts apart from each other as the checkpoint has them."""
    folder = MODELS / "Fixtures" / "checkpoints" / name
    model = model_fixtures.build(folder, prediction > 0) if prediction else model_fixtures.load(folder)
    tensors = load_file(folder / "model.safetensors")
    named = dict(model.named_parameters()) | dict(model.named_buffers())
    with torch.no_grad():
        for key, tensor in named.items():
            if ".experts." in key and tensor.dim() == 3:
                base = key.rsplit(".", 1)[0]
                for e in range(tensor.shape[0]):
                    part = lambda kind: tensors[f"{base}.{e}.{kind}_proj.weight"]
                    tensor[e] = torch.cat([part("gate"), part("up")]) if key.endswith("gate_up_proj") else part("down")
            elif key in tensors:
                tensor.copy_(tensors[key])
    return model.train(), tensors


def by_name(model, take):
    """take(parameter) of every parameter under the checkpoint's names."""
    result = {}
    for key, parameter in model.named_parameters():
        value = take(parameter)
        if value is None:
            raise SystemExit(f"{key} has no gradient")
        if ".experts." in key and value.dim() == 3:
            base = key.rsplit(".", 1)[0]
            for e in range(value.shape[0]):
                if key.endswith("gate_up_proj"):
                    gate, up = value[e].chunk(2)
                    result[f"{base}.{e}.gate_proj.weight"], result[f"{base}.{e}.up_proj.weight"] = gate, up
                else:
                    result[f"{base}.{e}.down_proj.weight"] = value[e]
        else:
            result[key] = value
    return {key: value.detach().clone().contiguous() for key, value in result.items()}


@contextlib.contextmanager
def routers(model):
    """Collects of every router that runs its module and its logits."""
    calls, hooks = [], []
    for name, module in model.named_modules():
        if name.endswith("mlp.gate"):
            forward = lambda module, inputs, output: calls.append((module, torch.nn.functional.linear(
                inputs[0].reshape(-1, inputs[0].shape[-1]).float(), module.weight.float())))
            hooks.append(module.register_forward_hook(forward))
    yield calls
    for hook in hooks:
        hook.remove()


def balance_loss(calls, config):
    """Equations 17 to 20 of one sequence, summed over layers."""
    total = 0
    for _, logits in calls:
        scores = logits.sigmoid() if config.model_type == "deepseek_v3" else logits.softmax(-1)
        rows, experts = scores.shape
        best = torch.zeros_like(scores).scatter(1, scores.topk(config.num_experts_per_tok, dim=-1).indices, 1)
        frequency = best.sum(0) * experts / (config.num_experts_per_tok * rows)
        share = (scores / scores.sum(-1, keepdim=True)).mean(0)
        total = total + (frequency.detach() * share).sum()
    return total


def choices(module, logits, config):
    """How often a V3 router with bias and groups chooses each expert."""
    scores = logits.detach().sigmoid() + module.e_score_correction_bias
    groups = scores.view(len(scores), config.n_group, -1)
    kept = groups.topk(2, dim=-1).values.sum(-1).topk(config.topk_group, dim=-1).indices
    mask = torch.zeros(groups.shape[:2]).scatter(1, kept, 1).bool()
    scores = groups.masked_fill(~mask[..., None], -math.inf).flatten(1)
    return torch.bincount(scores.topk(config.num_experts_per_tok, dim=-1).indices.flatten(), minlength=scores.shape[1])


def prediction_hidden(model, hidden, tokens):
    """Of all rows but the last: the prediction layer's output behind its norm."""
    block, count = model.model.layers[-1], len(tokens) - 1
    embedded = model.model.embed_tokens(torch.tensor([tokens[1:]]))
    joined = block.eh_proj(torch.cat([block.enorm(embedded), block.hnorm(hidden[:, :-1])], dim=-1))
    mask = torch.full((1, 1, count, count), -math.inf).triu(1)
    output = block(joined, attention_mask=mask, position_embeddings=model.model.rotary_emb(joined, torch.arange(count)[None]))
    return block.shared_head.norm(output)


def losses(model, tokens, targets, balance=0, prediction=0, **_):
    """The parts of the loss, and of each router how often each expert was chosen."""
    cross, second, balanced, loads, start = [], [], 0, {}, 0
    entropy = lambda hidden, wanted: torch.nn.functional.cross_entropy(
        model.lm_head(hidden)[0], torch.tensor(wanted), ignore_index=-1, reduction="sum")
    for rows in ROWS:
        ids, wanted = tokens[start : start + rows], targets[start : start + rows]
        start += rows
        with routers(model) as calls:
            hidden = model.model(torch.tensor([ids]), use_cache=False).last_hidden_state
            cross.append(entropy(hidden, wanted))
            main = list(calls)
            if prediction:
                second.append(entropy(prediction_hidden(model, hidden, ids), wanted[1:]))
        if balance:
            balanced = balanced + balance_loss(main, model.config)
            # The prediction layer's last row, of which nothing comes, counts in its balance loss here and is left out in its product
            # above; so its router is asked again with that row.
            if prediction:
                balanced = balanced + balance_loss([whole_prediction_router(model, hidden, ids)], model.config)
        if hasattr(model.config, "n_group") and model.config.model_type == "deepseek_v3":
            for module, logits in main:
                loads[module] = loads.get(module, 0) + choices(module, logits, model.config)
            if prediction:
                module, logits = whole_prediction_router(model, hidden, ids)
                loads[module] = loads.get(module, 0) + choices(module, logits, model.config)
    parts = {"cross_entropy": sum(cross) / sum(t >= 0 for t in targets)}
    if prediction:
        count, start = 0, 0
        for rows in ROWS:
            count += sum(t >= 0 for t in targets[start + 1 : start + rows])
            start += rows
        parts["prediction"] = prediction * sum(second) / count
    if balance:
        parts["balance"] = balance * balanced / len(ROWS)
    return parts, loads


def whole_prediction_router(model, hidden, tokens):
    """The prediction layer's router over all rows, the last with token 0 behind it."""
    block, count = model.model.layers[-1], len(tokens)
    embedded = model.model.embed_tokens(torch.tensor([tokens[1:] + [0]]))
    joined = block.eh_proj(torch.cat([block.enorm(embedded), block.hnorm(hidden)], dim=-1))
    mask = torch.full((1, 1, count, count), -math.inf).triu(1)
    with routers(model) as calls:
        block(joined, attention_mask=mask, position_embeddings=model.model.rotary_emb(joined, torch.arange(count)[None]))
    return calls[0]


# -------------------------------------------------------------------------------------------------- optimizers


def decays(name, parameter):
    return parameter.dim() >= 2 and "embed_tokens" not in name


def orthogonalized(matrix):
    """Five steps of Newton and Schulz's iteration."""
    x = matrix / (matrix.norm() + 1e-7)
    if matrix.shape[0] > matrix.shape[1]:
        x = x.T
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Muon:
    def __init__(self, parameters):
        self.parameters = parameters
        self.momenta = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self):
        for p, momentum in zip(self.parameters, self.momenta):
            momentum.mul_(0.95).add_(p.grad)
            update = orthogonalized(p.grad + 0.95 * momentum) * 0.2 * math.sqrt(max(p.shape))
            p.mul_(1 - RATE * DECAY).sub_(RATE * update)


def steps(model, count, options, muon=False):
    named = list(model.named_parameters())
    matrices = [p for n, p in named if muon and p.dim() == 2 and "embed_tokens" not in n and "lm_head" not in n]
    rest = [(n, p) for n, p in named if not any(p is m for m in matrices)]
    groups = [{"params": [p for n, p in rest if decays(n, p)], "weight_decay": DECAY},
              {"params": [p for n, p in rest if not decays(n, p)], "weight_decay": 0.0}]
    optimizers = [torch.optim.AdamW([g for g in groups if g["params"]], lr=RATE, betas=BETAS, eps=EPSILON)]
    if matrices:
        optimizers.append(Muon(matrices))
    result = []
    for step in range(count):
        tokens, targets = batch(model.config.vocab_size, step)
        model.zero_grad(set_to_none=True)
        parts, loads = losses(model, tokens, targets, **options)
        total = sum(parts.values())
        result.append(total.item())
        total.backward()
        for n, p in named:  # experts that no token chose
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        torch.nn.utils.clip_grad_norm_([p for _, p in named], CLIP)
        for optimizer in optimizers:
            optimizer.step()
        with torch.no_grad():
            for module, load in loads.items():
                load = load.float()
                module.e_score_correction_bias += GAMMA * torch.sign(load.mean() - load)
    return result


def decayed():
    """Weights of three kinds after four steps of AdamW with so much decay that whoever leaves it out, or gives it to all, is seen."""
    shapes = {"model.layers.0.mlp.up_proj.weight": (2, 3), "model.norm.weight": (3,), "model.embed_tokens.weight": (3, 2)}
    named = {n: torch.nn.Parameter(torch.arange(math.prod(s)).float().reshape(s) / 4 - 0.5) for n, s in shapes.items()}
    groups = [{"params": [p for n, p in named.items() if decays(n, p)], "weight_decay": 0.5},
              {"params": [p for n, p in named.items() if not decays(n, p)], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.1, betas=BETAS, eps=EPSILON)
    for step in range(4):
        for p in named.values():
            p.grad = torch.sin(torch.arange(p.numel()).float() + step).reshape(p.shape)
        optimizer.step()
    return {n: p.flatten().tolist() for n, p in named.items()}


# ------------------------------------------------------------------------------------------------------- cases


def make(name, only="", steps_count=10, muon=False, **options):
    prediction = options.get("prediction", 0)
    model, tensors = load(name, prediction)
    tokens, targets = batch(model.config.vocab_size)
    parts, _ = losses(model, tokens, targets, **options)
    sum(parts.values()).backward()
    gradients = by_name(model, lambda p: p.grad)
    kept = {key: value for key, value in gradients.items() if key.endswith(only)}
    missing = [key for key in kept if key not in tensors]
    if missing:
        raise SystemExit(f"{name}: {missing}")
    integers = {"tokens": tokens, "targets": targets, "documents": ROWS}
    save_file(kept | {k: torch.tensor(v, dtype=torch.int32) for k, v in integers.items()}, HERE / "Fixtures" / f"{name}.safetensors")
    norm = math.sqrt(sum((g.double() ** 2).sum().item() for g in gradients.values()))
    facts = {"options": options, "loss": {k: v.item() for k, v in parts.items()}, "gradient_norm": norm}
    if steps_count:
        facts["adamw"] = steps(load(name, prediction)[0], steps_count, options)
    if muon:
        facts["muon"] = steps(load(name, prediction)[0], steps_count, options, muon=True)
    print(name, facts["loss"], flush=True)
    return facts


def main():
    torch.set_num_threads(2)
    (HERE / "Fixtures").mkdir(exist_ok=True)
    report = HERE / "Fixtures" / "losses.json"
    facts = json.loads(report.read_text()) if report.exists() else {}
    for name in sys.argv[1:] or CASES:
        options = dict(CASES[name])
        facts[name] = make(name, options.pop("only", ""), options.pop("steps", 10), options.pop("muon", False), **options)
    report.write_text(json.dumps({n: facts[n] for n in CASES if n in facts}, indent=1) + "\n")
    (HERE / "Fixtures" / "decayed.json").write_text(json.dumps(decayed(), indent=1) + "\n")


if __name__ == "__main__":
    main()
