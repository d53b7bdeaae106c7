"""`python llama_gguf.py CHECKPOINT FILE`: a Hugging Face Llama checkpoint in fp32 as GGUF, for llama.cpp; needs gguf and safetensors.

What differs between the two forms: llama.cpp rotates neighbours instead of halves, so the rows of queries and keys change places, and it
takes llama3's rope scaling as a tensor of divisors.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import load_file

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def main(checkpoint: Path, file: Path) -> None:
    """Write it."""
    config = json.loads((checkpoint / "config.json").read_text())
    heads, kv_heads, head = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    vocabulary(writer, json.loads((checkpoint / "tokenizer.json").read_text()), config)
    weights = load_file(checkpoint / "model.safetensors")
    writer.add_tensor("token_embd.weight", weights["model.embed_tokens.weight"])
    writer.add_tensor("output_norm.weight", weights["model.norm.weight"])
    writer.add_tensor("output.weight", weights["lm_head.weight"])
    writer.add_tensor("rope_freqs.weight", divisors(head, config["rope_parameters"]))
    for layer in range(config["num_hidden_layers"]):
        for theirs, ours in NAMES.items():
            weight = weights[f"model.layers.{layer}.{theirs}.weight"]
            count = {"attn_q": heads, "attn_k": kv_heads}.get(ours)
            if count is not None:
                weight = weight.reshape(count, 2, head // 2, -1).swapaxes(1, 2).reshape(weight.shape)
            writer.add_tensor(f"blk.{layer}.{ours}.weight", np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def vocabulary(writer: Any, tokenizer: dict[str, Any], config: dict[str, Any]) -> None:
    """The byte-level BPE with Llama 3's splitting rule."""
    tokens = dict(tokenizer["model"]["vocab"])
    special = {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    tokens.update(special)
    ordered = sorted(tokens, key=lambda token: tokens[token])
    assert len(ordered) == config["vocab_size"]
    merges = [one if isinstance(one, str) else " ".join(one) for one in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(ordered)
    writer.add_token_types([gguf.TokenType.CONTROL if one in special else gguf.TokenType.NORMAL for one in ordered])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"][0])
    writer.add_eot_token_id(config["eos_token_id"][1])


def divisors(head: int, rope: dict[str, Any]) -> Any:
    """What each frequency is divided by, float32 [head / 2] (transformers' llama3 rope scaling)."""
    low, high, old = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    found = []
    for frequency in 1.0 / rope["rope_theta"] ** (np.arange(0, head, 2) / head):
        wave = 2 * math.pi / frequency
        smooth = min(1.0, max(0.0, (old / wave - low) / (high - low)))
        found.append(1.0 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(found, dtype=np.float32)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
