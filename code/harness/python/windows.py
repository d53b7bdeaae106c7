"""Positions and weights of sliding windows, as in the reference's inference_utils.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Windows:
    """The grid of windows.

    Args:
        roi: a window's edges along D, H, W.
        overlap: share of an edge by which neighbouring windows overlap.
        sigma: the Gaussian's standard deviation as a share of the edge.
    """

    roi: tuple[int, int, int]
    overlap: float
    sigma: float

    @property
    def strides(self) -> tuple[int, int, int]:
        """Stride between windows, voxels."""
        d, h, w = (int(edge * (1 - self.overlap)) for edge in self.roi)
        return d, h, w

    def counts(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Number of windows along each axis of a volume; 0 along an axis shorter than a window."""
        sizes = zip(shape, self.roi, self.strides, strict=True)
        d, h, w = (max(0, (size - edge) // stride + 1) for size, edge, stride in sizes)
        return d, h, w

    def count(self, shape: tuple[int, ...]) -> int:
        """Number of windows of a volume."""
        d, h, w = self.counts(shape)
        return d * h * w

    def lacking(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Voxels to add along each axis for windows to tile a volume exactly."""
        sizes = zip(shape, self.roi, self.strides, strict=True)
        d, h, w = (edge - size if size < edge else -(size - edge) % stride for size, edge, stride in sizes)
        return d, h, w

    def tile(self, shape: tuple[int, ...]) -> bool:
        """Whether windows tile a volume exactly, without reaching beyond its ends."""
        return not any(self.lacking(shape))

    def box(self, corner: tuple[int, int, int]) -> tuple[slice, slice, slice]:
        """The voxels of the window whose first one is `corner`."""
        d, h, w = (slice(first, first + edge) for first, edge in zip(corner, self.roi, strict=True))
        return d, h, w

    def corners(self, shape: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
        """Origins of all windows, in the reference's order: W fastest."""
        yield from itertools.product(
            *(range(0, n * step, step) for n, step in zip(self.counts(shape), self.strides, strict=True))
        )

    def weights(self) -> NDArray[np.float32]:
        """Weight of each voxel of a window, float32 of the window's shape, 1 in the middle.

        The cube root of the product of three Gaussians, as in the reference.
        """
        import numpy as np
        from scipy.signal.windows import gaussian

        d, h, w = (gaussian(edge, self.sigma * edge) for edge in self.roi)
        product = np.cbrt(np.outer(np.outer(d, h), w).reshape(self.roi))
        product /= product.max()
        return product.astype(np.float32)
