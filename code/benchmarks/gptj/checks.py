"""Checks of GPT-J's data set, checkpoint and prompts for `make verify_data`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.benchmarks import files
from code.benchmarks.gptj import cnndm, facts, fetching, inputs, preprocess
from code.benchmarks.text import sentences
from code.benchmarks.verify import Check, check_file, checked, command
from code.common.errors import RunError
from code.common.files import sha256

DATA = command("download_data", facts.NAME)
MODEL = command("download_model", facts.NAME)
ARRAYS = command("preprocess_data", facts.NAME)


def everything(values: Mapping[str, Any]) -> Iterator[Check]:
    """All checks.

    Args:
        values: of the reference's own files.
    """
    yield check_file(facts.NAME, facts.DATA)
    yield check_file(facts.NAME, facts.CALIBRATION)
    yield checked("NLTK's sentence model", sentences.model_folder() / "collocations.tab", DATA, lambda: "is there")
    named = inputs.sources(values)
    if named.data.is_file():
        yield checked(f"{facts.DATA_PATH}: articles", named.data, DATA, lambda: _articles(named.data))
    yield checked(facts.MODEL_PATH, named.model, MODEL, lambda: _checkpoint(named.model))
    prompts = inputs.preprocessed(values)
    yield checked("gptj: preprocessed prompts", prompts, ARRAYS, lambda: _prompts(prompts))


def _articles(path: Path) -> str:
    count = len(cnndm.read(path))
    if count != facts.DATASET_SAMPLES:
        raise RunError(f"it has {count:,} articles, not {facts.DATASET_SAMPLES:,}", "", f"remove it, then {DATA}")
    return f"{count:,}"


def _checkpoint(folder: Path) -> str:
    """Every file against MLCommons' list where it is there, else against the digest recorded when it was fetched."""
    from code.common.download.record import recorded

    fetching.require_checkpoint(folder)
    listed = fetching.listed_digests(files.place(facts.METADATA[1]))
    known = 0
    for path in sorted(folder.iterdir()):
        wanted, kept = listed.get(path.name), recorded(path) if path.suffix != ".sha256" else None
        if wanted and fetching.md5_of(path) != wanted:
            raise RunError(f"{path.name} has another MD5 than MLCommons' list", "", f"run `{MODEL}`, which fetches it again")
        if not wanted and kept and sha256(path) != kept:
            raise RunError(f"{path.name} has changed since it was fetched", "", f"run `{MODEL}`")
        known += bool(wanted or kept)
    return f"complete; digests of {known} files compared"


def _prompts(folder: Path) -> str:
    prompts = preprocess.load(folder)
    if len(prompts) != facts.DATASET_SAMPLES:
        raise RunError(f"{folder} has {len(prompts):,} prompts, not {facts.DATASET_SAMPLES:,}", "", f"run `{ARRAYS}`")
    return f"{len(prompts):,} prompts"
