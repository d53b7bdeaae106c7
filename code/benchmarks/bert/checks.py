"""Checks of BERT's data set and preprocessed arrays for `make verify_data`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from code.benchmarks.bert import facts, manifest, squad
from code.benchmarks.bert.data import Sources
from code.benchmarks.verify import Check, check_arrays, checked, command
from code.common.errors import RunError

REPAIR = command("preprocess_data", facts.NAME)


def arrays(sources: Sources, folder: Path) -> Iterator[Check]:
    """The number of questions of the data set; the digests and counts of the arrays in `folder`."""
    if sources.squad_json.is_file():
        yield checked(f"{facts.DEV_SET.path}: questions", sources.squad_json, REPAIR, lambda: _questions(sources.squad_json))
    yield checked("bert: preprocessed arrays", folder / manifest.FILE_NAME, REPAIR, lambda: _arrays(folder))


def _questions(path: Path) -> str:
    count = len(squad.read(path).questions)
    if count != facts.QUESTIONS:
        raise RunError(f"it has {count:,} questions, not {facts.QUESTIONS:,}")
    return f"{count:,}"


def _arrays(folder: Path) -> str:
    made = manifest.read(folder)
    other = list(check_arrays(folder, {name: record.stamp.sha256 for name, record in made.files.items()}))
    if other:
        raise manifest.missing(folder / other[0], "it has changed since it was made")
    if (made.count, made.questions) != (facts.DATASET_SAMPLES, facts.QUESTIONS):
        raise manifest.missing(
            folder,
            f"{made.count:,} samples of {made.questions:,} questions, not {facts.DATASET_SAMPLES:,} of {facts.QUESTIONS:,}",
        )
    return f"{made.count:,} samples, digests as recorded"
