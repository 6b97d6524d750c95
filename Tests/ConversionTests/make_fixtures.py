"""Makes Fixtures/: what llama.cpp's convert_hf_to_gguf.py writes for the tiny checkpoints of ModelsTests with a small tokenizer, and
which types llama-quantize gives the tensors of models of real shapes.

    python make_fixtures.py --llama-cpp DIR [--llama-quantize FILE]

DIR is llama.cpp's source. converted.json has, for each checkpoint, all metadata with their types and each tensor's name, type, shape
(slowest first) and CRC-32. tokenizers/ has the tokenizer.json files that were put beside the checkpoints. quantized.json has the types
of llama-quantize's plan (--dry-run), for shapes in files that hold no data.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
FIXTURES = HERE / "Fixtures"
CHECKPOINTS = HERE.parent / "ModelsTests" / "Fixtures" / "checkpoints"
VOCABULARIES = HERE.parent / "TokenizationTests" / "Fixtures"

# The pre-tokenizer of each architecture, as the fixtures of TokenizationTests have it.
PRE = {"llama": "llama-bpe", "qwen2": "qwen2", "deepseek_v2": "deepseek-llm", "deepseek_v3": "deepseek-v3"}
MERGES = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n"), ("o", "n"), ("r", "e"), ("Ġ", "a"), ("e", "r"), ("in", "g"), ("a", "t")]
SPECIAL = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"]
QWEN = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}{% endfor %}"


def tokenizer(pre):
    """76 tokens: letters and digits in the byte alphabet, ten merges, three special tokens and one that is not special."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    special = QWEN if pre == "qwen2" else SPECIAL
    tokens = special + ["Ġ"] + list(letters)[:61] + ["".join(p) for p in MERGES] + ["<think>"]
    original = json.loads((VOCABULARIES / f"{pre}.tokenizer.json").read_text())

    def added(token, special):
        return {"id": tokens.index(token), "content": token, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": special}

    processor = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    if pre == "llama-bpe":
        bos, a, b = {"id": SPECIAL[0], "type_id": 0}, {"id": "A", "type_id": 0}, {"id": "B", "type_id": 1}
        processor = {"type": "TemplateProcessing", "single": [{"SpecialToken": bos}, {"Sequence": a}],
                     "pair": [{"SpecialToken": bos}, {"Sequence": a}, {"SpecialToken": bos | {"type_id": 1}}, {"Sequence": b}],
                     "special_tokens": {SPECIAL[0]: {"id": SPECIAL[0], "ids": [0], "tokens": [SPECIAL[0]]}}}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [added(t, True) for t in special] + [added("<think>", False)],
        "normalizer": original["normalizer"], "pre_tokenizer": original["pre_tokenizer"], "post_processor": processor,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "ignore_merges": original["model"].get("ignore_merges", False),
                  "vocab": {t: i for i, t in enumerate(tokens)}, "merges": [list(p) for p in MERGES]}}


def settings(pre):
    if pre == "qwen2":
        return {"tokenizer_class": "Qwen2Tokenizer", "bos_token": None, "eos_token": QWEN[2], "pad_token": QWEN[0],
                "add_bos_token": False, "model_max_length": 512, "chat_template": TEMPLATE}
    return {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": SPECIAL[0],
            "eos_token": {"__type": "AddedToken", "content": SPECIAL[1], "lstrip": False, "normalized": False, "rstrip": False, "single_word": False},
            "pad_token": SPECIAL[2], "add_bos_token": True, "model_max_length": 512, "chat_template": TEMPLATE}


GENERATION = {"do_sample": True, "temperature": 0.6, "top_p": 0.95, "eos_token_id": 1}


def describe(path, gguf):
    reader = gguf.GGUFReader(path)
    metadata = {}
    for key, field in reader.fields.items():
        if key.startswith("GGUF."):
            continue
        kind = field.types[0].name if len(field.types) == 1 else f"{field.types[0].name} {field.types[-1].name}"
        value = field.contents()
        metadata[key] = [kind, value]
    tensors = [[t.name, t.tensor_type.name, [int(n) for n in reversed(t.shape)], zlib.crc32(np.ascontiguousarray(t.data).tobytes())]
               for t in reader.tensors]
    return {"metadata": metadata, "tensors": tensors}


