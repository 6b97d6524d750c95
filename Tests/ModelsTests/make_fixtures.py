#!/usr/bin/env python3
"""Tiny random checkpoints with the logits that transformers computes from them.

usage: make_fixtures.py [--llama-cpp DIR] [NAME ...]

Fixtures/checkpoints/NAME/ holds
  config.json                 as a publisher would have written it (see fixture_cases.py)
  model.safetensors           or several files and model.safetensors.index.json
  expected.safetensors        12 tokens: `ids` int32 [12], `positions` int32 [12], `logits` F32 [12, vocabulary], and
                              `greedy` int32 [16]: the most likely continuation of `ids`
  expected-long.safetensors   300 tokens: `ids` int32 [300], `positions` int32 [8], `logits` F32 [8, vocabulary], and
                              `logits_float64`: the same computed in float64, then rounded to F32
  expected-one.safetensors    1 token (some cases)
Fixtures/gguf/NAME[-whole].gguf holds the same F32 weights as llama.cpp's converter writes them; the expectations are NAME's.
With a multi-token prediction layer, expected.safetensors also has `mtp_logits` F32 [11, vocabulary]: row i is computed from the
hidden state of position i after the final norm and from the embedding of ids[i + 1], and predicts the token at i + 2.
Fixtures/checkpoints.json says of each case what it covers and how much float32 rounding moves the logits.

The oracle runs in float32 with eager attention. Every case is run again in float64 to see the noise, with the other
generation's spelling of config.json to see that the two mean the same, and seeds are searched until no routing decision
and no greedy choice is a near tie, so that a faithful implementation cannot land on the other side.

GGUF needs a source tree of llama.cpp (--llama-cpp) for its conversion package.
"""
import argparse, contextlib, json, math, os, shutil, sys, tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.deepseek_v2 import modeling_deepseek_v2
from transformers.models.deepseek_v3 import modeling_deepseek_v3
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2

from fixture_cases import CASES

HERE = Path(__file__).resolve().parent
CHECKPOINTS = HERE / "Fixtures" / "checkpoints"
GGUF = HERE / "Fixtures" / "gguf"
LONG_POSITIONS = [0, 1, 63, 64, 127, 200, 298, 299]

# ------------------------------------------------------------------------------------------------------ oracle


def build(folder, mtp):
    """The model of a config.json; with `mtp`, the prediction layer is one more layer, which the model itself leaves out."""
    config = AutoConfig.from_pretrained(folder)
    config.num_hidden_layers += mtp
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    if "deepseek" in config.model_type:
        model.set_experts_implementation("eager")
    if mtp:
        config, block = model.config, model.model.layers[-1]
        config.num_hidden_layers -= 1
        norm = lambda: type(block.input_layernorm)(config.hidden_size, eps=config.rms_norm_eps)
        block.enorm, block.hnorm, block.shared_head = norm(), norm(), torch.nn.Module()
        block.shared_head.norm = norm()
        block.eh_proj = torch.nn.Linear(2 * config.hidden_size, config.hidden_size, bias=False)
    return model


@torch.no_grad()
def mtp_logits(model, ids):
    """Section 2.2 of the DeepSeek-V3 report, depth 1."""
    block, count = model.model.layers[-1], len(ids) - 1
    hidden = model.model(torch.tensor([ids]), use_cache=False).last_hidden_state[:, :-1]
    embedded = model.model.embed_tokens(torch.tensor([ids[1:]]))
    joined = block.eh_proj(torch.cat([block.enorm(embedded), block.hnorm(hidden)], dim=-1))
    mask = torch.full((1, 1, count, count), -math.inf).triu(1)
    output = block(joined, attention_mask=mask, position_embeddings=model.model.rotary_emb(joined, torch.arange(count)[None]))
    return model.lm_head(block.shared_head.norm(output))[0]


