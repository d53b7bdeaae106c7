"""Checks of a data set of articles, its checkpoint and its prompts for `make verify_data`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.benchmarks.text import cnndm, data, inputs, preprocess, sentences
from code.benchmarks.text.parts import TextParts
from code.benchmarks.verify import Check, check_file, checked, command
from code.common.errors import RunError

OWN = ("model_path", "data_path", "vocab_path", "cnndm_source")
"""Options that name a user's own files, which are not the reference's."""


def everything(of: TextParts, values: Mapping[str, Any]) -> Iterator[Check]:
    """All checks of the reference's own files."""
    name = of.facts.name
    values = {**values, **dict.fromkeys(OWN)}
    get_data, get_model, arrays = (command(target, name) for target in ("download_data", "download_model", "preprocess_data"))
    yield check_file(name, data.published(of))
    yield from of.check_published()
    yield checked("NLTK's sentence model", sentences.model_folder() / "collocations.tab", get_data, lambda: "is there")
    named = inputs.sources(of, values)
    if named.data.is_file():
        yield checked(f"{data.published(of).path}: articles", named.data, get_data, lambda: _articles(of, named.data, get_data))
    yield checked(of.facts.files[1].path, named.model, get_model, lambda: of.check_model(named.model))
    prompts = inputs.preprocessed(of, values)
    yield checked(f"{name}: preprocessed prompts", prompts, arrays, lambda: _prompts(of, prompts, arrays))


def _articles(of: TextParts, path: Path, again: str) -> str:
    count = len(cnndm.read(path, of.facts.name))
    if count != of.facts.samples:
        raise RunError(f"it has {count:,} articles, not {of.facts.samples:,}", "", f"remove it, then {again}")
    return f"{count:,}"


def _prompts(of: TextParts, folder: Path, again: str) -> str:
    prompts = preprocess.load(of, folder)
    if len(prompts) != of.facts.samples:
        raise RunError(f"{folder} has {len(prompts):,} prompts, not {of.facts.samples:,}", "", f"run `{again}`")
    return f"{len(prompts):,} prompts"
