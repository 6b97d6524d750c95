"""Measures what guessing the next tokens gains: `swiftlet bench --draft`, which generates with and without guesses by turns.

    python3 Benchmarks/drafts.py lookup MODEL TEXT... [--swiftlet .build/release/swiftlet]
    python3 Benchmarks/drafts.py mtp [--type q8_0]

`lookup` continues each text, greedily: give texts whose continuation repeats them, and others. `mtp` measures a checkpoint of
DeepSeek-V3's architecture (8 layers of 32 experts, about 0.5 B parameters) whose prediction layer is right by construction: every
pass yields two tokens, so the gain is the most that this layer can bring at this shape. Its weights cost what others cost,
but attention and feed-forward end in zeros, embeddings are one-hot and the head is a permutation. No real model of this kind
is small enough to be measured here. `mtp` needs numpy and safetensors.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

TOKENIZERS = Path(__file__).resolve().parent.parent / "Tests" / "ConversionTests" / "Fixtures" / "tokenizers"
HIDDEN = VOCABULARY = 1024
LAYERS, HEADS, PLAIN, ROTARY, VALUE, RANK, EXPERTS, EXPERT_SIZE, DENSE = 8, 8, 64, 32, 64, 256, 32, 512, 2048
CONFIGURATION = {
    "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "vocab_size": VOCABULARY, "hidden_size": HIDDEN,
    "intermediate_size": DENSE, "moe_intermediate_size": EXPERT_SIZE, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS, "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0, "kv_lora_rank": RANK, "q_lora_rank": None, "qk_nope_head_dim": PLAIN, "qk_rope_head_dim": ROTARY,
    "v_head_dim": VALUE, "first_k_dense_replace": 1, "n_routed_experts": EXPERTS, "num_experts_per_tok": 4, "n_shared_experts": 1,
    "n_group": 4, "topk_group": 2, "topk_method": "noaux_tc", "scoring_func": "sigmoid", "norm_topk_prob": True,
    "routed_scaling_factor": 2.5, "num_nextn_predict_layers": 1, "tie_word_embeddings": False, "torch_dtype": "float16",
    "bos_token_id": 0, "eos_token_id": 1,
}


def synthetic(folder):
    import numpy
    from safetensors.numpy import save_file

    random = numpy.random.default_rng(1)
    draw = lambda *shape: (random.standard_normal(shape) * 0.05).astype(numpy.float16)
    zeros = lambda *shape: numpy.zeros(shape, numpy.float16)
    ones = lambda count: numpy.ones(count, numpy.float16)
    identity = numpy.eye(HIDDEN, dtype=numpy.float16)
    tensors = {
        "model.embed_tokens.weight": identity, "model.norm.weight": ones(HIDDEN),
        # Row (5 t + 11) mod 1024 answers to token t.
        "lm_head.weight": identity[:, ((numpy.arange(HIDDEN) - 11) * pow(5, -1, HIDDEN)) % HIDDEN].T.copy(),
    }
    for layer in range(LAYERS + 1):
        name = f"model.layers.{layer}."
        tensors |= {
            name + "input_layernorm.weight": ones(HIDDEN), name + "post_attention_layernorm.weight": ones(HIDDEN),
            name + "self_attn.q_proj.weight": draw(HEADS * (PLAIN + ROTARY), HIDDEN),
            name + "self_attn.kv_a_proj_with_mqa.weight": draw(RANK + ROTARY, HIDDEN),
            name + "self_attn.kv_a_layernorm.weight": ones(RANK),
            name + "self_attn.kv_b_proj.weight": draw(HEADS * (PLAIN + VALUE), RANK),
            name + "self_attn.o_proj.weight": zeros(HIDDEN, HEADS * VALUE),
        }
        if layer == 0:
            sizes = {"mlp.": DENSE}
        else:
            tensors[name + "mlp.gate.weight"] = draw(EXPERTS, HIDDEN)
            tensors[name + "mlp.gate.e_score_correction_bias"] = numpy.zeros(EXPERTS, numpy.float32)
            sizes = {f"mlp.experts.{expert}.": EXPERT_SIZE for expert in range(EXPERTS)} | {"mlp.shared_experts.": EXPERT_SIZE}
        for part, size in sizes.items():
            tensors |= {
                name + part + "gate_proj.weight": draw(size, HIDDEN), name + part + "up_proj.weight": draw(size, HIDDEN),
                name + part + "down_proj.weight": zeros(HIDDEN, size)}
    name = f"model.layers.{LAYERS}."
    tensors |= {
        name + "eh_proj.weight": numpy.concatenate([identity, zeros(HIDDEN, HIDDEN)], axis=1),
        name + "enorm.weight": ones(HIDDEN), name + "hnorm.weight": ones(HIDDEN), name + "shared_head.norm.weight": ones(HIDDEN)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIGURATION, indent=1))
    # A GGUF file carries a tokenizer; any will do.
    shutil.copy(TOKENIZERS / "deepseek-v3.json", folder / "tokenizer.json")
    shutil.copy(TOKENIZERS / "deepseek-v3-config.json", folder / "tokenizer_config.json")


def measure(arguments, model, title, *options):
    command = [arguments.swiftlet, "bench", str(model), "--prompt", str(arguments.prompt), "--generate", str(arguments.generate)]
    command += ["--threads", str(arguments.threads), "--repetitions", str(arguments.rounds), "--json", *options]
    draft = json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)["draft"]
    print(f"{title}: {draft['plain_decode_tokens_per_second']:.1f} tokens/s without, {draft['decode_tokens_per_second']:.1f} with, "
          f"ratio {draft['gain']:.2f}; {draft['accepted']} of {draft['proposed']} guesses right, "
          f"{draft['tokens_per_pass']:.2f} tokens a pass", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["lookup", "mtp"])
    parser.add_argument("model", nargs="?")
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--swiftlet", default=".build/release/swiftlet")
    parser.add_argument("--type", default="q8_0")
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--generate", type=int, default=96)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.kind == "lookup":
        for text in arguments.texts:
            measure(arguments, arguments.model, Path(text).name, "--draft", "lookup", "--text", text)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        synthetic(folder)
        measure(arguments, folder, "F16", "--draft", "mtp")
        converted = Path(scratch) / "model.gguf"
        subprocess.run(
            [arguments.swiftlet, "convert", str(folder), "--to", "gguf", "--type", arguments.type, "--output", str(converted)],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        measure(arguments, converted, arguments.type, "--draft", "mtp")


if __name__ == "__main__":
    main()
