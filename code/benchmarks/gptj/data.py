"""Locations and downloads of GPT-J's data, vocabulary and models.

The reference variant's model is downloaded from MLPerf's server (24 GB), its data set through the `datasets` package or
read from a local file. The tiny variant's model is part of the repository, and its data set is generated.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from code.benchmarks.gptj import bpe, cnndm, facts, sentences, tiny
from code.benchmarks.gptj.checkpoint import open_checkpoint
from code.common import console, download, paths
from code.common.errors import MissingError, RunError, UsageError, unknown
from code.common.files import atomic_directory

VARIANTS = ("reference", "tiny")
PUNKT_URL = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/tokenizers/punkt_tab.zip"
CALIBRATION_URL = "https://raw.githubusercontent.com/mlcommons/inference/v4.1/calibration/CNNDailyMail/calibration-list.txt"
CALIBRATION_LIST = "cnn-daily-mail/calibration-list.txt"
UNPACKED_GB = 48
"""Disk space in GB for the archive and for the checkpoint unpacked beside it."""


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
        cnndm.write(cnndm.from_hub(), wanted)
    fetch_punkt()
    target = paths.data_dir() / CALIBRATION_LIST
    steps = f"copy calibration/CNNDailyMail/calibration-list.txt of MLCommons Inference v4.1 to {target}"
    download.fetch(CALIBRATION_URL, target, label="GPT-J's calibration list", manual_steps=steps)


def fetch_punkt() -> None:
    """Install NLTK's English sentence model below build/data/nltk_data if it is missing."""
    if sentences.have_punkt():
        return
    folder = sentences.model_folder().parents[1]
    archive = folder / "punkt_tab.zip"
    steps = f"download {PUNKT_URL} on a machine with network access, copy it to {archive} and run the same command again"
    if not archive.is_file():
        download.fetch(PUNKT_URL, archive, label="NLTK's sentence model", manual_steps=steps)
    try:
        with zipfile.ZipFile(archive) as packed, atomic_directory(folder / "punkt_tab") as made:
            for name in packed.namelist():
                if name.startswith("punkt_tab/english/") and not name.endswith("/"):
                    target = made / "english" / Path(name).name
                    target.parent.mkdir(exist_ok=True)
                    target.write_bytes(packed.read(name))
    except zipfile.BadZipFile as error:
        raise RunError(f"{archive} is damaged", str(error), f"remove it; {steps}") from error


def download_model(variant: str) -> None:
    """Download and unpack the fine-tuned checkpoint; for the tiny variant, check that the committed one is complete.

    Raises:
        MissingError: it is not available; the error gives the manual steps.
        RunError: the disk is full, too small or not writable.
    """
    wanted = sources(variant)
    if variant == "tiny":
        open_checkpoint(wanted.model)
        bpe.find(wanted.vocabulary)
        return
    if not wanted.model.is_dir():
        _fetch_checkpoint(wanted.model)
    open_checkpoint(wanted.model)
    bpe.find(wanted.vocabulary)


def _fetch_checkpoint(target: Path) -> None:
    archive = target.parent / "gptj6b.zip"
    steps = (
        f"on a machine with network access, download {facts.MODEL_URL} (about 24 GB), unpack it, and copy its folder checkpoint-final to "
        f"{target}"
    )
    if not archive.is_file():
        _require_space(target.parent, UNPACKED_GB)
        download.fetch(facts.MODEL_URL, archive, label="GPT-J 6B, fine-tuned", manual_steps=steps)
    try:
        with zipfile.ZipFile(archive) as packed, atomic_directory(target) as folder:
            members = [m for m in packed.infolist() if "checkpoint-final/" in m.filename and not m.is_dir()]
            if not members:
                raise zipfile.BadZipFile("it contains no folder checkpoint-final")
            with console.Progress("unpacking GPT-J", sum(m.file_size for m in members), "B") as progress:
                for member in members:
                    with packed.open(member) as source, (folder / Path(member.filename).name).open("wb") as out:
                        shutil.copyfileobj(source, out, 1 << 22)
                    progress.advance(member.file_size)
    except zipfile.BadZipFile as error:
        raise RunError(f"{archive} is damaged", str(error), f"remove it and run the same command again; or {steps}") from error
    archive.unlink()


def _require_space(folder: Path, gigabytes: float) -> None:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free < gigabytes:
        raise RunError(
            f"not enough space for GPT-J's checkpoint in {folder}",
            f"archive and checkpoint need {gigabytes:g} GB during unpacking, but {free:.1f} GB are free",
            "free some space, or set MLPERF_SCRATCH_PATH to a larger disk",
        )
