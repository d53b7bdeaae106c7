"""Training patches: windows of phantoms that are drawn without end and never stored."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from code.benchmarks.unet3d import facts
from code.benchmarks.unet3d.tiny.phantom import KIDNEY, TUMOR, phantom
from code.benchmarks.unet3d.volume import prepare
from code.harness.python.windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

POOL = 48
"""Number of cases in the pool."""
RENEWED = 0.15
"""Cases that a patch costs: a new one takes the place of an old one that often."""


@dataclass(frozen=True)
class Patch:
    """A window: image float32 [d, h, w] and its classes int64 [d, h, w]."""

    image: NDArray[np.float32]
    label: NDArray[np.int64]


@dataclass(frozen=True)
class _Case:
    image: NDArray[np.float16]
    label: NDArray[np.uint8]
    places: dict[int, NDArray[np.int64]]


class Patches:
    """An endless supply of windows, the same for the same seed.

    Half of them are around a tumour, a quarter around a kidney and a quarter anywhere.
    """

    def __init__(self, seed: str, roi: tuple[int, int, int]) -> None:
        self._rng = random.Random(seed)
        self._windows = Windows(roi, facts.OVERLAP, facts.GAUSSIAN_SIGMA)
        self._seed = seed
        self._made = 0
        self._pool: list[_Case] = []

    def next(self) -> Patch:
        """The next window."""
        if len(self._pool) < POOL:
            self._pool.append(self._new())
        elif self._rng.random() < RENEWED:
            self._pool[self._rng.randrange(POOL)] = self._new()
        case = self._pool[-1] if len(self._pool) < POOL else self._rng.choice(self._pool)
        roi = self._windows.roi
        wanted = self._rng.choice((TUMOR, TUMOR, KIDNEY, None))
        places = case.places.get(wanted) if wanted is not None else None
        start = []
        centre = places[self._rng.randrange(len(places))] if places is not None and len(places) else None
        for axis in range(3):
            last = case.image.shape[axis] - roi[axis]
            if centre is None:
                start.append(self._rng.randint(0, last))
            else:
                jitter = self._rng.randint(-roi[axis] // 3, roi[axis] // 3)
                start.append(min(last, max(0, int(centre[axis]) - roi[axis] // 2 + jitter)))
        d, h, w = (slice(a, a + n) for a, n in zip(start, roi, strict=True))
        return Patch(case.image[d, h, w].astype(np.float32), case.label[d, h, w].astype(np.int64))

    def _new(self) -> _Case:
        self._made += 1
        made = phantom(f"{self._seed} {self._made}", tumors=(0, 3))
        image, label, _ = prepare(made.image.astype(np.float32), made.label, made.spacing, self._windows)
        places = {kind: np.argwhere(label == kind)[::16] for kind in (KIDNEY, TUMOR)}
        return _Case(image.astype(np.float16), label, places)
