#!/usr/bin/env python3
"""Losses, gradients and advantages of GRPO as TRL computes them, on fixed numbers.

usage: make_policy_fixture.py

Fixtures/policy.safetensors holds
  hidden [answers, tokens, hidden], head [vocabulary, hidden], old, reference [answers, tokens], F32
  targets, mask int32 [answers, tokens]; advantages, rewards F32 [answers]
  NAME.hidden, NAME.head: the gradients of each case's loss
  advantages.GROUP.NAME: of the rewards, by the answers to a prompt and `scale_rewards`
Fixtures/policy.json has of each case the settings, the loss, and the means that TRL logs.

TRL's own code computes them: `GRPOTrainer._compute_loss` with an object in the trainer's place, whose logits are those of a head, and the lines of
`GRPOTrainer._generate_and_score_completions` that make advantages of rewards.
"""
import collections, inspect, json, re, textwrap
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import save_file
from trl import GRPOTrainer
from trl.trainer import grpo_trainer

HERE = Path(__file__).resolve().parent
ANSWERS, TOKENS, HIDDEN, VOCABULARY, LONGEST = 8, 7, 12, 41, 9
LENGTHS = [7, 3, 5, 1, 6, 7, 2, 4]
CASES = {
    "grpo": {"loss_type": "grpo"},
    "grpo-divergence": {"loss_type": "grpo", "beta": 0.04},
    "bnpo": {"loss_type": "bnpo", "high": 0.28},
    "dapo": {"loss_type": "dapo", "high": 0.28},
    "dapo-divergence": {"loss_type": "dapo", "low": 0.1, "high": 0.3, "beta": 0.5},
    "dr_grpo": {"loss_type": "dr_grpo"},
    "dr_grpo-divergence": {"loss_type": "dr_grpo", "high": 0.28, "beta": 0.001},
}


class Accelerator:
    num_processes = 1
    gather = gather_for_metrics = staticmethod(lambda x: x)
    reduce = staticmethod(lambda x, reduction: x)


def log_probabilities(hidden, head, targets):
    logits = torch.log_softmax(hidden @ head.T, dim=-1)
    return logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1), -(logits.exp() * logits).sum(-1)


def loss(case, hidden, head, inputs):
    low, beta = case.get("low", 0.2), case.get("beta", 0.0)
    metrics = {"train": collections.defaultdict(list)}
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True), accelerator=Accelerator(), _metrics=metrics, aux_loss_enabled=False,
        top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level="token", beta=beta,
        loss_type=case["loss_type"], epsilon_low=low, epsilon_high=case.get("high", low), use_vllm=False,
        current_gradient_accumulation_steps=1, max_completion_length=LONGEST, _entropy_bonus_enabled=False,
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1),
        _get_per_token_logps_and_entropies=lambda *_, **__: (*log_probabilities(hidden, head, inputs["completion_ids"]), None))
    value = GRPOTrainer._compute_loss(trainer, trainer.model, inputs)
    gradients = torch.autograd.grad(value, [hidden, head])
    names = {"entropy": "entropy", "clip_ratio/low_mean": "clipped_low", "clip_ratio/high_mean": "clipped_high", "kl": "divergence"}
    logged = {name: metrics["train"][key][0] for key, name in names.items() if key in metrics["train"]}
    return value.item(), gradients, logged


def advantages(rewards, group, scale):
    source = inspect.getsource(GRPOTrainer._generate_and_score_completions)
    lines = re.search(r'^ *if self\.multi_objective_aggregation ==.*?^ *advantages = torch\.nan_to_num.*?$', source, re.M | re.S)
    names = {
        "self": SimpleNamespace(
            multi_objective_aggregation="sum_then_normalize", scale_rewards=scale, reward_weights=torch.ones(1)),
        "rewards_per_func": rewards.unsqueeze(1), "num_generations": group, "device": "cpu",
        "unscorable_mask": torch.zeros(len(rewards), dtype=torch.bool), "torch": torch, "nanstd": grpo_trainer.nanstd}
    exec(textwrap.dedent(lines.group(0)), names)
    return names["advantages"]


def main():
    torch.manual_seed(7)
    hidden = torch.randn(ANSWERS, TOKENS, HIDDEN)
    head = torch.randn(VOCABULARY, HIDDEN) * 0.7
    targets = torch.randint(0, VOCABULARY, (ANSWERS, TOKENS))
    mask = (torch.arange(TOKENS)[None] < torch.tensor(LENGTHS)[:, None]).int()
    now = log_probabilities(hidden, head, targets)[0]
    # Far enough for some ratios to be cut on either side.
    old = now + torch.randn(ANSWERS, TOKENS) * 0.25
    reference = now + torch.randn(ANSWERS, TOKENS) * 0.5
    values = torch.tensor([1.2, -0.7, -0.5, 0.3, -1.1, 0.9, 0.0, 0.4])
    hidden.requires_grad_()
    head.requires_grad_()
    inputs = {
        "prompt_ids": torch.zeros(ANSWERS, 0, dtype=torch.long), "prompt_mask": torch.zeros(ANSWERS, 0, dtype=torch.long),
        "completion_ids": targets, "completion_mask": mask, "advantages": values, "old_per_token_logps": old,
        "ref_per_token_logps": reference, "num_items_in_batch": mask.sum()}
    tensors = {
        "hidden": hidden, "head": head, "targets": targets.int(), "mask": mask, "old": old, "reference": reference,
        "advantages": values}
    facts = {"longest": LONGEST, "cases": {}}
    for name, case in CASES.items():
        value, gradients, logged = loss(case, hidden, head, inputs)
        tensors[f"{name}.hidden"], tensors[f"{name}.head"] = gradients
        facts["cases"][name] = {**case, "loss": value, **logged}
    rewards = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.5, 0.5, 0.5, 0.5, -0.25, 1.5, 0.125, 2.0])
    tensors["rewards"] = rewards
    for group in [2, 4]:
        for scale in ["group", "batch", "none"]: tensors[f"advantages.{group}.{scale}"] = advantages(rewards, group, scale)
    folder = HERE / "Fixtures"
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, folder / "policy.safetensors")
    (folder / "policy.json").write_text(json.dumps(facts, indent=1) + "\n")


main()
