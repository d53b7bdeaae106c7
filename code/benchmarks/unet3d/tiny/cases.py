"""The evaluation set of the tiny variant: 42 phantoms in NIfTI files, laid out and named as KiTS19's cases, and MLPerf's copy of one."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np

from code.benchmarks.unet3d import facts, processes
from code.benchmarks.unet3d.tiny.phantom import Phantom, phantom
from code.common import console
from code.common.files import atomic_directory, storage_error

SKEW = 4.0
"""Most cases are small, a few are large; with it, a pass over all of them is some 400 windows."""


def evaluation_phantom(case: str) -> Phantom:
    """The phantom of an evaluation case; every one has a tumour, as every patient of KiTS19 has."""
    return phantom(f"evaluation {facts.COPIES.get(case, case)}", skew=SKEW)


def generate(folder: Path, workers: int | None = None) -> None:
    """Write the evaluation set to `folder`, whole or not at all. RunError where the disk is full or it cannot be written."""
    originals = [case for case in facts.EVALUATION_CASES if case not in facts.COPIES]
    count = max(1, min(workers or processes.cores(), len(originals)))
    with atomic_directory(folder) as out, console.Progress("drawing phantoms", len(originals), "cases") as bar:
        with processes.pool(count) as pool:
            for _ in pool.map(_write_case, [out] * len(originals), originals):
                bar.advance(1)
        for copy, original in facts.COPIES.items():
            shutil.copytree(out / original, out / copy)


def voxel_digest(case: str) -> str:
    """SHA-256 of an evaluation case's voxels, labels and spacing, whatever compresses the files."""
    made = evaluation_phantom(case)
    digest = hashlib.sha256(repr((made.image.shape, made.spacing)).encode())
    digest.update(np.ascontiguousarray(made.image.astype("<i2")).tobytes())
    digest.update(np.ascontiguousarray(made.label).tobytes())
    return digest.hexdigest()


def write(made: Phantom, folder: Path) -> None:
    """Write a phantom as a KiTS19 case: imaging.nii.gz (int16) and segmentation.nii.gz (uint8), axes and signs as KiTS19 has them."""
    import nibabel

    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = -made.spacing[0], -made.spacing[1], -made.spacing[2], 1.0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(made.image, affine), folder / facts.IMAGING)
        nibabel.save(nibabel.Nifti1Image(made.label, affine), folder / facts.SEGMENTATION)
    except OSError as error:
        raise storage_error(error, folder) from error


def _write_case(out: Path, case: str) -> None:
    write(evaluation_phantom(case), out / case)
