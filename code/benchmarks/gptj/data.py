"""Locations and downloads of GPT-J's data, vocabulary and models.

The reference variant's model is downloaded from MLCommons' storage (24 GB, fetching.py), its data set through the `datasets` package or
read from a local file. The tiny variant's model is part of the repository, and its data set is generated.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from code.benchmarks import files
from code.benchmarks.gptj import cnndm, facts, fetching, tiny
from code.benchmarks.text import punkt_model
from code.benchmarks.text.punkt_model import PUNKT
from code.common import console, download, paths
from code.common.errors import MissingError, UsageError, unknown

VARIANTS = ("reference", "tiny")
__all__ = ["PUNKT", "Sources", "download_data", "download_model", "from_source", "import_data", "sources"]


@dataclass(frozen=True)
class Sources:
    """The input files.

    Args:
        data: cnn_eval.json.
        vocabulary: the folder (or file) of the BPE.
        model: the folder of the model.
    """

    data: Path
    vocabulary: Path
    model: Path


def sources(variant: str) -> Sources:
    """Paths of a variant's files, which need not exist. Raises UsageError for an unknown variant."""
    if variant == "reference":
        model = paths.build_dir() / facts.MODEL_PATH
        return Sources(paths.build_dir() / facts.DATA_PATH, model, model)
    if variant == "tiny":
        # The name carries the generator's digest, so that a changed generator never reuses older data.
        return Sources(paths.data_dir() / "cnndm-tiny" / f"cnn_eval-{tiny.generator_digest()}.json", tiny.MODEL, tiny.MODEL)
    raise unknown("model variant", variant, VARIANTS)


def from_source(source: Path) -> Path:
    """The cnn_eval.json made from a local file, cached by the file's name, size and modification time."""
    if source.name == Path(facts.DATA_PATH).name:
        return source
    try:
        status = source.stat()
    except OSError as error:
        raise MissingError(f"cannot read {source}", error.strerror or str(error), "select another with --cnndm_source") from error
    stamp = hashlib.sha256(f"{source.absolute()}\n{status.st_size}\n{status.st_mtime_ns}".encode()).hexdigest()[:12]
    made = paths.data_dir() / "cnn-daily-mail" / f"{source.stem}-{stamp}.json"
    if not made.is_file():
        samples = cnndm.from_file(source)
        cnndm.write(samples, made)
        console.say(f"gptj: {len(samples):,} articles from {source} written to {paths.shown(made)}")
    return made


def import_data(source: Path) -> None:
    """Make the reference's cnn_eval.json from a local file; UsageError unless it has the complete validation split."""
    samples = cnndm.read(source) if source.name == Path(facts.DATA_PATH).name else cnndm.from_file(source)
    if len(samples) != facts.DATASET_SAMPLES:
        raise UsageError(
            f"{source} is not the validation split: it has {len(samples):,} articles, not {facts.DATASET_SAMPLES:,}",
            "the reference data set is the complete split",
            f"to run only these articles: make run RUN_ARGS='--benchmarks=gptj --cnndm_source={source} …'",
        )
    cnndm.write(samples, sources("reference").data)


def download_data(variant: str) -> None:
    """Download the data set; for the reference also NLTK's sentence model and MLCommons' calibration list.

    Raises:
        MissingError: it is not available; the error gives the manual steps.
        RunError: the disk is full or not writable.
    """
    wanted = sources(variant).data
    if variant == "tiny":
        if not wanted.is_file():
            tiny.generate_eval(wanted)
        return
    if not wanted.is_file():
        if download.mirror.digest(facts.DATA_PATH):
            files.fetch(facts.DATA)
        else:
            cnndm.write(cnndm.from_hub(), wanted)
    punkt_model.fetch(facts.NAME)
    files.fetch(facts.CALIBRATION)


def download_model(variant: str) -> None:
    """Download the fine-tuned checkpoint; for the tiny variant, check that the committed one is complete.

    Raises:
        MissingError: it is not available; the error gives the manual steps.
        RunError: the disk is full, too small or not writable.
    """
    wanted = sources(variant)
    if variant == "reference":
        fetching.fetch_checkpoint(wanted.model)
    fetching.require_checkpoint(wanted.model)
