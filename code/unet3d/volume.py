"""One case from scanner voxels to what the network reads: the reference's steps, in its order and in its types.

Resample to 1.6 × 1.2 × 1.2 mm, clip and normalise, extend short edges to the window by repeating the outermost voxels, and crop or pad
every edge to whole window steps, so that the windows fit exactly (preprocess.py of the reference's vision/medical_imaging/3d-unet-kits19).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.unet3d import facts, resample
from code.unet3d.windows import Windows

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Geometry:
    """How a case's preprocessed voxels lie in the scanner's.

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
    if tuple(spacing) != facts.TARGET_SPACING_MM:
        image = resample.linear(image, factors, float(image.min()))
        label = resample.nearest(label, factors, int(label.min()))
    resampled = _triple(image.shape)
    image = normalise(image)
    edges = [_edge_padding(size, window) for size, window in zip(resampled, windows.roi, strict=True)]
    image, label = np.pad(image, edges, mode="edge"), np.pad(label, edges, mode="edge")
    crops = [_crop(size, step) for size, step in zip(image.shape, windows.strides, strict=True)]
    inside = tuple(slice(low, size - high) for size, (low, high) in zip(image.shape, crops, strict=True))
    image, label = image[inside], label[inside]
    ends = [_step_padding(*sizes) for sizes in zip(image.shape, windows.roi, windows.strides, strict=True)]
    image = np.pad(image, ends, mode="constant", constant_values=facts.PADDING_VALUE)
    label = np.pad(label, ends, mode="constant", constant_values=0)
    shift = _triple(edges[a][0] - crops[a][0] + ends[a][0] for a in range(3))
    geometry = Geometry(spacing, factors, before, resampled, shift, _triple(image.shape))
    return np.ascontiguousarray(image), np.ascontiguousarray(label), geometry


def resampled_affine(affine: NDArray[np.float64], geometry: Geometry) -> NDArray[np.float64]:
    """Indices of the resampled volume to millimetres in the patient, float64 [4, 4]: each axis as long as its new step."""
    out = np.array(affine, dtype=np.float64)
    for axis, (have, want) in enumerate(zip(geometry.spacing, facts.TARGET_SPACING_MM, strict=True)):
        out[:3, axis] *= want / have
    return out


def normalise(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Clipped to the range of soft tissue, about mean 0 and deviation 1 (of KiTS19's kidneys)."""
    out = np.clip(image, *facts.CLIP)
    out -= facts.MEAN
    out /= facts.STDDEV
    return out


def _edge_padding(size: int, window: int) -> tuple[int, int]:
    lacking = max(0, window - size)
    return lacking // 2, lacking - lacking // 2


def _crop(size: int, step: int) -> tuple[int, int]:
    """Less than half a step beyond the last whole one is cut off."""
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
