"""Volumes at another spacing: what `scipy.ndimage.zoom` gives (mode 'constant', grid_mode off), to the last bit and faster.

The reference resamples images linearly and labels to the nearest voxel. Both are separable in what they read, so the positions and
weights of an axis are computed once, and whole planes are combined instead of voxel by voxel. The products and sums are SciPy's own,
in its order and in double, which is why the result is the same and digests of it can be compared. What SciPy does at the far end is
kept, too: a position that rounding pushes past the last voxel takes the fill value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class _Axis:
    """Where an axis' new voxels lie between the old ones: indices below and above, their weights, and which lie outside."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    of_low: NDArray[np.float64]
    of_high: NDArray[np.float64]
    outside: NDArray[np.bool_]


def new_size(old: int, factor: float) -> int:
    """Voxels of an axis after resampling; Python's rounding, as SciPy does it."""
    return round(old * factor)


def _positions(old: int, new: int) -> NDArray[np.float64]:
    step = (old - 1) / (new - 1) if new > 1 else 1.0
    return np.arange(new, dtype=np.float64) * step


def _linear(old: int, new: int) -> _Axis:
    at = _positions(old, new)
    floor = np.floor(at)
    of_low = 1.0 - (at - floor)
    low = np.minimum(floor.astype(np.intp), old - 1)
    return _Axis(low, np.minimum(low + 1, old - 1), of_low, 1.0 - of_low, at > old - 1)


def linear(volume: NDArray[np.float32], factors: tuple[float, float, float], fill: float) -> NDArray[np.float32]:
    """A float32 volume [D, H, W] resampled linearly: float32 [D', H', W'] with D' = round(D · factor)."""
    shape = tuple(new_size(old, factor) for old, factor in zip(volume.shape, factors, strict=True))
    z, y, x = (_linear(old, new) for old, new in zip(volume.shape, shape, strict=True))
    out = np.empty(shape, dtype=np.float32)
    wide = (y.of_low[:, None], y.of_high[:, None])
    across = (x.of_low, x.of_high)
    kept: dict[int, list[NDArray[np.float64]]] = {}
    total, term = np.empty(shape[1:]), np.empty(shape[1:])
    for plane in range(shape[0]):
        ends = (int(z.low[plane]), int(z.high[plane]))
        kept = {end: kept[end] if end in kept else _corners(volume[end], y, x) for end in dict.fromkeys(ends)}
        total.fill(0.0)
        for end, share in zip(ends, (z.of_low[plane], z.of_high[plane]), strict=True):
            for corner, values in enumerate(kept[end]):
                np.multiply(values, share, out=term)
                term *= wide[corner // 2]
                term *= across[corner % 2]
                total += term
        out[plane] = total
    out[z.outside], out[:, y.outside], out[:, :, x.outside] = fill, fill, fill
    return out


def _corners(plane: NDArray[np.float32], y: _Axis, x: _Axis) -> list[NDArray[np.float64]]:
    """The plane's voxels at the four corners around each new one."""
    flat = np.asarray(plane, dtype=np.float64)
    return [flat[np.ix_(rows, columns)] for rows in (y.low, y.high) for columns in (x.low, x.high)]


def nearest(volume: NDArray[Any], factors: tuple[float, float, float], fill: int) -> NDArray[Any]:
    """A volume [D, H, W] resampled to the nearest voxel."""
    shape = [new_size(old, factor) for old, factor in zip(volume.shape, factors, strict=True)]
    at = [_positions(old, new) for old, new in zip(volume.shape, shape, strict=True)]
    indices = [np.minimum(np.floor(a + 0.5).astype(np.intp), n - 1) for a, n in zip(at, volume.shape, strict=True)]
    out = volume[np.ix_(*indices)]
    for axis, (positions, old) in enumerate(zip(at, volume.shape, strict=True)):
        outside = positions > old - 1
        if outside.any():
            out[(slice(None),) * axis + (outside,)] = fill
    return out
