"""Prompts of Llama 3.1 8B in token ids (code/benchmarks/text/prompts.py describes the folder).

A data set that has token ids, as the reference's files do, keeps them: that is what the reference runs. Others are tokenised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from code.benchmarks.llama3_1_8b import facts, tokenizer
from code.benchmarks.llama3_1_8b.prompt import prompt
from code.benchmarks.text import cnndm
from code.benchmarks.text.prompts import Encoded, PreprocessedPrompts, Prompts
from code.common.errors import UsageError
from code.common.stamp import Stamp


def stored(benchmark: str) -> Prompts:
    """How prompts are stored for one of the two benchmarks."""
    return Prompts(benchmark, facts.MAX_INPUT_TOKENS, {"prompt": hashlib.sha256(prompt("").encode()).hexdigest()})


def is_current(benchmark: str, out: Path, data: Path, vocabulary: Path) -> bool:
    """Whether `out` is up to date. An input with the recorded size and modification time counts as unchanged."""
    return stored(benchmark).is_current(out, {"data": data, **{file.name: file for file in tokenizer.find(vocabulary)}})


def preprocess(
    benchmark: str, data: Path, vocabulary: Path, out: Path, progress: Callable[[str], None] | None = None
) -> PreprocessedPrompts:
    """Make the prompts of a cnn_eval.json and write their token ids to the folder `out`, replacing what is there.

    Raises:
        MissingError, UsageError: an input is missing or invalid, or has token ids that the tokenizer does not give.
        RunError: the disk is full or not writable; the new folder is removed.
    """
    tell = progress or (lambda step: None)
    opened = tokenizer.read(vocabulary)
    samples = cnndm.read(data, benchmark)
    inputs = {"data": Stamp.of(data), **{file.name: Stamp.of(file) for file in opened.files}}
    open_ones = [index for index, sample in enumerate(samples) if not sample.ids]
    ids = [list(sample.ids) for sample in samples]
    if open_ones:
        tell(f"tokenising {len(open_ones):,} articles")
        for index, found in zip(open_ones, opened.encode([prompt(samples[i].article) for i in open_ones]), strict=True):
            ids[index] = found
    if len(open_ones) < len(samples):
        given = next(index for index, sample in enumerate(samples) if sample.ids)
        _require_same(opened, samples[given], given, data)
    return stored(benchmark).write(Encoded(ids, opened.ends[0], opened.size, inputs), out, tell)


def _require_same(opened: tokenizer.Llama3Tokenizer, sample: cnndm.Sample, index: int, data: Path) -> None:
    """UsageError where the token ids of a data set are another tokenizer's."""
    (own,) = opened.encode([prompt(sample.article)])
    if own != list(sample.ids):
        raise UsageError(
            f"the token ids in {data} are not those of {opened.files[0]}",
            f"tok_input of sample {index} has {len(sample.ids):,} ids, and the tokenizer gives {len(own):,} or others",
            "select the tokenizer that the file was made with: --vocab_path, or --model_path",
        )


def load(benchmark: str, out: Path) -> PreprocessedPrompts:
    """Open a folder that `preprocess` wrote. MissingError names the defect."""
    return stored(benchmark).load(out)