def load(folder, dtype=torch.float32):
    model, report = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True)
    extra = f"model.layers.{model.config.num_hidden_layers}."  # multi-token prediction
    strange = {k: v for k, v in report.items() if any(not str(key).startswith(extra) for key in v)}
    if strange:
        raise SystemExit(f"{folder}: {strange}")
    if hasattr(model, "set_experts_implementation") and "deepseek" in model.config.model_type:
        model.set_experts_implementation("eager")
    return model.eval()


@torch.no_grad()
def logits(model, ids):
    return model(torch.tensor([ids]), use_cache=False).logits[0]


class _Double:
    """`torch` with float64 wherever the modelling code asks for float32."""

    def __getattr__(self, name):
        return torch.float64 if name in ("float32", "float") else getattr(torch, name)


@contextlib.contextmanager
def double_precision():
    modules = [modeling_deepseek_v2, modeling_deepseek_v3, modeling_llama, modeling_qwen2, transformers.modeling_rope_utils]
    single = torch.Tensor.float
    for module in modules:
        module.torch = _Double()
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.Tensor.float = single
        for module in modules:
            module.torch = torch


@contextlib.contextmanager
def routing_margins(model):
    """Collects, for each router call, the least distance between what was chosen and what was not."""
    margins, hooks = [], []

    def gap(scores, k):
        if k >= scores.shape[-1]:
            return
        top = scores.sort(dim=-1, descending=True).values
        margins.append((top[..., k - 1] - top[..., k]).min().item())

    def watch(router, _, output):
        v3 = hasattr(router, "e_score_correction_bias")
        scores = output[0].sigmoid() + router.e_score_correction_bias if v3 else output[0].softmax(-1)
        if v3 or router.topk_method == "group_limited_greedy":
            grouped = scores.view(len(scores), router.num_group, -1)
            of_group = grouped.topk(2, dim=-1).values.sum(-1) if v3 else grouped.max(-1).values
            gap(of_group, router.topk_group)
            outside = torch.ones_like(of_group).scatter_(1, of_group.topk(router.topk_group).indices, 0).bool()
            scores = grouped.masked_fill(outside[..., None], -math.inf).flatten(1)
        gap(scores, router.top_k)

    for module in model.modules():
        if type(module).__name__.endswith("TopkRouter"):
            hooks.append(module.register_forward_hook(watch))
    yield margins
    for hook in hooks:
        hook.remove()


def greedy(model, ids, count=16):
    """The continuation, and the least lead that a chosen token had."""
    ids, lead = list(ids), math.inf
    for _ in range(count):
        top = logits(model, ids)[-1].topk(2)
        lead = min(lead, (top.values[0] - top.values[1]).item())
        ids.append(top.indices[0].item())
    return ids[-count:], lead


# ----------------------------------------------------------------------------------------------------- weights


def tokens(seed, vocabulary):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(vocabulary, (n,), generator=generator).tolist() for n in (12, 300)]


