"""Makes tiny random GGUF models with quantised weights, for tests of what does not depend on the weights' values: that answers
repeat, alone, in company, and with a cached prefix. Their vocabulary is the bytes and one merge.

    python make_fixtures.py

Needs `gguf` and `numpy`.
"""

import pathlib

import gguf
import numpy as np

HERE = pathlib.Path(__file__).parent
TYPES = gguf.GGMLQuantizationType
VOCABULARY, HIDDEN, LAYERS, HEADS = 259, 64, 2, 4


def byte_alphabet():
    """The characters that stand for the 256 bytes in byte-level vocabularies."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


class Model:
    def __init__(self, name, architecture, seed):
        self.random = np.random.default_rng(seed)
        self.writer = gguf.GGUFWriter(HERE / "Fixtures" / f"quantized-{name}.gguf", architecture)
        w = self.writer
        w.add_block_count(LAYERS)
        w.add_context_length(1024)
        w.add_embedding_length(HIDDEN)
        w.add_feed_forward_length(96)
        w.add_head_count(HEADS)
        w.add_layer_norm_rms_eps(1e-6)
        w.add_rope_freq_base(10000.0)
        w.add_tokenizer_model("gpt2")
        w.add_tokenizer_pre("gpt-2")
        w.add_token_list(byte_alphabet() + ["ab", "<s>", "</s>"])
        w.add_token_types([gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL] * 2)
        w.add_token_merges(["a b"])
        w.add_bos_token_id(257)
        w.add_eos_token_id(258)
        self.weight("token_embd", VOCABULARY, HIDDEN, kind=TYPES.Q8_0)
        self.weight("output", VOCABULARY, HIDDEN, kind=TYPES.Q8_0)
        self.norm("output_norm", HIDDEN)

    def weight(self, name, *shape, kind=TYPES.Q4_0):
        values = self.random.normal(0, 0.2, shape).astype(np.float32)
        self.writer.add_tensor(name + ".weight", gguf.quants.quantize(values, kind), raw_dtype=kind)

    def norm(self, name, size):
        self.writer.add_tensor(name + ".weight", self.random.normal(1, 0.1, size).astype(np.float32))

    def close(self):
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def llama():
    model = Model("llama", "llama", 1)
    model.writer.add_head_count_kv(2)
    model.writer.add_rope_dimension_count(HIDDEN // HEADS)
    for layer in range(LAYERS):
        p = f"blk.{layer}."
        model.norm(p + "attn_norm", HIDDEN)
        model.norm(p + "ffn_norm", HIDDEN)
        model.weight(p + "attn_q", HIDDEN, HIDDEN)
        model.weight(p + "attn_k", HIDDEN // 2, HIDDEN, kind=TYPES.Q5_0)
        model.weight(p + "attn_v", HIDDEN // 2, HIDDEN, kind=TYPES.Q8_0)
        model.weight(p + "attn_output", HIDDEN, HIDDEN, kind=TYPES.Q4_1)
        model.weight(p + "ffn_gate", 96, HIDDEN)
        model.weight(p + "ffn_up", 96, HIDDEN)
        model.weight(p + "ffn_down", HIDDEN, 96)
    model.close()


def deepseek2():
    """V3's routing, split `attn_kv_b`, one dense layer."""
    rank, plain, rotary, value, experts, size = 32, 32, 16, 32, 8, 32
    model = Model("deepseek2", "deepseek2", 2)
    w = model.writer
    w.add_head_count_kv(1)
    w.add_rope_dimension_count(rotary)
    w.add_kv_lora_rank(rank)
    w.add_key_length(rank + rotary)
    w.add_value_length(rank)
    w.add_key_length_mla(plain + rotary)
    w.add_value_length_mla(value)
    w.add_leading_dense_block_count(1)
    w.add_expert_count(experts)
    w.add_expert_used_count(3)
    w.add_expert_shared_count(1)
    w.add_expert_feed_forward_length(size)
    w.add_expert_weights_scale(2.5)
    w.add_expert_weights_norm(True)
    w.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    w.add_expert_group_count(4)
    w.add_expert_group_used_count(2)
    for layer in range(LAYERS):
        p = f"blk.{layer}."
        model.norm(p + "attn_norm", HIDDEN)
        model.norm(p + "ffn_norm", HIDDEN)
        model.norm(p + "attn_kv_a_norm", rank)
        model.weight(p + "attn_q", HEADS * (plain + rotary), HIDDEN)
        model.weight(p + "attn_kv_a_mqa", rank + rotary, HIDDEN)
        model.weight(p + "attn_k_b", HEADS, rank, plain, kind=TYPES.Q8_0)
        model.weight(p + "attn_v_b", HEADS, value, rank, kind=TYPES.Q8_0)
        model.weight(p + "attn_output", HIDDEN, HEADS * value)
        if layer == 0:
            model.weight(p + "ffn_gate", 96, HIDDEN)
            model.weight(p + "ffn_up", 96, HIDDEN)
            model.weight(p + "ffn_down", HIDDEN, 96)
            continue
        router = model.random.normal(0, 0.3, (experts, HIDDEN)).astype(np.float32)
        w.add_tensor(p + "ffn_gate_inp.weight", router)
        w.add_tensor(p + "exp_probs_b.bias", model.random.normal(0, 0.1, experts).astype(np.float32))
        for kind, shape in [("gate", (size, HIDDEN)), ("up", (size, HIDDEN)), ("down", (HIDDEN, size))]:
            model.weight(p + f"ffn_{kind}_exps", experts, *shape)
            model.weight(p + f"ffn_{kind}_shexp", *shape)
    model.close()


if __name__ == "__main__":
    (HERE / "Fixtures").mkdir(exist_ok=True)
    llama()
    deepseek2()
