"""Transforms one case from scanner voxels to the network's input: the reference's steps, in its order and with its types.

Resample to 1.6 × 1.2 × 1.2 mm, clip and normalise, extend short edges to the window by repeating the outermost voxels, and crop or pad
every edge to a multiple of the window step, so that the windows fit exactly. Source: preprocess.py of the
reference's vision/medical_imaging/3d-unet-kits19.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from code.benchmarks.unet3d import facts, resample
from code.harness.python.windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Geometry:
    """Geometry of a case's preprocessed voxels relative to the scanner's.

    Attributes:
        spacing: millimetres between the scanner's voxels along D, H, W.
        zoom: new voxels per old one along each axis.
        shape: of the scanner's volume.
        resampled: after resampling.
        shift: voxels before the resampled volume's first one along each axis; negative where that many were cropped.
        padded: of the preprocessed volume.
    """

    spacing: tuple[float, float, float]
    zoom: tuple[float, float, float]
    shape: Triple
    resampled: Triple
    shift: Triple
    padded: Triple


def prepare(
    image: NDArray[np.float32], label: NDArray[np.uint8], spacing: tuple[float, float, float], windows: Windows
) -> tuple[NDArray[np.float32], NDArray[np.uint8], Geometry]:
    """The network's input and the labels in its space, float32 and uint8 [D', H', W'] of whole window steps.

    Args:
        image: Hounsfield units, float32 [D, H, W].
        label: classes, uint8 [D, H, W].
    """
    zoom = tuple(have / want for have, want in zip(spacing, facts.TARGET_SPACING_MM, strict=True))
    factors = (zoom[0], zoom[1], zoom[2])
    before = _triple(image.shape)
    resample_it = tuple(spacing) != facts.TARGET_SPACING_MM
    resampled = _triple(map(resample.new_size, before, factors)) if resample_it else before
    edges = [_edge_padding(size, window) for size, window in zip(resampled, windows.roi, strict=True)]
    extended = [size + low + high for size, (low, high) in zip(resampled, edges, strict=True)]
    crops = [_crop(size, step) for size, step in zip(extended, windows.strides, strict=True)]
    # Voxels that will be cropped are not computed, except on an axis that is extended first.
    early = [crop if edge == (0, 0) else (0, 0) for crop, edge in zip(crops, edges, strict=True)]
    part = _inside(resampled, early)
    if resample_it:
        image = resample.linear(image, factors, float(image.min()), part)
        label = resample.nearest(label, factors, int(label.min()), part)
    else:
        image, label = image[part], label[part]
    image = _padded(normalise(image), edges, mode="edge")
    label = _padded(label, edges, mode="edge")
    late = [(low - done[0], high - done[1]) for (low, high), done in zip(crops, early, strict=True)]
    inside = _inside(_triple(image.shape), late)
    image, label = image[inside], label[inside]
    ends = [_step_padding(*sizes) for sizes in zip(image.shape, windows.roi, windows.strides, strict=True)]
    image = _padded(image, ends, mode="constant", constant_values=facts.PADDING_VALUE)
    label = _padded(label, ends, mode="constant", constant_values=0)
    shift = _triple(edges[a][0] - crops[a][0] + ends[a][0] for a in range(3))
    geometry = Geometry(spacing, factors, before, resampled, shift, _triple(image.shape))
    return np.ascontiguousarray(image), np.ascontiguousarray(label), geometry


def resampled_affine(affine: NDArray[np.float64], geometry: Geometry) -> NDArray[np.float64]:
    """Indices of the resampled volume to millimetres in the patient, float64 [4, 4], scaled by each axis' new step."""
    out = np.array(affine, dtype=np.float64)
    for axis, (have, want) in enumerate(zip(geometry.spacing, facts.TARGET_SPACING_MM, strict=True)):
        out[:3, axis] *= want / have
    return out


def normalise(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Clip to the range of soft tissue and normalise to about mean 0 and deviation 1 (of KiTS19's kidneys)."""
    out = np.clip(image, *facts.CLIP)
    out -= facts.MEAN
    out /= facts.STDDEV
    return out


def _inside(shape: Triple, crops: Sequence[tuple[int, int]]) -> tuple[slice, slice, slice]:
    """A volume without the first and last voxels of each axis."""
    d, h, w = (slice(low, size - high) for size, (low, high) in zip(shape, crops, strict=True))
    return d, h, w


def _padded(volume: NDArray[Any], ends: Sequence[tuple[int, int]], **how: Any) -> NDArray[Any]:
    """`np.pad` that does not copy when nothing is added."""
    return np.pad(volume, ends, **how) if any(map(any, ends)) else volume


def _edge_padding(size: int, window: int) -> tuple[int, int]:
    lacking = max(0, window - size)
    return lacking // 2, lacking - lacking // 2


def _crop(size: int, step: int) -> tuple[int, int]:
    """Crop if less than half a step extends beyond the last whole one."""
    excess = size % step
    excess = excess if excess < step // 2 else 0
    return excess // 2, excess - excess // 2


def _step_padding(size: int, window: int, step: int) -> tuple[int, int]:
    lacking = (step - size % step) % step
    if size + lacking < window:
        lacking += step
    return lacking // 2, lacking - lacking // 2


def _triple(numbers: Any) -> Triple:
    d, h, w = (int(n) for n in numbers)
    return d, h, w
