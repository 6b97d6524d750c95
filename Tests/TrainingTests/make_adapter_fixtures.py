#!/usr/bin/env python3
"""What torch and peft compute for adapters (LoRA) beside the tiny checkpoints of Tests/ModelsTests.

usage: make_adapter_fixtures.py [NAME ...]

Fixtures/adapters/NAME/ is an adapter as peft saves it (its matrices B are not zero), and gradients.safetensors there holds
  tokens, targets, documents   as in make_fixtures.py; only two "answers" are targets
  the gradient of the loss by every matrix of the adapter, F32, named as in the checkpoints of a run
  merged                       logits of the first document's first tokens, from peft's merge_and_unload
Fixtures/adapters.json has of each case the loss and, for steps of AdamW, the losses before each step.
"""
import json, sys
from pathlib import Path

import torch
import peft.utils.transformers_weight_conversion as conversion
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

import make_fixtures as base

# Of mixtures peft takes the names of feed-forwards for those of experts, and leaves out dense and shared ones, which are meant here.
conversion._convert_peft_config_moe = lambda *_: None

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "Fixtures" / "adapters"
RANK, ALPHA, RATE, STEPS = 3, 5, 1e-2, 8
ANSWERS = [range(20, 60), range(110, 125)]  # rows whose next token is learnt
MERGED_TOKENS = 12

DENSE = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LATENT = ["q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# name: modules
CASES = {
    "llama-gqa-tied": DENSE,
    "qwen2-untied": ["q_proj", "v_proj"],
    "deepseek-v2": LATENT,
}


def batch(vocabulary, step=0):
    tokens, _ = base.batch(vocabulary, step)
    targets = [-1] * len(tokens)
    for answer in ANSWERS:
        for row in answer:
            targets[row] = tokens[row + 1]
    return tokens, targets


def adapted(name, modules):
    model, _ = base.load(name, 0)
    model = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=modules, lora_dropout=0.0, task_type="CAUSAL_LM"))
    with torch.no_grad():
        for index, (key, parameter) in enumerate(p for p in model.named_parameters() if "lora_" in p[0]):
            values = torch.sin(torch.arange(parameter.numel()).float() * 0.7 + index)
            parameter.copy_(values.reshape(parameter.shape) * (0.2 if "lora_A" in key else 0.05))
    return model


def trained(model):
    """The adapter's matrices under the names that a run's checkpoints have."""
    for key, parameter in model.named_parameters():
        if parameter.requires_grad:
            yield key.removeprefix("base_model.model.").replace(".default", ""), parameter


def loss(model, tokens, targets):
    return base.losses(model.base_model.model, tokens, targets)[0]["cross_entropy"]


def make(name, modules):
    folder = FOLDER / name
    model = adapted(name, modules)
    vocabulary = model.config.vocab_size
    tokens, targets = batch(vocabulary)
    first = loss(model, tokens, targets)
    first.backward()
    gradients = {key: parameter.grad.clone() for key, parameter in trained(model)}
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    written = json.loads((folder / "adapter_config.json").read_text()) | {"base_model_name_or_path": name}
    (folder / "adapter_config.json").write_text(json.dumps(written, indent=1) + "\n")

    parameters = [p for _, p in trained(model)]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, betas=base.BETAS, eps=base.EPSILON, weight_decay=base.DECAY)
    steps = []
    for step in range(STEPS):
        optimizer.zero_grad()
        part = loss(model, *batch(vocabulary, step))
        steps.append(part.item())
        part.backward()
        torch.nn.utils.clip_grad_norm_(parameters, base.CLIP)
        optimizer.step()

    merged = adapted(name, modules).merge_and_unload().eval()
    with torch.no_grad():
        logits = merged(torch.tensor([tokens[:MERGED_TOKENS]]), use_cache=False).logits[0]
    integers = {"tokens": tokens, "targets": targets, "documents": base.ROWS}
    save_file(
        gradients | {"merged": logits.contiguous()} | {k: torch.tensor(v, dtype=torch.int32) for k, v in integers.items()},
        folder / "gradients.safetensors")
    print(name, first.item(), steps[-1], flush=True)
    return {"targets": modules, "loss": first.item(), "adamw": steps}


def main():
    torch.set_num_threads(2)
    report = HERE / "Fixtures" / "adapters.json"
    facts = json.loads(report.read_text()) if report.exists() else {}
    for name in sys.argv[1:] or CASES:
        facts[name] = make(name, CASES[name])
    report.write_text(json.dumps({n: facts[n] for n in CASES if n in facts}, indent=1) + "\n")


if __name__ == "__main__":
    main()
