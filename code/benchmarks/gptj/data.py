"""Locations and downloads of GPT-J's data, vocabulary and models.

The reference variant's model is downloaded from MLCommons' storage (24 GB, fetching.py), its data set through the `datasets` package or
read from a local file. The tiny variant's model is part of the repository, and its data set is generated.
"""

from __future__ import annotations

from pathlib import Path

from code.benchmarks import files
from code.benchmarks.gptj import cnndm, facts, fetching, tiny
from code.benchmarks.text import punkt_model
from code.benchmarks.text.data import VARIANTS
from code.benchmarks.text.parts import Sources
from code.benchmarks.verify import Check, check_file, command
from code.common import download, jsonfile, paths
from code.common.errors import RunError, unknown
from code.common.files import sha256


def sources(variant: str) -> Sources:
    """Paths of a variant's files, which need not exist. Raises UsageError for an unknown variant."""
    if variant == "reference":
        model = paths.build_dir() / facts.MODEL_PATH
        return Sources(paths.build_dir() / facts.DATA_PATH, model, model)
    if variant == "tiny":
        # The name carries the generator's digest, so that a changed generator never reuses older data.
        return Sources(paths.data_dir() / "cnndm-tiny" / f"cnn_eval-{tiny.generator_digest()}.json", tiny.MODEL, tiny.MODEL)
    raise unknown("model variant", variant, VARIANTS)


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


def recorded_scores(beams: int) -> dict[str, float]:
    """The tiny model's recorded scores with so many beams; with a number that was not recorded, those with the benchmark's."""
    recorded = jsonfile.read(tiny.RECORD)["scores"]
    return {name: float(score) for name, score in recorded.get(f"beams_{beams}", recorded[f"beams_{facts.NUM_BEAMS}"]).items()}


def check_calibration() -> Check:
    """The calibration list, for `make verify_data`."""
    return check_file(facts.NAME, facts.CALIBRATION)


def check_checkpoint(folder: Path) -> str:
    """Every file against MLCommons' list where it is there, else against the digest recorded when it was fetched."""
    from code.common.download.record import recorded

    again = command("download_model", facts.NAME)
    fetching.require_checkpoint(folder)
    listed = fetching.listed_digests(files.place(facts.METADATA[1]))
    known = 0
    for path in sorted(folder.iterdir()):
        wanted, kept = listed.get(path.name), recorded(path) if path.suffix != ".sha256" else None
        if wanted and fetching.md5_of(path) != wanted:
            raise RunError(f"{path.name} has another MD5 than MLCommons' list", "", f"run `{again}`, which fetches it again")
        if not wanted and kept and sha256(path) != kept:
            raise RunError(f"{path.name} has changed since it was fetched", "", f"run `{again}`")
        known += bool(wanted or kept)
    return f"complete; digests of {known} files compared"
