"""Data sets of articles made from a user's file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from code.benchmarks.text import cnndm
from code.benchmarks.text.parts import TextParts
from code.common import console, paths
from code.common.errors import MissingError, UsageError
from code.rules.benchmark_facts import PublishedFile

VARIANTS = ("reference", "tiny")


def published(of: TextParts) -> PublishedFile:
    """The reference's data set: the first of a benchmark's files."""
    return of.facts.files[0]


def from_source(of: TextParts, source: Path) -> Path:
    """The cnn_eval.json made from a local file, cached by the file's name, size and modification time."""
    if source.name == Path(published(of).path).name:
        return source
    try:
        status = source.stat()
    except OSError as error:
        raise MissingError(f"cannot read {source}", error.strerror or str(error), "select another with --cnndm_source") from error
    stamp = hashlib.sha256(f"{source.absolute()}\n{status.st_size}\n{status.st_mtime_ns}".encode()).hexdigest()[:12]
    made = paths.data_dir() / of.own_folder / f"{source.stem}-{stamp}.json"
    if not made.is_file():
        samples = cnndm.from_file(source, of.instruction, of.facts.name)
        cnndm.write(samples, made)
        console.say(f"{of.facts.name}: {len(samples):,} articles from {source} written to {paths.shown(made)}")
    return made


def import_data(of: TextParts, source: Path) -> None:
    """Make the reference's data set from a local file; UsageError unless it has as many samples.

    A set that is a choice of MLCommons' own comes from its file only: a part of the whole split is not it.
    """
    name, wanted = of.facts.name, published(of)
    own = source.name == Path(wanted.path).name
    samples = cnndm.read(source, name) if own else cnndm.from_file(source, of.instruction, name)
    if len(samples) != of.facts.samples:
        raise UsageError(
            f"{source} is not {wanted.label}: it has {len(samples):,} articles, not {of.facts.samples:,}",
            "the reference data set is the complete one",
            f"to run only these articles: make run RUN_ARGS='--benchmarks={name} --cnndm_source={source} …'",
        )
    cnndm.write(samples, of.variant_sources("reference").data)
