"""Checks a trained model against transformers: the loss on the run's held-out sequences, from the exported folder and the packed tokens.

    swiftlet train Recipes/tiny.yaml
    python Tests/TrainingTests/compare_with_transformers.py runs/tiny

Prints transformers' loss (F32) beside the last held-out loss of log.jsonl, and fails where they are more than 1e-3 apart.
Needs torch and transformers. For recipes with text, without document_mask.
"""

import glob
import json
import struct
import sys

import numpy
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

run = sys.argv[1]
recipe = yaml.safe_load(open(f"{run}/recipe.yaml"))
length, count = recipe["sequence_length"], recipe["evaluation"]["sequences"]
model = AutoModelForCausalLM.from_pretrained(f"{run}/model", dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(f"{run}/model")
text = "The server keeps the model 模型"
assert tokenizer.decode(tokenizer.encode(text)) == text

# The layout is described in Sources/Training/Data/TokenShard.swift.
tokens = []
for path in sorted(glob.glob(f"{run}/data/held*.tokens")):
    content = open(path, "rb").read()
    width, (size, documents) = struct.unpack_from("<I", content, 12)[0], struct.unpack_from("<QQ", content, 32)
    tokens += numpy.frombuffer(content, {2: numpy.uint16, 4: numpy.uint32}[width], size, 72 + 8 * documents).tolist()
count = min(count, (len(tokens) - 1) // length)
inputs = torch.tensor(tokens[: count * length]).view(count, length)
targets = torch.tensor(tokens[1 : count * length + 1])
with torch.no_grad():
    logits = model(inputs).logits
loss = torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), targets).item()
logged = [line["held_out_loss"] for line in map(json.loads, open(f"{run}/log.jsonl")) if "held_out_loss" in line][-1]
print(f"transformers {loss:.6f}, log {logged:.6f}")
sys.exit(abs(loss - logged) > 1e-3)
