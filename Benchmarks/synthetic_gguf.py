"""Writes GGUF files of real shapes with random weights: as fast, and as large, as the real models, which need a download.

    python3 Benchmarks/synthetic_gguf.py qwen Q4_0 qwen-q4_0.gguf
    python3 Benchmarks/synthetic_gguf.py v2lite Q4_0 v2lite-q4_0.gguf

`qwen` is DeepSeek-R1-Distill-Qwen-1.5B, `v2lite` is DeepSeek-V2-Lite with split key and value matrices. Types are Q4_0, Q8_0 and
Q4_K_M, mixed about as llama-quantize mixes them. Blocks are random bytes with scales that give the weights a deviation of 0.02
around zero, so that experts are chosen about evenly. The tokenizer is a dummy of the right size. Needs `gguf` and `numpy`.
"""

import argparse

import gguf
import numpy as np

TYPES = gguf.GGMLQuantizationType
DEVIATION = 0.02


def half(values):
    """Numbers as the bytes of F16."""
    return np.asarray(values, np.float16).reshape(-1, 1).view(np.uint8)


def random_blocks(random, kind, count):
    """`count` blocks as bytes `[count, bytes of a block]`."""
    _, size = gguf.GGML_QUANT_SIZES[kind]
    if kind == TYPES.BF16:
        bits = (random.standard_normal(count, np.float32) * DEVIATION).view(np.uint32) >> 16
        return bits.astype(np.uint16).view(np.uint8).reshape(count, size)
    blocks = np.frombuffer(random.bytes(count * size), np.uint8).reshape(count, size).copy()
    # The integers of these types have a mean of -0.5; scales of either sign make up for it.
    sign = 1 - 2 * random.integers(0, 2, count)
    if kind == TYPES.Q4_0:
        blocks[:, 0:2] = half(sign * DEVIATION / 4.61)
    elif kind == TYPES.Q5_0:
        blocks[:, 0:2] = half(sign * DEVIATION / 9.23)
    elif kind == TYPES.Q8_0:
        blocks[:, 0:2] = half(sign * DEVIATION / 73.9)
    elif kind == TYPES.Q4_K:
        scale = DEVIATION / (4.61 * 32)
        blocks[:, 0:2], blocks[:, 2:4] = half(scale), half(7.5 * scale)
        # All eight scales and minima are 32.
        blocks[:, 4:12], blocks[:, 12:16] = 160, 0
    elif kind == TYPES.Q6_K:
        blocks[:, 192:208], blocks[:, 208:210] = 8, half(sign * DEVIATION / (18.47 * 8))
    return blocks


