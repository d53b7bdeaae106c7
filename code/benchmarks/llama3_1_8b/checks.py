"""Checks of the data set, checkpoint and prompts of Llama 3.1 8B for `make verify_data`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.benchmarks.llama3_1_8b import data, facts, inputs, preprocess, tokenizer
from code.benchmarks.llama3_1_8b.checkpoint import open_checkpoint
from code.benchmarks.text import cnndm, sentences
from code.benchmarks.verify import Check, check_file, checked, command
from code.common.errors import RunError
from code.rules.benchmark_facts import BenchmarkFacts


def everything(of: BenchmarkFacts, values: Mapping[str, Any]) -> Iterator[Check]:
    """All checks.

    Args:
        values: of the reference's own files.
    """
    get_data, get_model, arrays = (command(target, of.name) for target in ("download_data", "download_model", "preprocess_data"))
    yield check_file(of.name, data.data_file(of))
    yield checked("NLTK's sentence model", sentences.model_folder() / "collocations.tab", get_data, lambda: "is there")
    named = inputs.sources(of, values)
    if named.data.is_file():
        yield checked(f"{data.data_file(of).path}: articles", named.data, get_data, lambda: _articles(of, named.data, get_data))
    yield checked(facts.MODEL.path, named.model, get_model, lambda: _checkpoint(named.model))
    prompts = inputs.preprocessed(of, values)
    yield checked(f"{of.name}: preprocessed prompts", prompts, arrays, lambda: _prompts(of, prompts, arrays))


def _articles(of: BenchmarkFacts, path: Path, again: str) -> str:
    count = len(cnndm.read(path, of.name))
    if count != of.samples:
        raise RunError(f"it has {count:,} articles, not {of.samples:,}", "", f"remove it, then {again}")
    return f"{count:,}"


def _checkpoint(folder: Path) -> str:
    """Its headers: the publisher gives no digests that could be compared without an account."""
    found = open_checkpoint(folder)
    entries = tokenizer.read(folder).size
    return f"complete by the lengths of {len(found.weights)} files; a tokenizer of {entries:,} entries"


def _prompts(of: BenchmarkFacts, folder: Path, again: str) -> str:
    prompts = preprocess.load(of.name, folder)
    if len(prompts) != of.samples:
        raise RunError(f"{folder} has {len(prompts):,} prompts, not {of.samples:,}", "", f"run `{again}`")
    return f"{len(prompts):,} prompts"
