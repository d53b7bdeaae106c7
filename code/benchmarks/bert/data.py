"""Locations and downloads of BERT's data, vocabulary and models.

The reference variant's files are downloaded from where MLPerf publishes them. The tiny variant's model and vocabulary are part of
the repository, and its data set is generated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from code.benchmarks import files
from code.benchmarks.bert import facts, tiny
from code.common import paths
from code.common.errors import MissingError, unknown

VARIANTS = ("reference", "tiny")
MODEL_FILES = (facts.VOCABULARY, facts.MODEL, facts.MODEL_INT8)


@dataclass(frozen=True)
class Sources:
    """The three input files.

    Attributes:
        squad_json: questions and answers, SQuAD v1.1.
        vocab: the WordPiece vocabulary the model was trained with.
        model: the ONNX model.
    """

    squad_json: Path
    vocab: Path
    model: Path


def sources(variant: str) -> Sources:
    """Paths of a variant's files, which need not exist. Raises UsageError for an unknown variant."""
    if variant == "reference":
        return Sources(files.place(facts.DEV_SET), files.place(facts.VOCABULARY), files.place(facts.MODEL))
    if variant == "tiny":
        # The name carries the generator's digest, so that a changed generator never reuses older data.
        dev = paths.data_dir() / "squad-tiny" / f"dev-v1.1-{tiny.generator_digest()}.json"
        return Sources(dev, tiny.VOCAB, tiny.MODEL)
    raise unknown("model variant", variant, VARIANTS)


def preprocessed(variant: str) -> Path:
    """The folder of a variant's arrays."""
    return paths.preprocessed_dir() / facts.NAME / variant


def download_data(variant: str) -> None:
    """Download the SQuAD dev set, or generate the tiny one; existing files are only checked.

    Raises:
        MissingError: it cannot be downloaded; the error gives the manual steps.
        RunError: the disk is full or not writable.
    """
    wanted = sources(variant).squad_json
    if variant == "reference":
        files.fetch(facts.DEV_SET)
    elif not wanted.is_file():
        tiny.generate_dev(wanted)


def download_model(variant: str) -> None:
    """Download the vocabulary and the fp32 and int8 models; for the tiny variant, check that the committed files exist.

    Raises:
        MissingError: one is not available; the error gives the manual steps.
        RunError: the disk is full or not writable.
    """
    if variant == "reference":
        for file in MODEL_FILES:
            files.fetch(file)
        return
    wanted = sources(variant)
    for path in (wanted.vocab, wanted.model):
        if not path.is_file():
            raise MissingError(
                f"the tiny model's {path.name} does not exist: {path}",
                "it is part of the repository and was removed or not checked out",
                "run `git checkout -- code/benchmarks/bert/tiny`",
            )


def preprocess_data(
    variant: str,
    *,
    inputs: Sources | None = None,
    out: Path | None = None,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> bool:
    """Make a variant's arrays unless they exist and were made from the same inputs.

    Args:
        inputs, out: files and folder to use instead of the variant's own.
        workers, progress: as for `code.benchmarks.bert.preprocess.preprocess`.

    Returns:
        Whether anything had to be done.

    Raises:
        MissingError, UsageError: an input is missing or invalid.
        RunError: the disk is full or not writable.
    """
    from code.benchmarks.bert.preprocess import is_current, preprocess

    inputs = inputs or sources(variant)
    out = out or preprocessed(variant)
    if is_current(out, inputs.squad_json, inputs.vocab):
        return False
    preprocess(inputs.squad_json, inputs.vocab, out, workers=workers, progress=progress)
    return True