class Model:
    """Collects tensors first, since their headers come before their bytes."""

    def __init__(self, path, architecture, quantization, layers):
        self.writer = gguf.GGUFWriter(path, architecture)
        self.quantization, self.layers, self.tensors = quantization, layers, []
        self.random = np.random.Generator(np.random.SFC64(1))
        self.writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{quantization}"])
        self.writer.add_block_count(layers)

    def weight(self, name, *shape):
        self.tensors.append((name + ".weight", shape, self.type(name, shape[-1])))

    def floats(self, name, *shape, value=1.0):
        self.tensors.append((name, shape, value))

    def type(self, name, columns):
        if "attn_k_b" in name or "attn_v_b" in name:
            # llama.cpp (0c1e570) aborts when these land in its AMX buffer: types that it does not put there.
            return TYPES.BF16 if self.quantization == "Q8_0" else TYPES.Q5_0
        if self.quantization == "Q8_0":
            return TYPES.Q8_0
        if name == "output":
            return TYPES.Q6_K
        if self.quantization == "Q4_0":
            return TYPES.Q4_0
        more = ("attn_v" in name or "ffn_down" in name) and self.has_more_bits(int(name.split(".")[1]))
        if columns % 256:
            return TYPES.Q8_0 if more else TYPES.Q5_0
        return TYPES.Q6_K if more else TYPES.Q4_K

    def has_more_bits(self, layer):
        """The first and last eighth of the layers, and every third between."""
        eighth = self.layers // 8
        return layer < eighth or layer >= 7 * self.layers // 8 or (layer - eighth) % 3 == 2

    def vocabulary(self, size, pre_tokenizer):
        """The bytes, pairs of letters, dummies, and two control tokens."""
        printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
        others = iter(range(256, 512))
        tokens = [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]
        letters = "abcdefghijklmnopqrstuvwxyz"
        tokens += [first + second for first in letters for second in letters]
        tokens += [f"<dummy{index}>" for index in range(len(tokens), size - 2)] + ["<|bos|>", "<|eos|>"]
        w = self.writer
        w.add_vocab_size(size)
        w.add_tokenizer_model("gpt2")
        w.add_tokenizer_pre(pre_tokenizer)
        w.add_token_list(tokens)
        w.add_token_types([gguf.TokenType.NORMAL] * (size - 2) + [gguf.TokenType.CONTROL] * 2)
        w.add_token_merges([f"{first} {second}" for first in letters for second in letters])
        w.add_bos_token_id(size - 2)
        w.add_eos_token_id(size - 1)
        w.add_add_bos_token(False)

    def write(self):
        w = self.writer
        for name, shape, kind in self.tensors:
            if isinstance(kind, TYPES):
                length, size = gguf.GGML_QUANT_SIZES[kind]
                stored = (*shape[:-1], shape[-1] // length * size)
                w.add_tensor_info(name, stored, np.dtype(np.uint8), int(np.prod(stored)), raw_dtype=kind)
            else:
                w.add_tensor_info(name, shape, np.dtype(np.float32), 4 * int(np.prod(shape)))
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_ti_data_to_file()
        for name, shape, kind in self.tensors:
            count = int(np.prod(shape))
            if isinstance(kind, TYPES):
                w.write_tensor_data(random_blocks(self.random, kind, count // gguf.GGML_QUANT_SIZES[kind][0]))
            elif kind is None:
                w.write_tensor_data(self.random.standard_normal(count, np.float32) * DEVIATION)
            else:
                w.write_tensor_data(np.full(count, kind, np.float32))
        w.close()


def qwen(path, quantization):
    layers, hidden, vocabulary, heads, shared_heads, size, dimension = 28, 1536, 151936, 12, 2, 8960, 128
    model = Model(path, "qwen2", quantization, layers)
    w = model.writer
    w.add_context_length(131072)
    w.add_embedding_length(hidden)
    w.add_feed_forward_length(size)
    w.add_head_count(heads)
    w.add_head_count_kv(shared_heads)
    w.add_rope_freq_base(10000.0)
    w.add_layer_norm_rms_eps(1e-6)
    model.vocabulary(vocabulary, "deepseek-r1-qwen")
    model.weight("token_embd", vocabulary, hidden)
    model.floats("output_norm.weight", hidden)
    model.weight("output", vocabulary, hidden)
    for layer in range(layers):
        p = f"blk.{layer}."
        model.floats(p + "attn_norm.weight", hidden)
        model.floats(p + "ffn_norm.weight", hidden)
        for name, count in [("attn_q", heads), ("attn_k", shared_heads), ("attn_v", shared_heads)]:
            model.weight(p + name, count * dimension, hidden)
            model.floats(p + name + ".bias", count * dimension, value=0.0)
        model.weight(p + "attn_output", hidden, heads * dimension)
        model.weight(p + "ffn_gate", size, hidden)
        model.weight(p + "ffn_up", size, hidden)
        model.weight(p + "ffn_down", hidden, size)
    model.write()


def v2lite(path, quantization):
    layers, hidden, vocabulary, heads, dense_size = 27, 2048, 102400, 16, 10944
    experts, chosen, shared, expert_size = 64, 6, 2, 1408
    rank, plain, rotary, value = 512, 128, 64, 128
    model = Model(path, "deepseek2", quantization, layers)
    w = model.writer
    w.add_context_length(163840)
    w.add_embedding_length(hidden)
    w.add_feed_forward_length(dense_size)
    w.add_head_count(heads)
    w.add_head_count_kv(1)
    w.add_rope_freq_base(10000.0)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_kv_lora_rank(rank)
    w.add_key_length(rank + rotary)
    w.add_value_length(rank)
    w.add_key_length_mla(plain + rotary)
    w.add_value_length_mla(value)
    w.add_rope_dimension_count(rotary)
    w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    w.add_rope_scaling_factor(40.0)
    w.add_rope_scaling_orig_ctx_len(4096)
    w.add_rope_scaling_yarn_log_mul(0.0707)
    w.add_leading_dense_block_count(1)
    w.add_expert_count(experts)
    w.add_expert_used_count(chosen)
    w.add_expert_shared_count(shared)
    w.add_expert_feed_forward_length(expert_size)
    w.add_expert_weights_scale(1.0)
    w.add_expert_weights_norm(False)
    w.add_expert_gating_func(gguf.ExpertGatingFuncType.SOFTMAX)
    model.vocabulary(vocabulary, "deepseek-llm")
    model.weight("token_embd", vocabulary, hidden)
    model.floats("output_norm.weight", hidden)
    model.weight("output", vocabulary, hidden)
    for layer in range(layers):
        p = f"blk.{layer}."
        model.floats(p + "attn_norm.weight", hidden)
        model.floats(p + "attn_kv_a_norm.weight", rank)
        model.floats(p + "ffn_norm.weight", hidden)
        model.weight(p + "attn_q", heads * (plain + rotary), hidden)
        model.weight(p + "attn_kv_a_mqa", rank + rotary, hidden)
        model.weight(p + "attn_k_b", heads, rank, plain)
        model.weight(p + "attn_v_b", heads, value, rank)
        model.weight(p + "attn_output", hidden, heads * value)
        if layer == 0:
            parts = [("", (), dense_size)]
        else:
            model.floats(p + "ffn_gate_inp.weight", experts, hidden, value=None)
            parts = [("_exps", (experts,), expert_size), ("_shexp", (), shared * expert_size)]
        for ending, count, size in parts:
            model.weight(p + "ffn_gate" + ending, *count, size, hidden)
            model.weight(p + "ffn_up" + ending, *count, size, hidden)
            model.weight(p + "ffn_down" + ending, *count, hidden, size)
    model.write()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=["qwen", "v2lite"])
    parser.add_argument("type", choices=["Q4_0", "Q8_0", "Q4_K_M"])
    parser.add_argument("output", metavar="OUT.gguf")
    arguments = parser.parse_args()
    {"qwen": qwen, "v2lite": v2lite}[arguments.shape](arguments.output, arguments.type)


if __name__ == "__main__":
    main()
