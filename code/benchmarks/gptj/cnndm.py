"""GPT-J's cnn_eval.json: CNN/DailyMail with the reference's instruction."""

from __future__ import annotations

from pathlib import Path

from code.benchmarks.gptj.facts import NAME
from code.benchmarks.gptj.prompt import INSTRUCTION
from code.benchmarks.text import cnndm
from code.benchmarks.text.cnndm import Sample, write


def read(path: Path) -> list[Sample]:
    """The samples of a cnn_eval.json. The errors of code/benchmarks/text/cnndm.py."""
    return cnndm.read(path, NAME)


def from_file(path: Path) -> list[Sample]:
    """The samples of a local file with the columns `article` and `highlights`."""
    return cnndm.from_file(path, INSTRUCTION, NAME)


def from_hub() -> list[Sample]:
    """The published validation split."""
    return cnndm.from_hub(INSTRUCTION, NAME)


__all__ = ["Sample", "from_file", "from_hub", "read", "write"]
