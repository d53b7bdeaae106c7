"""Sets of the tiny models that several test files read: generated once in a test run."""

from __future__ import annotations

from pathlib import Path

from tests.surroundings import once


def bert_dev() -> Path:
    """The tiny BERT's evaluation set."""
    return once("tiny_bert", _bert_dev) / "dev.json"


def _bert_dev(folder: Path) -> None:
    from code.benchmarks.bert import tiny

    tiny.generate_dev(folder / "dev.json")