@torch.no_grad()
def fill(model, seed, dtype, routing_bias):
    """Weights large enough that every part moves the logits, rounded to `dtype`."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda tensor, mean, std: tensor.copy_(torch.randn(tensor.shape, generator=generator) * std + mean)
    for name, tensor in sorted([*model.named_parameters(), *model.named_buffers()]):
        if name.endswith("e_score_correction_bias"):
            draw(tensor, *routing_bias)
            continue
        if "norm" in name:
            draw(tensor, 1, 0.1)
        elif name.endswith("bias"):
            draw(tensor, 0, 0.05)
        elif "embed_tokens" in name:
            draw(tensor, 0, 0.4)
        elif name.endswith("mlp.gate.weight"):
            draw(tensor, 0, 0.3)
        elif tensor.dim() >= 2:
            draw(tensor, 0, 0.2)
        else:
            continue  # inverse frequencies
        tensor.copy_(tensor.to(dtype))


def save(model, folder, dtype, shards, mtp):
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch)  # splits the experts into one tensor each, as the published files have them
        tensors = load_file(Path(scratch) / "model.safetensors")
    if mtp:  # the published files repeat the embedding and the head
        layer = f"model.layers.{model.config.num_hidden_layers}."
        tensors[layer + "embed_tokens.weight"] = tensors["model.embed_tokens.weight"].clone()
        tensors[layer + "shared_head.head.weight"] = tensors["lm_head.weight"].clone()
    keep = "e_score_correction_bias"  # float32 in the published files, whatever the rest
    tensors = {k: (v if k.endswith(keep) else v.to(dtype)).contiguous() for k, v in tensors.items()}
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    names = sorted(tensors)
    files = [f"model-{i + 1:05}-of-{shards:05}.safetensors" for i in range(shards)]
    owner = {name: files[i * shards // len(names)] for i, name in enumerate(names)}
    for file in files:
        save_file({n: tensors[n] for n in names if owner[n] == file}, folder / file, metadata={"format": "pt"})
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": size}, "weight_map": owner}, indent=1) + "\n")


# ------------------------------------------------------------------------------------------------------- cases


def make(name, covers, config, dtype=torch.float32, shards=1, routing_bias=(-0.05, 0.1), one=False, mtp=False, **_):
    folder = CHECKPOINTS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    model = build(folder, mtp)
    base = 1000 * (1 + list(CASES).index(name))
    best = None
    for seed in range(base, base + 40):
        fill(model, seed, dtype, routing_bias)
        ids, long = tokens(seed, config["vocab_size"])
        with routing_margins(model) as margins:
            logits(model, long)
            if mtp:
                mtp_logits(model, ids)
        # One position of the 300 decides the margin; 1e-4 is some hundred times the float32 noise of a score.
        margin = min(margins, default=math.inf)
        continuation, lead = greedy(model, ids) if margin > 1e-4 or not best else ([], 0)
        quality = min(margin / 2e-4, lead / 0.05, 1)
        if best is None or quality > best[0]:
            best = quality, seed, continuation, margin, lead
        if quality == 1:
            break
    _, seed, continuation, margin, lead = best
    fill(model, seed, dtype, routing_bias)
    ids, long = tokens(seed, config["vocab_size"])
    save(model, folder, dtype, shards, mtp)
    reloaded = load(folder)
    short, far = logits(reloaded, ids), logits(reloaded, long)
    assert torch.equal(short, logits(model, ids)), f"{name}: reading back changed the weights"
    check_other_spelling(folder, reloaded, long)
    with double_precision():
        exact = load(folder, torch.float64)
        exact_short, exact_far = logits(exact, ids), logits(exact, long)
    noise = max((e - l).abs().max().item() for e, l in ((exact_short, short), (exact_far, far)))

    def write(file, ids, positions, values, **more):
        save_file({"ids": torch.tensor(ids, dtype=torch.int32), "positions": torch.tensor(positions, dtype=torch.int32),
                   "logits": values[positions].contiguous()} | more, folder / file)

    more = {"greedy": torch.tensor(continuation, dtype=torch.int32)} | ({"mtp_logits": mtp_logits(model, ids)} if mtp else {})
    write("expected.safetensors", ids, list(range(12)), short, **more)
    write("expected-long.safetensors", long, LONG_POSITIONS, far,
          logits_float64=exact_far[LONG_POSITIONS].float().contiguous())
    if one:
        write("expected-one.safetensors", ids[:1], [0], logits(reloaded, ids[:1]))
    facts = {"covers": covers, "seed": seed, "float32_noise": float(f"{noise:.2g}"),
             "logit_deviation": float(f"{far.std().item():.3g}"), "greedy_lead": float(f"{lead:.2g}")}
    if margin < math.inf:
        facts["routing_margin"] = float(f"{margin:.2g}")
    size = sum(f.stat().st_size for f in folder.iterdir()) // 1000
    print(f"{name}: {size} KB {json.dumps({k: v for k, v in facts.items() if k != 'covers'})}", flush=True)
    return facts


def check_other_spelling(folder, model, ids):
    """The same weights under config.json as transformers 5 rewrites it."""
    with tempfile.TemporaryDirectory() as scratch:
        for file in folder.glob("model*"):
            os.symlink(file, Path(scratch) / file.name)
        model.config.save_pretrained(scratch)
        assert torch.equal(logits(load(scratch), ids), logits(model, ids)), f"{folder}: the spellings differ"


# -------------------------------------------------------------------------------------------------------- GGUF


def byte_vocabulary():
    """Byte-level BPE: 256 bytes, 10 merges, 3 special tokens."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    spelled = bytes_to_unicode()
    pairs = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n"), ("o", "n"), ("r", "e"), ("Ġ", "a"), ("e", "r"), ("in", "g"),
             ("a", "t")]
    special = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"]
    tokens = special + [spelled[b] for b in range(256)] + ["".join(p) for p in pairs]
    return tokens, [3] * len(special) + [1] * (len(tokens) - len(special)), [" ".join(p) for p in pairs]


