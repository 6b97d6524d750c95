"""Checks a run of adapters (LoRA) on chats against peft: its loss on the run's held-out chats, from the adapter's folder and the packed tokens.

    swiftlet train Recipes/sections-lora.yaml
    swiftlet convert smollm2 --to safetensors --type f32 --output smollm2
    python3 Tests/TrainingTests/compare_with_peft.py runs/sections-lora smollm2 [MERGED]

Prints peft's loss (F32) beside the last held-out loss of log.jsonl, fails where they are more than 1e-2 apart (products of the run are BF16),
and compares the logits of MERGED, what 'swiftlet merge --type f32' wrote, with peft's merge_and_unload.
"""

import glob
import json
import struct
import sys

import numpy
import torch
import yaml
from peft import PeftModel
from transformers import AutoModelForCausalLM

run, base = sys.argv[1:3]
recipe = yaml.safe_load(open(f"{run}/recipe.yaml"))
length, count = recipe["sequence_length"], recipe["evaluation"]["sequences"]
load = lambda path: AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
model = PeftModel.from_pretrained(load(base), f"{run}/adapter").eval()

# The layout is described in Sources/Training/Data/TokenShard.swift.
documents = []
for path in sorted(glob.glob(f"{run}/data/held*.tokens")):
    content = open(path, "rb").read()
    width, (size, number) = struct.unpack_from("<I", content, 12)[0], struct.unpack_from("<QQ", content, 32)
    ends = numpy.frombuffer(content, numpy.uint64, number, 72).astype(int)
    tokens = numpy.frombuffer(content, {2: numpy.uint16, 4: numpy.uint32}[width], size, 72 + 8 * number).astype(int)
    bits = numpy.frombuffer(content, numpy.uint8, (size + 7) // 8, 72 + 8 * number + width * size)
    marks = numpy.unpackbits(bits, bitorder="little")[:size].astype(bool)
    documents += [(tokens[a:b], marks[a:b]) for a, b in zip([0, *ends[:-1]], ends)]

# Whole documents into sequences, in order, as long as they fit; of the sequences some, spread over all, as the run's.
sequences, room = [], 0
for document in documents:
    if len(document[0]) > room:
        sequences.append([])
        room = length
    room -= len(document[0])
    sequences[-1].append(document)
count = min(count, len(sequences))
used = [document for index in range(count) for document in sequences[index * len(sequences) // count]]
total, targets = 0.0, 0
with torch.no_grad():
    for tokens, marks in used:
        logits = model(torch.tensor(tokens)[None]).logits[0]
        wanted = torch.tensor(numpy.where(marks, tokens, -100)[1:])
        total += torch.nn.functional.cross_entropy(logits[:-1], wanted, reduction="sum").item()
        targets += int(marks[1:].sum())
loss = total / targets
logged = [line["held_out_loss"] for line in map(json.loads, open(f"{run}/log.jsonl")) if line.get("held_out_loss")][-1]
print(f"peft {loss:.6f}, log {logged:.6f} ({len(used)} chats, {targets} targets)")
failed = abs(loss - logged) > 1e-2
if len(sys.argv) > 3:
    ids = torch.tensor(documents[0][0])[None]
    with torch.no_grad():
        difference = (load(sys.argv[3])(ids).logits - model.merge_and_unload()(ids).logits).abs().max().item()
    print(f"merged logits differ by at most {difference:.2e}")
    failed |= difference > 1e-2
sys.exit(failed)
