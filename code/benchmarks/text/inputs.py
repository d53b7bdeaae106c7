"""Which data, tokenizer and model a workload of summaries reads, and where its preprocessed arrays are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.benchmarks.text import data, preprocess
from code.benchmarks.text.checkpoint import require_fit
from code.benchmarks.text.parts import Sources, TextParts
from code.common import console, paths
from code.common.errors import MissingError, UsageError
from code.fields.consumer import Consumer
from code.rules.benchmarks import of_family

READS = Consumer(
    "benchmarks that generate text",
    ("model_variant", "model_path", "data_path", "cnndm_source", "vocab_path", "preprocessed_data_dir"),
    benchmarks=of_family("text"),
)


def prepare(of: TextParts, values: Mapping[str, Any]) -> None:
    """Generate the tiny set where it is wanted, tokenise what is not tokenised, and check that tokenizer and model fit."""
    named, name = sources(of, values), of.facts.name
    if is_tiny(values) and not named.data.is_file():
        of.download_data("tiny")
    if not named.data.is_file():
        raise _missing(name, "data set", named.data, "download_data", values, "--data_path or --cnndm_source")
    checkpoint = of.open_model(model(of, values))
    folder = preprocessed(of, values)
    if not preprocess.is_current(of, folder, named.data, named.vocabulary):
        preprocess.preprocess(of, named.data, named.vocabulary, folder, lambda step: console.say(f"{name}: {step}"))
    opened = preprocess.load(of, folder)
    require_fit(of.vocabulary_files(named.vocabulary)[0], opened.vocabulary, opened.end, checkpoint)
    of.require_positions(checkpoint, int(opened.lengths.max()))


def model(of: TextParts, values: Mapping[str, Any]) -> Path:
    """The model's folder; MissingError when it is not there."""
    folder = sources(of, values).model
    if not folder.is_dir():
        raise _missing(of.facts.name, "model", folder, "download_model", values, "--model_path")
    return folder


def _own(values: Mapping[str, Any]) -> bool:
    read = READS.of(values)
    return bool(read["model_path"] or read["data_path"] or read["vocab_path"] or read["cnndm_source"])


def is_tiny(values: Mapping[str, Any]) -> bool:
    """Whether data, tokenizer and model are the tiny variant's own."""
    read = READS.of(values)
    return read["model_variant"] == "tiny" and not _own(values)


def is_reference(values: Mapping[str, Any]) -> bool:
    """Whether data, tokenizer and model are the benchmark's own."""
    read = READS.of(values)
    return read["model_variant"] == "reference" and not _own(values)


def sources(of: TextParts, values: Mapping[str, Any]) -> Sources:
    """The files to read. UsageError where two options name the data."""
    read = READS.of(values)
    usual = of.variant_sources(read["model_variant"])
    if read["data_path"] and read["cnndm_source"]:
        raise UsageError(
            "data_path and cnndm_source both name the data", "one is a cnn_eval.json, the other is made into one", "keep one"
        )
    given = Path(read["data_path"]) if read["data_path"] else None
    if read["cnndm_source"]:
        given = data.from_source(of, Path(read["cnndm_source"]))
    folder = Path(read["model_path"] or usual.model)
    vocabulary = Path(read["vocab_path"] or (folder if read["model_path"] else usual.vocabulary))
    return Sources(given or usual.data, vocabulary, folder)


def preprocessed(of: TextParts, values: Mapping[str, Any]) -> Path:
    """The folder of the arrays. Own inputs have folders of their own, so that none replaces the benchmark's."""
    read = READS.of(values)
    root = Path(read["preprocessed_data_dir"] or paths.preprocessed_dir()) / of.facts.name
    if not _own(values):
        return root / str(read["model_variant"])
    named = sources(of, values)
    words = f"{named.data.absolute()}\n{named.vocabulary.absolute()}"
    return root / f"{named.data.stem}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def _missing(name: str, what: str, path: Path, target: str, values: Mapping[str, Any], option: str) -> MissingError:
    read = READS.of(values)
    command = f"make {target} BENCHMARKS={name} RUN_ARGS=--model_variant={read['model_variant']}"
    return MissingError(f"{name}'s {what} does not exist: {path}", "", f"run `{command}`, or select another with {option}=FILE")
