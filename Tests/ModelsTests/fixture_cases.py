"""The cases of make_fixtures.py: what each covers, its config.json, and options of `make`."""
import torch


def llama(**changes):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 97, "hidden_size": 40,
        "intermediate_size": 44, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "hidden_act": "silu", "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "attention_bias": False,
        "mlp_bias": False, "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 1, "use_cache": True,
        "initializer_range": 0.02,
    } | changes


def qwen2(**changes):
    return {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 131, "hidden_size": 40,
        "intermediate_size": 44, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "hidden_act": "silu", "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "tie_word_embeddings": False,
        "bos_token_id": 0, "eos_token_id": 1, "use_cache": True, "use_sliding_window": False, "initializer_range": 0.02,
    } | changes


def latent(**changes):
    """What DeepSeek-V2 and V3 have in common, with every width too small and no multiple of 32."""
    return {
        "vocab_size": 101, "hidden_size": 40, "intermediate_size": 44, "moe_intermediate_size": 10,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "hidden_act": "silu",
        "max_position_embeddings": 2560, "rms_norm_eps": 1e-6, "attention_bias": False, "tie_word_embeddings": False,
        "bos_token_id": 0, "eos_token_id": 1, "use_cache": True, "initializer_range": 0.02,
        "kv_lora_rank": 20, "q_lora_rank": 28, "qk_nope_head_dim": 12, "qk_rope_head_dim": 8, "v_head_dim": 10,
        "first_k_dense_replace": 1,
    } | changes


def deepseek_v2(**changes):
    return {"architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2"} | latent(
        n_routed_experts=8, num_experts_per_tok=3, n_shared_experts=2, n_group=1, topk_group=1, topk_method="greedy",
        norm_topk_prob=False, routed_scaling_factor=1.0) | changes


def deepseek_v3(**changes):
    return {"architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3"} | latent(
        n_routed_experts=8, num_experts_per_tok=3, n_shared_experts=1, n_group=4, topk_group=2, norm_topk_prob=True,
        routed_scaling_factor=2.5) | changes


# Keys that the publishers' files carry besides the architecture's own.
V2_PUBLISHED = {"aux_loss_alpha": 0.001, "ep_size": 1, "moe_layer_freq": 1, "pretraining_tp": 1, "scoring_func": "softmax",
                "seq_aux": True, "torch_dtype": "float32", "transformers_version": "4.33.1"}
V3_PUBLISHED = V2_PUBLISHED | {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "num_nextn_predict_layers": 0}


def yarn(mscale=1.0, mscale_all_dim=1.0, factor=40, **changes):
    """As DeepSeek publishes it; the original context is short so that 300 positions reach beyond it."""
    return {"beta_fast": 32, "beta_slow": 1, "factor": factor, "mscale": mscale, "mscale_all_dim": mscale_all_dim,
            "original_max_position_embeddings": 64, "type": "yarn"} | changes


def version5(scaling, theta=10000.0):
    """`rope_scaling` in the spelling of transformers 5: `rope_parameters`, which includes the base."""
    scaling = dict(scaling)
    return {"rope_theta": theta, "rope_type": scaling.pop("type", None) or scaling.pop("rope_type")} | scaling


LLAMA3 = {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 64,
          "rope_type": "llama3"}
DEFAULT5 = {"rope_theta": 10000.0, "rope_type": "default"}
BYTES = 269  # vocabulary of the cases with a GGUF twin: 256 bytes, 10 merges, 3 special tokens

