#!/usr/bin/env python3
"""Losses beside a teacher's distribution, and their gradients, as torch's autograd computes them.

usage: make_distillation_fixtures.py

Fixtures/distillation.json: of every case its options, the sums over the rows, gradients of hidden states and head, and the teacher's k
most likely tokens with logarithms of probabilities and the tail's. Inputs are made by `made`, here and in DistillationTests.
The loss is (1 - weight) * CE + weight * T^2 * KL, of the k tokens and of all others as one class.
"""
import json
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
ROWS, HIDDEN, VOCABULARY = 7, 6, 50


def made(count, seed):
    """Numbers that every language makes the same of: integers over a power of two."""
    i = torch.arange(count, dtype=torch.int64)
    return ((i * 7919 + seed * 104729 + i * i % 977) % 2003 - 1001).double() / 512


def case(kind, temperature, weight, k):
    hidden = made(ROWS * HIDDEN, 1).reshape(ROWS, HIDDEN).requires_grad_()
    head = made(VOCABULARY * HIDDEN, 2).reshape(VOCABULARY, HIDDEN).requires_grad_()
    targets = [i * 11 % VOCABULARY if i != 3 else -1 for i in range(ROWS)]
    rows = [i for i in range(ROWS) if targets[i] >= 0]
    scale = 0.3
    teacher = (made(ROWS * HIDDEN, 3).reshape(ROWS, HIDDEN) @ made(VOCABULARY * HIDDEN, 4).reshape(VOCABULARY, HIDDEN).T)[rows]
    logits = (hidden @ head.T)[rows]
    cross = torch.nn.functional.cross_entropy(logits, torch.tensor([targets[i] for i in rows]), reduction="sum")

    def classes(logits, ids):
        logs = torch.log_softmax(logits / temperature, -1)
        top = logs.gather(1, ids)
        if k == VOCABULARY:
            return top
        rest = logs.masked_fill(torch.zeros_like(logs).scatter(1, ids, 1).bool(), -torch.inf).logsumexp(-1, keepdim=True)
        return torch.cat([top, rest], -1)

    ids = teacher.topk(k, -1).indices
    p, q = classes(teacher, ids), classes(logits, ids)
    divergence = (p.exp() * (p - q)).sum() if kind == "forward_kl" else (q.exp() * (q - p)).sum()
    divergence = divergence * temperature**2
    loss = scale * ((1 - weight) * cross + weight * divergence)
    loss.backward()
    numbers = lambda tensor: [float(f"{x:.9g}") for x in tensor.flatten().tolist()]
    return {
        "loss": kind, "temperature": temperature, "weight": weight, "k": k, "scale": scale, "targets": targets,
        "cross_entropy": scale * cross.item(), "divergence": scale * divergence.item(), "hidden": numbers(hidden.grad),
        "head": numbers(head.grad), "ids": ids.flatten().tolist(), "log_probabilities": numbers(p[:, :k]),
        "tails": numbers(p[:, k:]),
    }


if __name__ == "__main__":
    cases = [
        case(kind, temperature, weight, k)
        for kind in ("forward_kl", "reverse_kl")
        for temperature, weight, k in ((1.0, 1.0, 5), (2.0, 0.7, 5), (1.5, 0.4, 1), (1.0, 1.0, VOCABULARY))
    ]
    (HERE / "Fixtures" / "distillation.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
