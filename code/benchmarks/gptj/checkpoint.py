"""What a GPT-J checkpoint is, by its config.json (code/benchmarks/text/checkpoint.py checks its files)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.benchmarks.gptj import facts
from code.benchmarks.text import checkpoint
from code.benchmarks.text.checkpoint import Architecture, Checkpoint


def _parameters(config: Mapping[str, Any]) -> int:
    hidden, layers = int(config["n_embd"]), int(config["n_layer"])
    inner = int(config.get("n_inner") or 4 * hidden)
    return layers * (4 * hidden * hidden + 2 * hidden * inner) + 2 * int(config["vocab_size"]) * hidden


ARCHITECTURE = Architecture(
    facts.NAME,
    "GPT-J",
    facts.ARCHITECTURE,
    ("n_embd", "n_layer", "n_head", "vocab_size", "rotary_dim"),
    positions=lambda config: int(config.get("n_positions", 2048)),
    parameters=_parameters,
    kv_numbers=lambda config: 2 * int(config["n_layer"]) * int(config["n_embd"]),
)


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check the model in `folder`. The errors of code/benchmarks/text/checkpoint.py."""
    return checkpoint.open_checkpoint(folder, ARCHITECTURE)


__all__ = ["ARCHITECTURE", "Checkpoint", "open_checkpoint"]