# name: (what it covers, config.json, options)
CASES = {
    "llama-gqa-tied": (
        "grouped queries, tied head, no rope key but rope_theta (version 4 spelling)",
        llama(tie_word_embeddings=True, num_hidden_layers=3, rope_theta=10000.0, rope_scaling=None, vocab_size=BYTES,
              torch_dtype="float32"),
        {"gguf": "llama-bpe", "one": True}),
    "llama-mha": (
        "as many KV heads as heads, untied, rope_parameters (version 5 spelling)",
        llama(hidden_size=40, num_attention_heads=5, num_key_value_heads=5, rope_parameters=DEFAULT5), {}),
    "llama-rope-llama3": (
        "llama3 scaling in version 4 spelling; head_dim 16 is not hidden / heads",
        llama(hidden_size=40, head_dim=16, vocab_size=BYTES, rope_theta=500000.0, rope_scaling=LLAMA3,
              torch_dtype="float32"), {"gguf": "llama-bpe"}),
    "llama-rope-llama3-version5": (
        "llama3 scaling in version 5 spelling, head_dim 14, one KV head",
        llama(hidden_size=60, head_dim=14, num_attention_heads=6, num_key_value_heads=1,
              rope_parameters=version5(LLAMA3, 500000.0), dtype="float32"), {}),
    "llama-rope-linear": (
        "linear scaling (deepseek-coder), version 4 spelling with the key `type`",
        llama(hidden_size=40, num_attention_heads=5, num_key_value_heads=5, rope_theta=100000,
              rope_scaling={"factor": 4.0, "type": "linear"}), {}),
    "llama-attention-bias": ("biases on Q, K, V and O", llama(attention_bias=True, rope_theta=10000.0), {}),
    "llama-mlp-bias": ("biases on gate, up and down", llama(mlp_bias=True, rope_parameters=DEFAULT5), {}),
    "llama-f16": ("F16 weights; logits in float32 from the rounded weights",
                  llama(rope_theta=10000.0, torch_dtype="float16"), {"dtype": torch.float16}),
    "qwen2-tied": ("QKV biases, one KV head, tied head", qwen2(tie_word_embeddings=True, num_key_value_heads=1,
                                                               rope_theta=1000000.0, rope_scaling=None,
                                                               sliding_window=32, max_window_layers=2), {"one": True}),
    "qwen2-untied": ("QKV biases, two KV heads, untied, rope_theta 10000 (R1-Distill-Qwen-1.5B)",
                     qwen2(rope_theta=10000.0, vocab_size=BYTES, sliding_window=32, max_window_layers=2,
                           torch_dtype="float32"), {"gguf": "deepseek-r1-qwen"}),
    "qwen2-yarn": ("YaRN without mscale keys: cos and sin grow by 0.1 ln(factor) + 1, the softmax scale does not",
                   qwen2(rope_parameters=version5({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
                                                  1000000.0)), {}),
    "qwen2-bf16": ("BF16 weights; logits in float32 from the rounded weights",
                   qwen2(hidden_size=72, intermediate_size=104, num_attention_heads=6, rope_theta=1000000.0,
                         torch_dtype="bfloat16"), {"dtype": torch.bfloat16}),
    "deepseek-v2-lite": (
        "no query compression, greedy, YaRN 0.707/0.707: cos/sin factor 1, softmax scale times mscale squared",
        deepseek_v2(q_lora_rank=None, vocab_size=BYTES, rope_theta=10000, rope_scaling=yarn(0.707, 0.707)) | V2_PUBLISHED,
        {"gguf": "deepseek-llm", "whole": True, "one": True}),
    "deepseek-v2": (
        "compressed queries, group_limited_greedy 4/2 of 12, scaling 16, two dense layers, YaRN 0.707/0.707",
        deepseek_v2(num_hidden_layers=3, first_k_dense_replace=2, topk_method="group_limited_greedy", n_routed_experts=12,
                    n_group=4, topk_group=2, routed_scaling_factor=16.0, rope_theta=10000,
                    rope_scaling=yarn(0.707, 0.707)) | V2_PUBLISHED, {}),
    "deepseek-v2-mscale": (
        "YaRN with mscale 1 and mscale_all_dim 0.707: a cos/sin factor that is not 1; version 5 spelling",
        deepseek_v2(rope_parameters=version5(yarn(1.0, 0.707))), {}),
    "deepseek-v2-plain": ("no scaling, attention biases, no dense layer, one shared expert; version 5 spelling",
                          deepseek_v2(first_k_dense_replace=0, n_shared_experts=1, attention_bias=True,
                                      rope_parameters=DEFAULT5), {}),
    "deepseek-v3": (
        "the whole of V3 in small: compressed queries, sigmoid with bias, groups 4/2, YaRN 1/1 factor 40",
        deepseek_v3(num_hidden_layers=3, rope_theta=10000, rope_scaling=yarn(), vocab_size=BYTES) | V3_PUBLISHED,
        {"gguf": "deepseek-v3", "one": True}),
    "deepseek-v3-plain": (
        "no scaling, one group, no query compression, two shared experts, no dense layer; version 5 without scoring_func",
        deepseek_v3(first_k_dense_replace=0, n_group=1, topk_group=1, q_lora_rank=None,
                    n_shared_experts=2, rope_parameters=DEFAULT5), {}),
    "deepseek-v3-negative-bias": (
        "routing biases that make most biased scores negative: unchosen groups are -inf, not 0",
        deepseek_v3(n_routed_experts=12, num_experts_per_tok=4, n_group=4,
                    topk_group=2, first_k_dense_replace=0, rope_theta=10000,
                    rope_scaling=yarn()) | V3_PUBLISHED, {"routing_bias": (-0.9, 0.4)}),
    "deepseek-v3-unnormalised": (
        "norm_topk_prob false, three dense layers of four, YaRN with mscale 0.8 and mscale_all_dim 1.2",
        deepseek_v3(num_hidden_layers=4, first_k_dense_replace=3, norm_topk_prob=False, routed_scaling_factor=1.5,
                    rope_theta=10000, rope_scaling=yarn(0.8, 1.2, factor=8)) | V3_PUBLISHED, {"routing_bias": (-0.3, 0.3)}),
    "deepseek-v3-biases-halves": (
        "attention biases, rope_interleave false (halves, not pairs), one group of two",
        deepseek_v3(attention_bias=True, rope_interleave=False, num_experts_per_tok=2, n_group=2, topk_group=1,
                    n_routed_experts=4, rope_parameters=version5(yarn(factor=4))), {}),
    "deepseek-v3-tied": ("tied head, head count that does not divide hidden, YaRN without mscale_all_dim",
                         deepseek_v3(tie_word_embeddings=True, num_attention_heads=3, num_key_value_heads=3, vocab_size=203,
                                     rope_parameters={k: v for k, v in version5(yarn(factor=4)).items()
                                                                           if not k.startswith("mscale")}), {}),
    "deepseek-v3-next-token": (
        "a multi-token prediction layer after the last one; expected.safetensors has its `mtp_logits`",
        deepseek_v3(rope_theta=10000, rope_scaling=yarn()) | V3_PUBLISHED | {"num_nextn_predict_layers": 1}, {"mtp": True}),
    "deepseek-v3-sharded": ("three files and an index", deepseek_v3(rope_theta=10000,
                                                                   rope_scaling=yarn()) | V3_PUBLISHED, {"shards": 3}),
    "deepseek-v3-bf16": ("BF16 weights beside F32 routing biases",
                         deepseek_v3(hidden_size=56, rope_theta=10000, rope_scaling=yarn()) | V3_PUBLISHED
                         | {"torch_dtype": "bfloat16"}, {"dtype": torch.bfloat16}),
    "qwen2-yarn-untruncated": (
        "YaRN whose range of pairs is not rounded to whole ones",
        qwen2(rope_parameters=version5({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64,
                                        "beta_fast": 4, "truncate": False})), {}),
}
