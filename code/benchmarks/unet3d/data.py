"""Where 3D-UNet's cases and models are, and how they get there.

The reference variant's volumes are downloaded from where KiTS19's authors publish them: labels are in their Git repository, images in
a data set at Hugging Face. Of its 300 cases the 62 that MLPerf uses are fetched. The tiny variant's model is part of the repository, and
its cases are generated.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from code.benchmarks import files
from code.benchmarks.unet3d import facts, published, tiny
from code.benchmarks.unet3d.manifest import Case
from code.benchmarks.verify import Check
from code.common import console, download, paths
from code.common.errors import HarnessError, MissingError, RunError, unknown
from code.common.files import atomic_directory
from code.rules.benchmark_facts import PublishedFile

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
    """A case of a folder in KiTS19's layout. A copy that MLPerf adds is read from its original where nobody made it."""
    original = facts.COPIES.get(name, name)
    source = folder / (name if (folder / name).is_dir() else original)
    return Case(name, source / facts.IMAGING, source / facts.SEGMENTATION)


def tell_of_copies(cases: Sequence[Case]) -> None:
    """Print which cases are read from their originals."""
    for case in cases:
        if facts.COPIES.get(case.name) == case.imaging.parent.name:
            console.say(f"3d-unet: {case.name} is MLPerf's copy of {case.imaging.parent.name}, from which it is read")


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
    """Download the KiTS19 cases that MLPerf uses and the reference's checksums, or generate the tiny ones; existing files are only checked.

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
    fetch_cases([*facts.EVALUATION_CASES, *facts.CALIBRATION_CASES])
    for file in published.CHECKSUMS:
        files.fetch(file)


def download_model(variant: str) -> None:
    """Fetch the ONNX model; of the tiny variant, check that the repository's own is there. MissingError when it is not available."""
    model = sources(variant).model
    if variant == "reference":
        files.fetch(facts.MODEL)
    elif not model.is_file():
        raise MissingError(
            f"the tiny model's {model.name} does not exist: {model}",
            "it is part of the repository and was removed or not checked out",
            "run `git checkout -- code/benchmarks/unet3d/tiny`",
        )


def downloads(variant: str) -> tuple[PublishedFile, ...]:
    """The cases, the reference's checksums and the model; () for the tiny variant."""
    if variant != "reference":
        return ()
    return (*case_files([*facts.EVALUATION_CASES, *facts.CALIBRATION_CASES]), *published.CHECKSUMS, facts.MODEL)


def check_arrays(folder: Path) -> Iterator[Check]:
    """The checks of the preprocessed cases; see `code.benchmarks.unet3d.checks.arrays`."""
    from code.benchmarks.unet3d import checks

    return checks.arrays(folder)


def case_files(names: Sequence[str]) -> list[PublishedFile]:
    """The published files of cases; MLPerf's copies have none of their own."""
    return [file for name in names if name not in facts.COPIES for file in published.case_files(name)]


def fetch_cases(names: Sequence[str], patience: download.Patience | None = None) -> None:
    """Download the cases of the reference, several files at a time; MLPerf's copies are made from their originals.

    Raises MissingError, RunError: the error of `code.common.download.fetch` for the first file that failed, after the others are done.
    """
    folder = sources("reference").cases
    wanted = case_files(names)
    _require_space(folder, wanted)
    stop = threading.Event()

    def one(file: PublishedFile) -> HarnessError | None:
        if stop.is_set():
            return None
        try:
            files.fetch(file, _steps(folder), patience)
        except (RunError, download.OfflineError) as error:
            stop.set()  # a full disk or no network, not this one file
            return error
        except MissingError as error:
            return error
        return None

    with ThreadPoolExecutor(STREAMS) as pool:
        failed = [error for error in pool.map(one, wanted) if error is not None]
    if failed:
        raise failed[0]
    for copy, original in facts.COPIES.items():
        if copy in names and not (folder / copy / facts.IMAGING).is_file():
            console.say(f"3d-unet: {copy} is MLPerf's copy of {original}")
            with atomic_directory(folder / copy) as out:
                for file in (facts.IMAGING, facts.SEGMENTATION):
                    shutil.copyfile(folder / original / file, out / file)


def _require_space(folder: Path, wanted: Sequence[PublishedFile]) -> None:
    """Check before downloading that the remaining files fit on the disk."""
    needed = sum(file.about for file in wanted if not files.place(file).is_file())
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
        f"on a machine with network access, run `git clone {published.DATA_SOURCE} && cd kits19 && "
        f"git checkout {published.DATA_COMMIT[:12]} && "
        "pip install -r requirements.txt && python -m starter_code.get_imaging` (30 GB), copy its data/case_* folders to "
        f"{folder}, copy case_00185 there as case_00400, then run the same command again; a site without a network sets MLPERF_MIRROR"
    )
