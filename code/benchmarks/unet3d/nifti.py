"""Reads NIfTI volumes strictly: a volume that cannot be segmented is an error that names the defect."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.benchmarks.unet3d import facts, nifti_header
from code.benchmarks.unet3d.nifti_header import REPLACE
from code.common.errors import HarnessError, MissingError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

GZIP = 31
"""zlib's window bits for gzip data."""
UNREADABLE: tuple[type[BaseException], ...] = (OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error)
"""What reading damaged files raises."""


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
    except UNREADABLE as error:
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
    except UNREADABLE as error:
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
        header = nifti_header.read(path)
        return math.prod(header.shape) if header is not None else math.prod(_open(path)[0].shape)
    except (HarnessError, OSError, EOFError, zlib.error):
        return 0


def _open(path: Path) -> tuple[Any, tuple[float, float, float]]:
    """The image, with its voxels inflated but not converted, and its spacing."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        header = nifti_header.read(path)
        if header is not None and header.single and path.suffix == ".gz":
            image = nibabel.Nifti1Image.from_bytes(_inflated(path.read_bytes(), header.size))
        else:
            image = nibabel.load(path)
        if not isinstance(image, (nibabel.Nifti1Image, nibabel.Nifti1Pair)):
            raise UsageError(f"{path} is not a NIfTI file but {type(image).__name__}", "", REPLACE)
        spacing = tuple(float(step) for step in image.header["pixdim"][1:4].tolist())
        shape = tuple(int(size) for size in image.shape)
        usable = image.get_data_dtype().kind in "iuf" and bool(np.isfinite(image.affine).all())
    except FileNotFoundError as error:
        raise MissingError(f"there is no {path}", "the case is incomplete", "add the file, or remove the case") from error
    except (*UNREADABLE, ImageFileError, HeaderDataError) as error:
        raise _damaged(path, error) from error
    nifti_header.require_volume(path, shape, spacing)
    if not usable:
        raise UsageError(f"{path} has voxels or a position that are not numbers", "", REPLACE)
    return image, (spacing[0], spacing[1], spacing[2])


def _inflated(data: bytes, most: int) -> bytes:
    """The content of a gzip file, in one go: NiBabel inflates in pieces of a few KiB, which takes half as long again.

    Args:
        most: bytes that the header implies; what is beyond is not inflated.

    EOFError or zlib.error for data that ends early or is corrupt.
    """
    out: list[bytes] = []
    left = most + 1  # one more, so that the end of the data and its check sum are met
    while data and left > 0:
        engine = zlib.decompressobj(GZIP)
        out.append(engine.decompress(data, left))
        left -= len(out[-1])
        if not engine.eof and left > 0:
            raise EOFError("it ends before its end marker")
        data = engine.unused_data.lstrip(b"\0")
    return b"".join(out)[:most]


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
