"""Which data, tokenizer and model a workload of Llama 3.1 8B reads, and where its preprocessed arrays are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.benchmarks.llama3_1_8b import data, facts
from code.benchmarks.llama3_1_8b.checkpoint import open_checkpoint
from code.benchmarks.llama3_1_8b.data import Sources
from code.benchmarks.text.checkpoint import require_fit
from code.common import console, paths
from code.common.errors import MissingError, UsageError
from code.fields.consumer import Consumer
from code.rules.benchmark_facts import BenchmarkFacts

READS = Consumer(
    "llama3.1-8b",
    ("model_variant", "model_path", "data_path", "cnndm_source", "vocab_path", "preprocessed_data_dir"),
    benchmarks=(facts.NAME, facts.EDGE_NAME),
)


def prepare(of: BenchmarkFacts, values: Mapping[str, Any]) -> None:
    """Generate the tiny set where it is wanted, tokenise what is not tokenised, and check that tokenizer and model fit."""
    from code.benchmarks.llama3_1_8b import preprocess, tokenizer

    named = sources(of, values)
    if is_tiny(values) and not named.data.is_file():
        data.download_data(of, "tiny")
    if not named.data.is_file():
        raise _missing(of, "data set", named.data, "download_data", values, "--data_path or --cnndm_source")
    checkpoint = open_checkpoint(model(of, values))
    folder = preprocessed(of, values)
    if not preprocess.is_current(of.name, folder, named.data, named.vocabulary):
        preprocess.preprocess(of.name, named.data, named.vocabulary, folder, lambda step: console.say(f"{of.name}: {step}"))
    opened = preprocess.load(of.name, folder)
    require_fit(tokenizer.find(named.vocabulary)[0], opened.vocabulary, opened.end, checkpoint)
    data.require_positions(checkpoint.folder, checkpoint.positions, int(opened.lengths.max()))


def model(of: BenchmarkFacts, values: Mapping[str, Any]) -> Path:
    """The model's folder; MissingError when it is not there."""
    folder = sources(of, values).model
    if not folder.is_dir():
        raise _missing(of, "model", folder, "download_model", values, "--model_path")
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


def sources(of: BenchmarkFacts, values: Mapping[str, Any]) -> Sources:
    """The files to read. UsageError where two options name the data."""
    read = READS.of(values)
    usual = data.sources(of, read["model_variant"])
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


def preprocessed(of: BenchmarkFacts, values: Mapping[str, Any]) -> Path:
    """The folder of the arrays. Own inputs have folders of their own, so that none replaces the benchmark's."""
    read = READS.of(values)
    root = Path(read["preprocessed_data_dir"] or paths.preprocessed_dir()) / of.name
    if not _own(values):
        return root / str(read["model_variant"])
    named = sources(of, values)
    words = f"{named.data.absolute()}\n{named.vocabulary.absolute()}"
    return root / f"{named.data.stem}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def _missing(of: BenchmarkFacts, what: str, path: Path, target: str, values: Mapping[str, Any], option: str) -> MissingError:
    read = READS.of(values)
    command = f"make {target} BENCHMARKS={of.name} RUN_ARGS=--model_variant={read['model_variant']}"
    return MissingError(
        f"{of.name}'s {what} does not exist: {path}", "", f"run `{command}`, or select another with {option}=FILE"
    )
