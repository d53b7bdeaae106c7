"""What a Llama checkpoint is, by its config.json (code/benchmarks/text/checkpoint.py checks its files)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.benchmarks.llama3_1_8b import facts
from code.benchmarks.text import checkpoint
from code.benchmarks.text.checkpoint import Architecture, Checkpoint


def _head(config: Mapping[str, Any]) -> int:
    return int(config.get("head_dim") or int(config["hidden_size"]) // int(config["num_attention_heads"]))


def _parameters(config: Mapping[str, Any]) -> int:
    hidden, layers, inner = (int(config[name]) for name in ("hidden_size", "num_hidden_layers", "intermediate_size"))
    queries, keys = (int(config[name]) * _head(config) for name in ("num_attention_heads", "num_key_value_heads"))
    embeddings = 1 if config.get("tie_word_embeddings") else 2
    return layers * (2 * hidden * (queries + keys) + 3 * hidden * inner) + embeddings * int(config["vocab_size"]) * hidden


ARCHITECTURE = Architecture(
    facts.NAME,
    "Llama",
    facts.ARCHITECTURE,
    ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size"),
    positions=lambda config: int(config.get("max_position_embeddings", 131_072)),
    parameters=_parameters,
    kv_numbers=lambda config: 2 * int(config["num_hidden_layers"]) * int(config["num_key_value_heads"]) * _head(config),
)


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check the model in `folder`. The errors of code/benchmarks/text/checkpoint.py."""
    return checkpoint.open_checkpoint(folder, ARCHITECTURE)


__all__ = ["ARCHITECTURE", "Checkpoint", "open_checkpoint"]
