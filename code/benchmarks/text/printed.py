"""The text of accuracy.txt, as the references' evaluations print scores of summaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from code.benchmarks.text.rouge import NAMES


def as_printed(scores: Mapping[str, float]) -> str:
    """The dictionary as evaluation.py prints it: the official checker reads ROUGE as text and lengths as numbers."""
    content: dict[str, Any] = {key: str(scores[name]) for key, name in NAMES.items()}
    content |= {"gen_len": int(scores["GEN_LEN"]), "gen_num": int(scores["GEN_NUM"])}
    return f"\nResults\n\n{content}\n"
