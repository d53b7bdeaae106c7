"""GPT-J's prompts in token ids (code/benchmarks/text/prompts.py describes the folder)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from code.benchmarks.gptj import bpe, cnndm, facts
from code.benchmarks.gptj.prompt import prompt
from code.benchmarks.text.prompts import Encoded, PreprocessedPrompts, Prompts
from code.common.stamp import Stamp

_STORED = Prompts(facts.NAME, facts.MAX_INPUT_TOKENS, {"prompt": hashlib.sha256(prompt("", "").encode()).hexdigest()})


def is_current(out: Path, data: Path, vocabulary: Path) -> bool:
    """Whether `out` is up to date. An input with the recorded size and modification time counts as unchanged."""
    return _STORED.is_current(out, {"data": data, **{file.name: file for file in bpe.find(vocabulary)}})


def preprocess(data: Path, vocabulary: Path, out: Path, progress: Callable[[str], None] | None = None) -> PreprocessedPrompts:
    """Make the prompts of a cnn_eval.json and write their token ids to the folder `out`, replacing what is there.

    Raises:
        MissingError, UsageError: an input is missing or invalid.
        RunError: the disk is full or not writable; the new folder is removed.
    """
    tell = progress or (lambda step: None)
    opened = bpe.read(vocabulary)
    samples = cnndm.read(data)
    inputs = {"data": Stamp.of(data), **{file.name: Stamp.of(file) for file in opened.files}}
    tell(f"tokenising {len(samples):,} articles")
    ids = opened.encode([prompt(sample.article, sample.instruction) for sample in samples])
    return _STORED.write(Encoded(ids, opened.end, opened.size, inputs), out, tell)


def load(out: Path) -> PreprocessedPrompts:
    """Open a folder that `preprocess` wrote. MissingError names the defect."""
    return _STORED.load(out)
