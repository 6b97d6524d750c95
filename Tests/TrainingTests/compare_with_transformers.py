"""Checks trained models against transformers, and against llama.cpp where that is there.

    swiftlet train Recipes/tiny.yaml
    python3 Tests/TrainingTests/compare_with_transformers.py runs/tiny
    python3 Tests/TrainingTests/compare_with_transformers.py --architectures [--llama PATH/llama-perplexity]

Of a run's folder: transformers' loss (F32) on the run's held-out sequences beside the last one of log.jsonl, at most 1e-3 apart (for recipes
with text, without document_mask); and the exported model's logits, `swiftlet logits` beside transformers, at most 2e-3 apart.
With --architectures it trains a small model of each first (V3 with a prediction layer, V3 with YaRN as a second stage, V2, Llama, Qwen2), for
twenty steps, in a folder that goes.
llama.cpp: the GGUF file of `swiftlet convert` (F32) has the same perplexity in llama-perplexity as in `swiftlet perplexity`, at most 0.5 % apart.
Needs torch, transformers, safetensors and PyYAML.
"""

import argparse
import glob
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

import numpy
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LOSS, LOGITS, PERPLEXITY = 1e-3, 2e-3, 5e-3

LATENT = {
    "kv_lora_rank": 32, "qk_nope_head_dim": 24, "qk_rope_head_dim": 8, "v_head_dim": 24, "moe_intermediate_size": 96,
    "n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 1, "first_k_dense_replace": 1, "routed_scaling_factor": 1.0,
}
SHAPE = {
    "hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 384,
    "max_position_embeddings": 256, "rope_theta": 10000.0, "initializer_range": 0.02, "rms_norm_eps": 1e-6,
}
ARCHITECTURES = {
    "deepseek_v3": SHAPE | LATENT | {
        "q_lora_rank": 48, "n_group": 2, "topk_group": 1, "norm_topk_prob": True, "num_nextn_predict_layers": 1},
    "deepseek_v2": SHAPE | LATENT | {
        "q_lora_rank": None, "topk_method": "greedy", "norm_topk_prob": False, "aux_loss_alpha": 0.0, "n_group": 1, "topk_group": 1},
    "llama": SHAPE | {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "qwen2": SHAPE | {"num_key_value_heads": 2},
}
YARN = {"type": "yarn", "factor": 4, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0}


def train(swiftlet, folder, name, model, length=128):
    """A run of twenty steps."""
    text = {"text": [f"{ROOT}/docs/*.md", f"{ROOT}/*.md"], "passage": 4096, "held_out": 0.1}
    recipe = {
        "data": text, "model": model, "optimizer": {"learning_rate": 3e-3, "warm_up": 5},
        "sequence_length": length, "batch": 1024 // length, "steps": 20, "precision": "float32", "cost": {"peak_flops": 1e11},
        "evaluation": {"interval": 20, "sequences": 8}, "folder": f"{folder}/{name}"}
    if "config" in model:
        recipe["tokenizer"] = {"size": 1024}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    subprocess.run([swiftlet, "train", path], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / name


def held_out(run):
    """The tokens of the held-out documents; Sources/Training/Data/TokenShard.swift describes the layout."""
    tokens = []
    for path in sorted(glob.glob(f"{run}/data/held*.tokens")):
        content = open(path, "rb").read()
        width, (size, documents) = struct.unpack_from("<I", content, 12)[0], struct.unpack_from("<QQ", content, 32)
        kind = {2: numpy.uint16, 4: numpy.uint32}[width]
        tokens += numpy.frombuffer(content, kind, size, 72 + 8 * documents).tolist()
    return tokens


def compare(run, swiftlet, llama, text):
    recipe = yaml.safe_load(open(f"{run}/recipe.yaml"))
    length, count = recipe["sequence_length"], recipe["evaluation"]["sequences"]
    model = AutoModelForCausalLM.from_pretrained(f"{run}/model", dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(f"{run}/model")
    sentence = "The server keeps the model 模型"
    assert tokenizer.decode(tokenizer.encode(sentence)) == sentence
    tokens, failed = held_out(run), False
    total = (len(tokens) - 1) // length
    count = min(count, total)
    # Spread over all sequences that are held out, as the run's.
    starts = [index * total // count * length for index in range(count)]
    targets = torch.tensor([tokens[start + 1 : start + length + 1] for start in starts]).view(-1)
    with torch.no_grad():
        logits = model(torch.tensor([tokens[start : start + length] for start in starts])).logits
    loss = torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), targets).item()
    logged = [line["held_out_loss"] for line in map(json.loads, open(f"{run}/log.jsonl")) if "held_out_loss" in line][-1]
    print(f"{run}: loss of transformers {loss:.6f}, of the log {logged:.6f}")
    failed |= abs(loss - logged) > LOSS
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/logits.safetensors"
        ids = ",".join(map(str, tokens[:length]))
        subprocess.run([swiftlet, "logits", f"{run}/model", "--ids", ids, "--output", output], check=True, stdout=subprocess.DEVNULL)
        difference = (load_file(output)["logits"] - logits[0]).abs().max().item()
        print(f"{run}: logits {difference:.2e} apart, of up to {logits[0].abs().max().item():.1f}")
        failed |= not difference <= LOGITS
        if llama:
            failed |= compare_with_llama(run, swiftlet, llama, text, length, f"{folder}/model.gguf")
    return failed


def compare_with_llama(run, swiftlet, llama, text, length, file):
    subprocess.run([swiftlet, "convert", f"{run}/model", "--to", "gguf", "--type", "f32", "--output", file], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ours = json.loads(subprocess.run(
        [swiftlet, "perplexity", file, text, "--context", str(length), "--json"], check=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout)["perplexity"]
    theirs = subprocess.run([llama, "-m", file, "-f", text, "-c", str(length), "-b", str(length), "-t", "2"], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    found = re.search(r"Final estimate: PPL = ([0-9.]+)", theirs.stdout)
    if not found:
        print(f"{run}: llama-perplexity cannot read the file: {theirs.stdout.strip()[-300:]}")
        return True
    print(f"{run}: perplexity {ours:.4f}, of llama.cpp {found.group(1)}")
    return abs(float(found.group(1)) / ours - 1) > PERPLEXITY


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN")
    parser.add_argument("--architectures", action="store_true")
    parser.add_argument("--swiftlet", default=str(ROOT / ".build" / "release" / "swiftlet"))
    parser.add_argument("--llama", default=os.path.expanduser("~/.cache/swiftlet-peers/llama/bin/llama-perplexity"))
    arguments = parser.parse_args()
    llama = arguments.llama if os.path.exists(arguments.llama) else None
    if not llama:
        print(f"llama.cpp is left out: there is no {arguments.llama}")
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = folder / "text"
        text.write_text((ROOT / "docs" / "architecture.md").read_text())
        runs = list(arguments.runs)
        if arguments.architectures:
            for kind, config in ARCHITECTURES.items():
                runs.append(train(arguments.swiftlet, folder, kind, {"config": {"model_type": kind} | config}))
            runs.append(train(arguments.swiftlet, folder, "deepseek_v3-yarn", {"from": f"{folder}/deepseek_v3/model", "rope_scaling": YARN}, 512))
        for run in runs:
            failed |= compare(run, arguments.swiftlet, llama, text)
    sys.exit(failed)


if __name__ == "__main__":
    main()
