"""Volumes at another spacing: what `scipy.ndimage.zoom` gives (mode 'constant', grid_mode off), to the last bit and faster.

The reference resamples images linearly and labels to the nearest voxel. Both are separable in what they read, so the positions and
weights of an axis are computed once, and whole planes are combined instead of voxel by voxel. The products and sums are SciPy's own,
in its order and in double, which is why the result is the same and digests of it can be compared: a voxel's weight along D comes
first, then the one along H, then the one along W. What two new voxels share up to there is computed once. What SciPy does at the far
end is kept, too: a position that rounding pushes past the last voxel takes the fill value.

Scanners' files are contiguous along D, so planes of one W are read in memory order, and only the smaller result is transposed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Part = tuple[slice, slice, slice]
"""The requested part of the new volume."""
WHOLE: Part = (slice(None), slice(None), slice(None))
ENDS = tuple(itertools.product((0, 1), repeat=3))
"""The corners of the cell of old voxels around a new one, by their ends along D, H and W, in SciPy's order of summation."""
CACHED_BYTES = 1 << 19
"""Block size in bytes, such that several blocks fit in a core's cache."""
LINE = 16
"""Planes transposed together: one cache line of float32."""


@dataclass(frozen=True)
class _Axis:
    """Positions of an axis's new voxels among the old ones: indices below and above, weights, and which are outside."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    of_low: NDArray[np.float64]
    of_high: NDArray[np.float64]
    outside: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Number of new voxels."""
        return len(self.low)

    def within(self, part: slice) -> _Axis:
        """The positions of a slice of the new voxels."""
        return _Axis(self.low[part], self.high[part], self.of_low[part], self.of_high[part], self.outside[part])


def new_size(old: int, factor: float) -> int:
    """Number of voxels of an axis after resampling, with Python's rounding as in SciPy."""
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


def linear(
    volume: NDArray[np.float32], factors: tuple[float, float, float], fill: float, part: Part = WHOLE
) -> NDArray[np.float32]:
    """A float32 volume [D, H, W] resampled linearly: the `part` of float32 [D', H', W'] with D' = round(D · factor).

    Fastest when the volume has a NIfTI file's memory order (contiguous along D); the result is C-contiguous.
    """
    shape = tuple(new_size(old, factor) for old, factor in zip(volume.shape, factors, strict=True))
    z, y, x = (_linear(old, new).within(inside) for old, new, inside in zip(volume.shape, shape, part, strict=True))
    source = np.asfortranarray(volume).T
    out = np.empty((z.size, y.size, x.size), dtype=np.float32)
    if not out.size:
        return out
    rows = max(1, CACHED_BYTES // (len(ENDS) * z.size * z.of_low.itemsize))
    for top in range(0, y.size, rows):
        band = slice(top, min(top + rows, y.size))
        _band(source, z, y.within(band), x, out[:, band])
    out[z.outside], out[:, y.outside], out[:, :, x.outside] = fill, fill, fill
    return out


def _band(source: NDArray[np.float32], z: _Axis, y: _Axis, x: _Axis, out: NDArray[np.float32]) -> None:
    """The rows `y` of the new volume, into `out` [D', rows, W'], from the old one as [W, H, D]."""
    corners = _Corners(source, z, y)
    total, term = np.empty((y.size, z.size)), np.empty((y.size, z.size))
    turned = np.empty((LINE, y.size, z.size), dtype=np.float32)
    for left in range(0, x.size, LINE):
        columns = range(left, min(left + LINE, x.size))
        for column in columns:
            planes = corners.of(int(x.low[column]), int(x.high[column]))
            shares = (x.of_low[column], x.of_high[column])
            total.fill(0.0)
            for depth, height, width in ENDS:
                np.multiply(planes[width][depth, height], shares[width], out=term)
                np.add(total, term, out=total)
            turned[column - left] = total
        out[:, :, left : columns.stop] = turned[: len(columns)].transpose(2, 1, 0)


class _Corners:
    """The corner values around new voxels before W's weight, for two planes of old voxels [W, H, D] at a time."""

    def __init__(self, source: NDArray[np.float32], z: _Axis, y: _Axis) -> None:
        self._source = source[:, int(y.low.min()) : int(y.high.max()) + 1]
        self._depths = ((z.low, z.of_low), (z.high, z.of_high))
        self._heights = np.concatenate((y.low, y.high)) - y.low.min()
        self._share = np.repeat(np.concatenate((y.of_low, y.of_high)), z.size).reshape(-1, z.size)
        self._plane = np.empty(self._source.shape[1:])
        self._weighted = np.empty((2, len(self._plane), z.size))
        self._slots = [np.empty((2, *self._share.shape)) for _ in range(2)]
        self._held: dict[int, int] = {}

    def of(self, low: int, high: int) -> list[NDArray[np.float64]]:
        """Corner values of two planes: float64 [2, 2, H', D'] each, by the corners' ends along D and H. Valid until the next call."""
        held = {plane: slot for plane, slot in self._held.items() if plane in (low, high)}
        for plane in (low, high):
            if plane not in held:
                held[plane] = 1 if 0 in held.values() else 0
                self._fill(self._slots[held[plane]], plane)
        self._held = held
        pairs = (2, 2, -1, self._share.shape[-1])
        return [self._slots[held[plane]].reshape(pairs) for plane in (low, high)]

    def _fill(self, slot: NDArray[np.float64], plane: int) -> None:
        np.copyto(self._plane, self._source[plane])
        for weighted, (indices, share) in zip(self._weighted, self._depths, strict=True):
            self._plane.take(indices, axis=1, out=weighted, mode="clip")  # mode="raise" would buffer `out`
            weighted *= share
        self._weighted.take(self._heights, axis=1, out=slot, mode="clip")
        slot *= self._share


def nearest(volume: NDArray[Any], factors: tuple[float, float, float], fill: int, part: Part = WHOLE) -> NDArray[Any]:
    """The `part` of a volume [D, H, W] resampled to the nearest voxel; C-contiguous."""
    out = volume
    outside = []
    for axis in (2, 1, 0):  # W first: whole planes in a NIfTI file's memory order
        old = volume.shape[axis]
        at = _positions(old, new_size(old, factors[axis]))[part[axis]]
        out = _taken(out, np.minimum(np.floor(at + 0.5).astype(np.intp), old - 1), axis)
        outside.append(((slice(None),) * axis, at > old - 1))
    out = np.ascontiguousarray(out)
    for before, beyond in outside:
        out[(*before, beyond)] = fill
    return out


def _taken(volume: NDArray[Any], indices: NDArray[np.intp], axis: int) -> NDArray[Any]:
    """`take` that keeps a NIfTI file's memory order of the axes."""
    return volume.T.take(indices, axis=2 - axis).T
