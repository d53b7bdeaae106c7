"""Reads NIfTI volumes strictly: a volume that cannot be segmented is an error that names the defect."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.benchmarks.unet3d import facts
from code.common.errors import HarnessError, MissingError, UsageError

REPLACE = "replace the file with a complete one, or remove the case"


@dataclass(frozen=True)
class Volume:
    """A NIfTI file's voxels.

    Attributes:
        voxels: float32 [D, H, W] of an image, uint8 of labels; contiguous along D, as in the file.
        spacing: millimetres from voxel to voxel along the three axes, as the header has them.
        affine: voxel indices to millimetres in the patient, float64 [4, 4].
    """

    voxels: NDArray[Any]
    spacing: tuple[float, float, float]
    affine: NDArray[np.float64]


def read_image(path: Path) -> Volume:
    """A CT in Hounsfield units. MissingError without the file, UsageError for a damaged file or unusable volume."""
    image, spacing = _open(path)
    try:
        voxels = _values(image)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _damaged(path, error) from error
    if not np.isfinite([voxels.min(), voxels.max()]).all():
        odd = int(voxels.size - np.isfinite(voxels).sum())
        raise UsageError(
            f"{path} has {odd:,} voxels that are not numbers", f"of {voxels.size:,}; CT values must be finite", REPLACE
        )
    return Volume(voxels, spacing, image.affine)


def read_labels(path: Path, shape: tuple[int, ...], classes: Mapping[int, int] | None = None) -> Volume:
    """The classes of an image of that shape.

    Args:
        classes: label number → class; other numbers are background. Default: the numbers are the classes.

    Raises MissingError without the file, UsageError for a damaged file, another shape or unknown numbers.
    """
    image, spacing = _open(path)
    if tuple(image.shape) != tuple(shape):
        raise UsageError(
            f"{path} has {list(image.shape)} voxels, the image {list(shape)}", "labels must have the image's shape", REPLACE
        )
    try:
        numbers = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _damaged(path, error) from error
    if classes is None:
        _require_classes(path, numbers)
        return Volume(numbers.astype(np.uint8), spacing, image.affine)
    voxels = np.zeros_like(numbers, dtype=np.uint8)
    for number, kind in classes.items():
        voxels[numbers == number] = kind
    return Volume(voxels, spacing, image.affine)


def _require_classes(path: Path, numbers: NDArray[Any]) -> None:
    """UsageError for a label that is not a class."""
    if numbers.dtype.kind in "iu" and numbers.min() >= 0 and numbers.max() < len(facts.CLASSES):
        return
    odd = [n for n in np.unique(numbers).tolist() if n not in range(len(facts.CLASSES))]
    if odd:
        raise UsageError(
            f"{path} has the labels {', '.join(f'{n:g}' for n in odd[:8])}",
            "KiTS19's are 0 background, 1 kidney and 2 tumour",
            "map them to classes with --unet3d_label_map, for example 2:1,3:1",
        )


def voxel_count(path: Path) -> int:
    """Number of voxels according to the header, 0 if it cannot be read."""
    try:
        return math.prod(_open(path, inflate=False)[0].shape)
    except HarnessError:
        return 0


def _open(path: Path, inflate: bool = True) -> tuple[Any, tuple[float, float, float]]:
    """The image, without reading its voxels, and its spacing; `inflate`: the voxels will be read."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        plain = _require_spacing(path)
        image = _inflated(path) if inflate and plain and path.suffix == ".gz" else nibabel.load(path)
        if not isinstance(image, (nibabel.Nifti1Image, nibabel.Nifti1Pair)):
            raise UsageError(f"{path} is not a NIfTI file but {type(image).__name__}", "", REPLACE)
        spacing = tuple(float(step) for step in image.header["pixdim"][1:4].tolist())
    except FileNotFoundError as error:
        raise MissingError(f"there is no {path}", "the case is incomplete", "add the file, or remove the case") from error
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error) as error:
        raise _damaged(path, error) from error
    if len(image.shape) != 3:
        raise UsageError(
            f"{path} has {len(image.shape)} dimensions: {list(image.shape)}",
            "a case is one volume, [D, H, W]",
            "split it, or remove it",
        )
    if 0 in image.shape:
        raise UsageError(f"{path} has no voxels: {list(image.shape)}", "", REPLACE)
    return image, (spacing[0], spacing[1], spacing[2])


def _inflated(path: Path) -> Any:
    """A compressed NIfTI-1 file, inflated at once: NiBabel's chunks of a few KiB take half as long again."""
    import nibabel

    return nibabel.Nifti1Image.from_bytes(gzip.decompress(path.read_bytes()))


def _require_spacing(path: Path) -> bool:
    """Check the raw header, because NiBabel reads a spacing of zero as one millimetre; whether it is single-file NIfTI-1."""
    import nibabel
    from nibabel.openers import ImageOpener
    from nibabel.wrapstruct import WrapStructError

    with ImageOpener(path) as source:
        try:
            header = nibabel.Nifti1Header.from_fileobj(source, check=False)
        except WrapStructError:
            return False  # not a NIfTI-1 header; loading the file reports what it is
    spacing = [float(step) for step in header["pixdim"][1:4]]
    if header["sizeof_hdr"] == 348 and not all(math.isfinite(step) and step != 0 for step in spacing):
        raise UsageError(
            f"{path} has a spacing of {' × '.join(f'{step:g}' for step in spacing)} mm",
            "without the distance between voxels the volume cannot be resampled",
            "correct the header's pixdim, or remove the case",
        )
    return bool(header["magic"].item() == b"n+1")


def _values(image: Any) -> NDArray[np.float32]:
    """Scaled in float64 by slope and intercept, then rounded to float32."""
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    if slope in (None, 1) and intercept in (None, 0):
        return np.asarray(image.dataobj.get_unscaled()).astype(np.float32)
    return np.asarray(image.get_fdata(caching="unchanged")).astype(np.float32)


def _damaged(path: Path, error: BaseException) -> UsageError:
    words = str(error).strip().splitlines()
    why = words[0] if words else type(error).__name__
    if isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile)):
        why = f"the compressed data is truncated or corrupt ({why})"
    return UsageError(f"{path} cannot be read as NIfTI", why, REPLACE)