def converted(source):
    sys.path.insert(0, str(source))
    import conversion
    from conversion.base import gguf
    result = {}
    for name in sorted(p.name for p in CHECKPOINTS.iterdir()):
        config = json.loads((CHECKPOINTS / name / "config.json").read_text())
        pre = PRE[config["model_type"]]
        converter = conversion.get_model_class(config["architectures"][0])

        class Twin(converter):
            model_arch = converter.model_arch

            def __init__(self, *arguments, **options):
                super().__init__(*arguments, **options)
                # As the class of the same architecture does whose layers of this kind are converted (GLM 4.7 Lite).
                self.further = config.get("num_nextn_predict_layers", 0)
                if self.further:
                    self.skip_mtp = False
                    self.block_count = self.hparams["num_hidden_layers"] + self.further
                    self.tensor_map = gguf.get_tensor_name_map(self.model_arch, self.block_count)

            def set_gguf_parameters(self):
                super().set_gguf_parameters()
                if self.further:
                    self.gguf_writer.add_nextn_predict_layers(self.further)

            # There is no such vocabulary here, and the package that would look for it need not be.
            def _set_vocab_sentencepiece(self, add_to_gguf=True):
                raise FileNotFoundError

            # The converter knows vocabularies by a hash that a small one cannot have.
            def get_vocab_base_pre(self, tokenizer):
                return pre

        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / name
            folder.mkdir()
            for file in (CHECKPOINTS / name).iterdir():
                if not file.name.startswith("expected"):
                    shutil.copy(file, folder)
            (folder / "tokenizer.json").write_text(json.dumps(tokenizer(pre)))
            (folder / "tokenizer_config.json").write_text(json.dumps(settings(pre)))
            (folder / "generation_config.json").write_text(json.dumps(GENERATION))
            result[name] = {}
            for kind in ["F32", "BF16"] if config.get("torch_dtype") != "float16" else ["F32", "F16"]:
                path = Path(scratch) / f"{kind}.gguf"
                file_type = gguf.LlamaFileType.ALL_F32 if kind == "F32" else gguf.LlamaFileType[f"MOSTLY_{kind}"]
                Twin(folder, file_type, path, eager=True).write()
                result[name][kind] = describe(path, gguf)
        print(name, flush=True)
    for name, kinds in result.items():
        first, *others = kinds
        for other in others:  # what is the same need not be said twice
            whole = kinds[other]["metadata"]
            kinds[other]["metadata"] = {k: v for k, v in whole.items() if v != kinds[first]["metadata"].get(k)}
    (FIXTURES / "tokenizers").mkdir(parents=True, exist_ok=True)
    for pre in PRE.values():
        (FIXTURES / "tokenizers" / f"{pre}.json").write_text(json.dumps(tokenizer(pre), ensure_ascii=False) + "\n")
        (FIXTURES / "tokenizers" / f"{pre}-config.json").write_text(json.dumps(settings(pre), ensure_ascii=False) + "\n")
    (FIXTURES / "tokenizers" / "generation_config.json").write_text(json.dumps(GENERATION) + "\n")
    lines = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in result.items()]
    (FIXTURES / "converted.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


# name: architecture, and metadata that a plan depends on
SHAPES = {
    "smollm2-135m": ("llama", dict(layers=30, hidden=576, inner=1536, heads=9, kv=3, vocabulary=49152, tied=True)),
    "llama-8b": ("llama", dict(layers=32, hidden=4096, inner=14336, heads=32, kv=8, vocabulary=128256)),
    "llama-70b": ("llama", dict(layers=80, hidden=8192, inner=28672, heads=64, kv=8, vocabulary=128256)),
    "qwen2-1.5b": ("qwen2", dict(layers=28, hidden=1536, inner=8960, heads=12, kv=2, vocabulary=151936)),
    "deepseek-v2-lite": ("deepseek2", dict(layers=27, hidden=2048, inner=10944, heads=16, vocabulary=102400, experts=64, used=6,
                                           shared=2, expert=1408, dense=1, q=None, group=1, scoring=1)),
    "deepseek-v3": ("deepseek2", dict(layers=61, hidden=7168, inner=18432, heads=128, vocabulary=129280, experts=256, used=8, shared=1,
                                      expert=2048, dense=3, q=1536, group=8, scoring=2)),
    "eight-experts": ("deepseek2", dict(layers=9, hidden=512, inner=1024, heads=4, vocabulary=1024, experts=8, used=2, shared=1,
                                        expert=256, dense=1, q=96, group=1, scoring=2)),
}


def hollow(path, architecture, s, gguf):
    """A GGUF file of the shapes, in F16, whose data are a hole."""
    writer = gguf.GGUFWriter(None, architecture)
    writer.add_block_count(s["layers"])
    writer.add_context_length(4096)
    writer.add_embedding_length(s["hidden"])
    writer.add_feed_forward_length(s["inner"])
    writer.add_head_count(s["heads"])
    writer.add_head_count_kv(s.get("kv", 1))
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(s["vocabulary"])
    writer.add_file_type(1)
    hidden, tensors = s["hidden"], []

    def add(name, *shape):
        tensors.append((name, shape))

    add("token_embd.weight", s["vocabulary"], hidden)
    add("output_norm.weight", hidden)
    if not s.get("tied"):
        add("output.weight", s["vocabulary"], hidden)
    if architecture == "deepseek2":
        writer.add_expert_count(s["experts"])
        writer.add_expert_used_count(s["used"])
        writer.add_expert_shared_count(s["shared"])
        writer.add_expert_feed_forward_length(s["expert"])
        writer.add_expert_group_count(s["group"])
        writer.add_expert_group_used_count(max(1, s["group"] // 2))
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType(s["scoring"]))
        writer.add_leading_dense_block_count(s["dense"])
        writer.add_kv_lora_rank(512)
        if s["q"]:
            writer.add_q_lora_rank(s["q"])
        writer.add_key_length(576)
        writer.add_value_length(512)
        writer.add_key_length_mla(192)
        writer.add_value_length_mla(128)
        writer.add_rope_dimension_count(64)
    for layer in range(s["layers"]):
        def block(name, *shape):
            add(f"blk.{layer}.{name}.weight", *shape)
        block("attn_norm", hidden)
        block("ffn_norm", hidden)
        if architecture == "deepseek2":
            if s["q"]:
                block("attn_q_a", s["q"], hidden)
                block("attn_q_a_norm", s["q"])
                block("attn_q_b", s["heads"] * 192, s["q"])
            else:
                block("attn_q", s["heads"] * 192, hidden)
            block("attn_kv_a_mqa", 576, hidden)
            block("attn_kv_a_norm", 512)
            block("attn_k_b", s["heads"], 512, 128)
            block("attn_v_b", s["heads"], 128, 512)
            block("attn_output", hidden, s["heads"] * 128)
            if layer >= s["dense"]:
                block("ffn_gate_inp", s["experts"], hidden)
                block("ffn_gate_exps", s["experts"], s["expert"], hidden)
                block("ffn_up_exps", s["experts"], s["expert"], hidden)
                block("ffn_down_exps", s["experts"], hidden, s["expert"])
                block("ffn_gate_shexp", s["shared"] * s["expert"], hidden)
                block("ffn_up_shexp", s["shared"] * s["expert"], hidden)
                block("ffn_down_shexp", hidden, s["shared"] * s["expert"])
                continue
        else:
            size = hidden // s["heads"]
            block("attn_q", s["heads"] * size, hidden)
            block("attn_k", s["kv"] * size, hidden)
            block("attn_v", s["kv"] * size, hidden)
            block("attn_output", hidden, s["heads"] * size)
        block("ffn_gate", s["inner"], hidden)
        block("ffn_up", s["inner"], hidden)
        block("ffn_down", hidden, s["inner"])
    size = 0
    for name, shape in tensors:
        kind = np.float32 if len(shape) == 1 else np.float16
        count = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        writer.add_tensor_info(name, shape, np.dtype(kind), count)
        size += (count + 31) // 32 * 32
    writer.open_output_file(path)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    os.truncate(path, (os.path.getsize(path) + 31) // 32 * 32 + size)
    return tensors


def quantized(source, program):
    sys.path.insert(0, str(source / "gguf-py"))
    import gguf
    result = {}
    for name, (architecture, shapes) in SHAPES.items():
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "hollow.gguf"
            tensors = hollow(path, architecture, shapes, gguf)
            result[name] = {"architecture": architecture, "layers": shapes["layers"], "heads": shapes["heads"],
                            "kv": shapes.get("kv", shapes["heads"]), "experts": shapes.get("experts", 0),
                            "tensors": [[n, list(s)] for n, s in tensors], "types": {}}
            for kind in ["Q8_0", "Q4_0", "Q4_K_M"]:
                output = subprocess.run([program, "--dry-run", path, Path(scratch) / "out.gguf", kind], capture_output=True, text=True)
                text = output.stdout + output.stderr
                types = {}
                for match in re.finditer(r"\]\s+(\S+)\s+-\s+\[[\d, ]+\], type =\s+(\w+), size = [^\n]*?(?:-> [^\n]*?\((\w+)\))?\n", text):
                    types[match[1]] = (match[3] or match[2]).upper()
                assert len(types) == len(tensors), f"{name} {kind}: {len(types)} of {len(tensors)}: {text[-3000:]}"
                result[name]["types"][kind] = [types[n] for n, _ in tensors]
        print(name, flush=True)
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in result.items()]
    (FIXTURES / "quantized.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--llama-quantize", type=Path)
    arguments = parser.parse_args()
    FIXTURES.mkdir(exist_ok=True)
    converted(arguments.llama_cpp)
    if arguments.llama_quantize:
        quantized(arguments.llama_cpp, arguments.llama_quantize)


if __name__ == "__main__":
    main()
