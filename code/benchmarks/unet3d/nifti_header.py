"""Reads the header of a NIfTI-1 file and refuses what is not one usable volume, before anything is inflated or allocated.

Format: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
"""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from code.benchmarks.unet3d import facts
from code.common.errors import UsageError
from code.common.files import require_regular

REPLACE = "replace the file with a complete one, or remove the case"
SIZE = 348
SCALARS = {2: 1, 4: 2, 8: 4, 16: 4, 64: 8, 256: 1, 512: 2, 768: 4, 1024: 8, 1280: 8}
"""Code of a type of numbers → bytes of a voxel."""
OTHERS = {128: "RGB", 2304: "RGBA", 32: "complex", 1792: "complex", 2048: "complex", 1536: "float128", 1: "binary"}
MOST_VOXELS = 1 << 30
"""Of a volume, before and after resampling: 4 GiB in float32, four times the largest case of KiTS19."""
SPACING_MM = (0.01, 100.0)
"""Least and most distance between voxels of a scanner."""


@dataclass(frozen=True)
class Header:
    """A usable volume's header.

    Args:
        single: whether header and voxels are in one file.
        shape: voxels along each axis.
        spacing: millimetres from voxel to voxel.
        size: bytes of the whole file, inflated, if it is a single one.
    """

    single: bool
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    size: int


def read(path: Path) -> Header | None:
    """The header of a NIfTI-1 file; None for another format, which may be NIfTI-2.

    UsageError for a volume that cannot be used. Raises what opening and inflating the file raises.
    """
    require_regular(path)
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as source:
        raw = source.read(SIZE)
    order = next((order for order in "<>" if raw[:4] == struct.pack(order + "i", SIZE)), "")
    if len(raw) < SIZE or not order or raw[344:347] not in (b"n+1", b"ni1"):
        return None
    dims = struct.unpack_from(order + "8h", raw, 40)
    kind = struct.unpack_from(order + "h", raw, 70)[0]
    spacing = struct.unpack_from(order + "8f", raw, 76)[1:4]
    offset = struct.unpack_from(order + "f", raw, 108)[0]
    count = dims[0]
    shape = dims[1 : 1 + count] if 1 <= count <= 7 else ()
    if kind not in SCALARS:
        name = OTHERS.get(kind, f"of type {kind}")
        raise UsageError(f"{path} has voxels that are not numbers: {name}", "a CT has one number for each voxel", REPLACE)
    require_volume(path, shape, spacing)
    single = raw[344:347] == b"n+1"
    if single and not (math.isfinite(offset) and SIZE <= offset <= 1 << 30):
        raise UsageError(f"{path} has its voxels at byte {offset:g}", "they begin after the header, which has 348 bytes", REPLACE)
    size = (int(offset) if single else 0) + SCALARS[kind] * math.prod(shape)
    return Header(single, (shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2]), size)


def require_volume(path: Path, shape: Sequence[int], spacing: Sequence[float]) -> None:
    """UsageError for what is not one volume with a size and a spacing that can be resampled."""
    if len(shape) != 3:
        raise UsageError(
            f"{path} has {len(shape)} dimensions: {list(shape)}", "a case is one volume, [D, H, W]", "split it, or remove it"
        )
    if min(shape) < 1:
        raise UsageError(f"{path} has no voxels: {list(shape)}", "", REPLACE)
    least, most = SPACING_MM
    if not all(least <= step <= most for step in spacing):
        raise UsageError(
            f"{path} has a spacing of {' × '.join(f'{step:g}' for step in spacing)} mm",
            f"voxels are {least:g} to {most:g} mm apart; without their distance the volume cannot be resampled",
            "correct the header's pixdim, or remove the case",
        )
    after = [size * have / want for size, have, want in zip(shape, spacing, facts.TARGET_SPACING_MM, strict=True)]
    for what, voxels in (("", math.prod(shape)), (" after resampling", math.prod(after))):
        if voxels > MOST_VOXELS:
            why = f"at most {MOST_VOXELS:,} fit; it has {list(shape)} at {' × '.join(f'{step:g}' for step in spacing)} mm"
            raise UsageError(f"{path} has {voxels:,.0f} voxels{what}", why, REPLACE)
