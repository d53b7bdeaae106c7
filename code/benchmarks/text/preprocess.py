"""Prompts of a benchmark's data set in token ids (prompts.py describes the folder)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from code.benchmarks.text import cnndm
from code.benchmarks.text.parts import TextParts, Vocabulary
from code.benchmarks.text.prompts import Encoded, PreprocessedPrompts
from code.common.errors import UsageError
from code.common.stamp import Stamp


def is_current(of: TextParts, out: Path, data: Path, vocabulary: Path) -> bool:
    """Whether `out` is up to date. An input with the recorded size and modification time counts as unchanged."""
    return of.stored.is_current(out, {"data": data, **{file.name: file for file in of.vocabulary_files(vocabulary)}})


def preprocess(
    of: TextParts, data: Path, vocabulary: Path, out: Path, progress: Callable[[str], None] | None = None
) -> PreprocessedPrompts:
    """Make the prompts of a cnn_eval.json and write their token ids to the folder `out`, replacing what is there.

    Raises:
        MissingError, UsageError: an input is missing or invalid, or has token ids that the tokenizer does not give.
        RunError: the disk is full or not writable; the new folder is removed.
    """
    report = progress or (lambda step: None)
    opened = of.open_vocabulary(vocabulary)
    samples = cnndm.read(data, of.facts.name)
    inputs = {"data": Stamp.of(data), **{file.name: Stamp.of(file) for file in opened.files}}
    ids = [list(sample.ids) if of.keeps_ids else [] for sample in samples]
    absent = [index for index, given in enumerate(ids) if not given]
    if absent:
        report(f"tokenising {len(absent):,} articles")
        for index, found in zip(absent, opened.encode([of.prompt_of(samples[i]) for i in absent]), strict=True):
            ids[index] = found
    if len(absent) < len(samples):
        known = set(absent)
        given = next(index for index in range(len(samples)) if index not in known)
        _require_same(of, opened, samples[given], given, data)
    return of.stored.write(Encoded(ids, opened.ends[0], opened.size, inputs), out, report)


def _require_same(of: TextParts, opened: Vocabulary, sample: cnndm.Sample, index: int, data: Path) -> None:
    """UsageError where the token ids of a data set are another tokenizer's."""
    (own,) = opened.encode([of.prompt_of(sample)])
    if own != list(sample.ids):
        raise UsageError(
            f"the token ids in {data} are not those of {opened.files[0]}",
            f"tok_input of sample {index} has {len(sample.ids):,} ids, and the tokenizer gives {len(own):,} or others",
            "select the tokenizer that the file was made with: --vocab_path, or --model_path",
        )


def load(of: TextParts, out: Path) -> PreprocessedPrompts:
    """Open a folder that `preprocess` wrote. MissingError names the defect."""
    return of.stored.load(out)
