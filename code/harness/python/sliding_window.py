"""Sliding-window inference over a volume: the readable form of the C++ harness's.

As in the reference (base_SUT.py, inference_utils.py), a window's scores are multiplied by its weights and summed, the sums are divided
by the summed weights, and argmax gives a voxel's class. Products, sums and quotients are the reference's, in float32 and in the same
order, but never for the whole volume at once. The sums hold one window's depth: planes that no later window reaches become classes,
and their memory is reused. So a case needs three floats per voxel of one window's depth, besides itself and its classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from code.harness.python.windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

Infer: TypeAlias = "Callable[[NDArray[np.float32]], NDArray[np.float32]]"
"""The network: windows [n, 1, d, h, w] → scores [n, classes, d, h, w]; the next call may overwrite them."""


class SlidingWindow:
    """Segments volumes. Thread-safe.

    Args:
        windows: the grid.
        padding: the value of voxels beyond the far ends of a volume that windows do not tile exactly.
    """

    def __init__(self, windows: Windows, padding: float = 0.0) -> None:
        self.windows = windows
        self.padding = padding
        self.weights = windows.weights()

    def segment(self, volume: NDArray[np.float32], infer: Infer, together: int = 1) -> NDArray[np.uint8]:
        """The class of each voxel, uint8 [D, H, W], of a volume float32 [D, H, W].

        The network's output channels are the classes. A volume that windows do not tile exactly is extended with the padding value.

        Args:
            together: most windows in one call of `infer`.
        """
        if not self.windows.tile(volume.shape):
            ends = [(0, more) for more in self.windows.lacking(volume.shape)]
            whole = np.pad(volume, ends, constant_values=self.padding)
            d, h, w = volume.shape
            return np.ascontiguousarray(self.segment(whole, infer, together)[:d, :h, :w])
        sums: _Sums | None = None
        corners = list(self.windows.corners(volume.shape))
        batch = np.empty((min(together, len(corners)), 1, *self.windows.roi), dtype=np.float32)
        for start in range(0, len(corners), len(batch)):
            group = corners[start : start + len(batch)]
            for place, corner in enumerate(group):
                batch[place, 0] = volume[self.windows.box(corner)]
            answers = infer(batch[: len(group)])
            sums = sums or _Sums(self, volume.shape, answers.shape[1])
            for corner, scores in zip(group, answers, strict=True):
                sums.add(scores, corner)
        assert sums is not None  # a volume has at least one window
        return sums.finish()


class _Sums:
    """Weighted sums of one volume, a ring buffer as deep as a window: plane p is at p modulo that depth."""

    def __init__(self, sliding: SlidingWindow, shape: tuple[int, ...], classes: int) -> None:
        self._sliding = sliding
        self._windows = sliding.windows
        depth, height, width = self._windows.roi[0], shape[1], shape[2]
        self._sums = np.zeros((classes, depth, height, width), dtype=np.float32)
        self._product = np.empty(self._windows.roi, dtype=np.float32)
        self._labels = np.zeros(shape, dtype=np.uint8)
        self._first = 0
        self._divisor: tuple[tuple[int, ...], NDArray[np.float32]] | None = None

    def add(self, scores: NDArray[np.float32], corner: tuple[int, int, int]) -> None:
        """Add a window's scores [classes, d, h, w]; windows must come in grid order."""
        if corner[0] > self._first:
            self._settle(self._windows.strides[0])
        _, rows, columns = self._windows.box(corner)
        below = len(self._product) - corner[0] % len(self._product)
        for of_class, into in zip(scores, self._sums, strict=True):
            np.multiply(of_class, self._sliding.weights, out=self._product)
            into[-below:, rows, columns] += self._product[:below]
            into[:-below, rows, columns] += self._product[below:]

    def finish(self) -> NDArray[np.uint8]:
        """The classes, once every window is added."""
        while self._first < len(self._labels):
            self._settle(min(self._windows.strides[0], len(self._labels) - self._first))
        return self._labels

    def _settle(self, planes: int) -> None:
        """Convert the first planes to classes and clear their buffers for later planes."""
        summed = self._weight_of(planes)
        for plane in range(planes):
            sums = self._sums[:, (self._first + plane) % self._sums.shape[1]]
            best = sums[0]
            best /= summed[plane]
            label = self._labels[self._first + plane]
            for kind in range(1, len(self._sums)):
                other = sums[kind]
                other /= summed[plane]
                label[other > best] = kind
                np.maximum(best, other, out=best)
            sums.fill(0.0)
        self._first += planes

    def _weight_of(self, planes: int) -> NDArray[np.float32]:
        """The summed weights of the first planes, float32 [planes, H, W]; the same for all inner planes."""
        depth, stride = self._windows.roi[0], self._windows.strides[0]
        last = (self._windows.counts(self._labels.shape)[0] - 1) * stride
        starts = range(0, min(last, self._first) + 1, stride)
        offsets = tuple(self._first - start for start in starts if self._first - start < depth)
        if self._divisor is None or self._divisor[0] != (planes, *offsets):
            total = np.zeros((planes, *self._labels.shape[1:]), dtype=np.float32)
            flat = (self._windows.roi[0], *self._labels.shape[1:])
            for offset in offsets:
                part = self._sliding.weights[offset : offset + planes]
                for corner in self._windows.corners(flat):
                    _, rows, columns = self._windows.box(corner)
                    total[: len(part), rows, columns] += part
            self._divisor = ((planes, *offsets), total)
        return self._divisor[1]
