"""Where 3D-UNet's cases and models are, and how they get there.

The reference variant's volumes are downloaded from where KiTS19's authors publish them: labels are in their Git repository, images on
a server of theirs. Of its 300 cases the 62 that MLPerf uses are fetched. The tiny variant's model is part of the repository, and
its cases are generated.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from code.benchmarks.unet3d import facts, tiny
from code.benchmarks.unet3d.manifest import Case
from code.common import console, download, paths
from code.common.errors import HarnessError, MissingError, RunError, unknown
from code.common.files import atomic_directory

VARIANTS = ("reference", "tiny")
STREAMS = 4
"""Number of parallel downloads."""


@dataclass(frozen=True)
class Sources:
    """A variant's cases, one folder each, and its ONNX model."""

    cases: Path
    model: Path


def sources(variant: str) -> Sources:
    """Paths of a variant's files, which need not exist. Raises UsageError for an unknown variant."""
    if variant == "reference":
        return Sources(paths.build_dir() / facts.DATA_PATH, paths.build_dir() / facts.MODEL.path)
    if variant == "tiny":
        # The name carries the generator's digest, so that a changed generator never reuses older volumes.
        return Sources(paths.data_dir() / f"kits19-tiny-{tiny.generator_digest()}", tiny.MODEL)
    raise unknown("model variant", variant, VARIANTS)


def evaluation_cases(folder: Path) -> list[Case]:
    """LoadGen's samples in order, from a folder with KiTS19's layout."""
    return [case_in(folder, name) for name in facts.EVALUATION_CASES]


def case_in(folder: Path, name: str) -> Case:
    """A case of a folder in KiTS19's layout."""
    return Case(name, folder / name / facts.IMAGING, folder / name / facts.SEGMENTATION)


def cases_of(path: Path, segmentation: str) -> list[Case]:
    """The cases of data_path: every folder in it with images or labels in KiTS19's layout, or a single image.

    Args:
        segmentation: the labels of a single image.

    Raises MissingError if there is none.
    """
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if (p / facts.IMAGING).exists() or (p / facts.SEGMENTATION).exists())
        if found:
            return [case_in(path, p.name) for p in found]
        raise MissingError(
            f"no cases in {path}",
            f"each is a folder with {facts.IMAGING} and {facts.SEGMENTATION}",
            "select such a folder with --data_path, or one image with --data_path and its labels with --unet3d_segmentation_path",
        )
    if not path.is_file():
        raise MissingError(f"there is no {path}", "", "select a folder of cases, or one NIfTI image, with --data_path=…")
    if not segmentation:
        raise MissingError(
            f"{path} has no labels", "DICE needs the classes of its voxels", "set them with --unet3d_segmentation_path"
        )
    return [Case(path.name.split(".")[0], path, Path(segmentation))]


def download_data(variant: str) -> None:
    """Download the KiTS19 cases that MLPerf uses, or generate the tiny ones; existing files are only checked.

    Raises:
        MissingError: they cannot be downloaded; the error gives the manual steps.
        RunError: the disk is full or not writable.
    """
    folder = sources(variant).cases
    if variant == "tiny":
        if not folder.is_dir():
            from code.benchmarks.unet3d.tiny import cases

            cases.generate(folder)
        return
    fetch_cases(folder, [*facts.EVALUATION_CASES, *facts.CALIBRATION_CASES])


def download_model(variant: str) -> None:
    """Fetch the ONNX model; of the tiny variant, check that the repository's own is there. MissingError when it is not available."""
    model = sources(variant).model
    if variant == "reference":
        download.fetch(
            facts.MODEL.url,
            model,
            label=facts.MODEL.label,
            manual_steps=_by_hand(facts.MODEL.url, model, f"about {facts.MODEL.megabytes:,} MB"),
        )
    elif not model.is_file():
        raise MissingError(
            f"the tiny model's {model.name} does not exist: {model}",
            "it is part of the repository and was removed or not checked out",
            "run `git checkout -- code/benchmarks/unet3d/tiny`",
        )


def fetch_cases(
    folder: Path,
    names: Sequence[str],
    *,
    imaging_url: str = facts.IMAGING_URL,
    segmentation_url: str = facts.SEGMENTATION_URL,
    patience: download.Patience | None = None,
) -> None:
    """Download cases into a folder in KiTS19's layout, several files at a time; MLPerf's copies are made from their originals.

    Raises MissingError, RunError: the error of `code.common.download.fetch` for the first file that failed, after the others are done.
    """
    originals = [name for name in names if name not in facts.COPIES]
    files = []
    for name in originals:
        number = int(name.removeprefix("case_"))
        files.append((segmentation_url.format(case=name, number=number), folder / name / facts.SEGMENTATION, f"{name} labels"))
        files.append((imaging_url.format(case=name, number=number), folder / name / facts.IMAGING, f"{name} image"))
    _require_space(folder, files)
    stop = threading.Event()

    def one(url: str, target: Path, label: str) -> HarnessError | None:
        if stop.is_set():
            return None
        try:
            download.fetch(url, target, label=label, manual_steps=_steps(folder), patience=patience)
        except RunError as error:
            stop.set()  # a full disk, not this one file
            return error
        except MissingError as error:
            if "cannot be reached" in error.why:
                stop.set()
            return error
        return None

    with ThreadPoolExecutor(STREAMS) as pool:
        failed = [error for error in pool.map(lambda file: one(*file), files) if error is not None]
    if failed:
        raise failed[0]
    for copy, original in facts.COPIES.items():
        if copy in names and not (folder / copy / facts.IMAGING).is_file():
            console.say(f"3d-unet: {copy} is MLPerf's copy of {original}")
            with atomic_directory(folder / copy) as out:
                for file in (facts.IMAGING, facts.SEGMENTATION):
                    shutil.copyfile(folder / original / file, out / file)


def _require_space(folder: Path, files: Sequence[tuple[str, Path, str]]) -> None:
    """Check before downloading that the remaining files fit on the disk."""
    lacking = sum(1 for _, target, _ in files if not target.is_file()) / max(1, len(files))
    needed = (
        facts.DATA_MEGABYTES
        * 2**20
        * lacking
        * len(files)
        / (2 * (len(facts.EVALUATION_CASES) + len(facts.CALIBRATION_CASES) - 1))
    )
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise RunError(
            f"not enough space for KiTS19 in {folder}",
            f"about {needed / 2**20:,.0f} MiB remain to download, but {free / 2**20:,.0f} MiB are free",
            "free some space or set MLPERF_SCRATCH_PATH to a larger disk, then run the same command again",
        )


def _steps(folder: Path) -> str:
    return (
        f"on a machine with network access, run `git clone {facts.DATA_SOURCE} && cd kits19 && pip install -r requirements.txt && "
        f"python -m starter_code.get_imaging` (30 GB), copy its data/case_* folders to {folder}, "
        "copy case_00185 there as case_00400, then run the same command again"
    )


def _by_hand(url: str, target: Path, size: str) -> str:
    return (
        f"on a machine with network access, run `curl -L -o {target.name} '{url}'` ({size}), copy the file to {target}, "
        "then run the same command again"
    )