def convert(name, pre, whole, source):
    """Runs llama.cpp's converter for one case; `whole` writes kv_b as files from before the split have it."""
    sys.path.insert(0, str(source))
    import conversion
    from conversion.base import gguf
    folder = CHECKPOINTS / name
    architecture = json.loads((folder / "config.json").read_text())["architectures"][0]
    converter = conversion.get_model_class(architecture)

    class Twin(converter):
        model_arch = converter.model_arch

        def set_vocab(self):
            tokens, types, merges = byte_vocabulary()
            writer = self.gguf_writer
            writer.add_tokenizer_model("gpt2")
            writer.add_tokenizer_pre(pre)
            writer.add_token_list(tokens)
            writer.add_token_types(types)
            writer.add_token_merges(merges)
            writer.add_bos_token_id(0)
            writer.add_eos_token_id(1)
            writer.add_pad_token_id(2)
            writer.add_add_bos_token(True)
            if whole:  # heads as they are, not as one latent head
                c, arch = self.hparams, writer.arch
                data = writer.kv_data[0]
                data[f"{arch}.attention.head_count_kv"].value = c["num_attention_heads"]
                data[f"{arch}.attention.key_length"].value = c["qk_nope_head_dim"] + c["qk_rope_head_dim"]
                data[f"{arch}.attention.value_length"].value = c["v_head_dim"]
                del data[f"{arch}.attention.key_length_mla"], data[f"{arch}.attention.value_length_mla"]

        def modify_tensors(self, data_torch, name, bid):
            if whole and name.endswith("kv_b_proj.weight"):
                yield self.map_tensor_name(name), data_torch
            else:
                yield from super().modify_tensors(data_torch, name, bid)

    GGUF.mkdir(parents=True, exist_ok=True)
    path = GGUF / f"{name}{'-whole' if whole else ''}.gguf"
    path.unlink(missing_ok=True)
    Twin(folder, gguf.LlamaFileType.ALL_F32, path, eager=True, model_name=name).write()
    print(f"{path.name}: {path.stat().st_size // 1000} KB", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--llama-cpp", type=Path)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    report = HERE / "Fixtures" / "checkpoints.json"
    facts = json.loads(report.read_text()) if report.exists() else {}
    for name in arguments.names or CASES:
        covers, config, options = CASES[name]
        facts[name] = make(name, covers, config, **options)
        report.write_text(json.dumps({n: facts[n] for n in CASES if n in facts}, indent=1, ensure_ascii=False) + "\n")
        if "gguf" in options and arguments.llama_cpp:
            convert(name, options["gguf"], False, arguments.llama_cpp)
            if options.get("whole"):
                convert(name, options["gguf"], True, arguments.llama_cpp)


if __name__ == "__main__":
    main()
