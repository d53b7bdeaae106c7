"""Abdominal phantoms: synthetic CT volumes of kidneys, for use without the real data.

A body of fat, muscle, spine, ribs, liver, spleen and bowel with two kidneys, cysts and tumours, half the size of an adult's, in
Hounsfield units with noise, at a scanner's odd spacing. Labels are KiTS19's: 0 background, 1 kidney (cysts included), 2 tumour.

The same seed gives the same voxels everywhere: shapes need only additions, products, quotients and roots of doubles, which IEEE 754
fixes to the last bit, geometry is drawn with Python's own generator, and noise is whole numbers made of MT19937's bytes, whose
stream NumPy guarantees.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BACKGROUND, KIDNEY, TUMOR = 0, 1, 2
AIR, FAT, MUSCLE, BONE = -1000, -95, 48, 330
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Phantom:
    """One case.

    Attributes:
        image: Hounsfield units, int16 [D, H, W]; slices from head to feet, rows from front to back.
        label: class of each voxel, uint8 [D, H, W].
        spacing: millimetres from voxel to voxel along D, H, W.
    """

    image: NDArray[np.int16]
    label: NDArray[np.uint8]
    spacing: Point


@dataclass
class _Canvas:
    """The volume being drawn; positions are millimetres from its centre, along D, H, W."""

    shape: tuple[int, int, int]
    spacing: Point
    image: NDArray[np.float32] = field(init=False)
    label: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        self.image = np.full(self.shape, AIR, dtype=np.float32)
        self.label = np.zeros(self.shape, dtype=np.uint8)

    def ellipsoid(
        self,
        centre: Point,
        radii: Point,
        value: float,
        *,
        turn: Point = (0.0, 0.0, 0.0),
        edge: float = 1.6,
        label: int | None = None,
    ) -> None:
        """Blend an ellipsoid in, its surface softened over `edge` millimetres; `label` marks the inside.

        Args:
            turn: rotation as the vector part of a quaternion whose scalar part is 1, so that no sine is needed.
        """
        reach = max(radii) + edge
        box, axes = [], []
        for axis in range(3):
            positions, within = self._axis(axis, centre[axis], reach)
            box.append(within)
            axes.append(positions)
        z, y, x = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
        squared = np.zeros(tuple(len(a) for a in axes))
        for row, radius in zip(_rotation(turn), radii, strict=True):
            part = (z * (row[0] / radius) + y * (row[1] / radius)) + x * (row[2] / radius)
            part *= part
            squared += part
        self._blend((box[0], box[1], box[2]), squared, min(radii) / edge, value, label)

    def column(self, centre: tuple[float, float], radii: tuple[float, float], value: float, *, edge: float = 1.6) -> None:
        """Blend in what runs through every slice alike: an ellipse along H and W."""
        y, rows = self._axis(1, centre[0], radii[0] + edge)
        x, columns = self._axis(2, centre[1], radii[1] + edge)
        y, x = y / radii[0], x / radii[1]
        squared = (y * y)[None, :, None] + (x * x)[None, None, :]
        self._blend((slice(None), rows, columns), squared, min(radii) / edge, value, None)

    def _axis(self, axis: int, centre: float, reach: float) -> tuple[NDArray[np.float64], slice]:
        """Positions relative to `centre` of the voxels within reach along an axis, and which they are."""
        middle, step = (self.shape[axis] - 1) / 2, self.spacing[axis]
        first = min(self.shape[axis], max(0, math.floor((centre - reach) / step + middle)))
        last = max(first, min(self.shape[axis], math.ceil((centre + reach) / step + middle) + 1))
        return (np.arange(first, last, dtype=np.float64) - middle) * step - centre, slice(first, last)

    def _blend(
        self, box: tuple[slice, slice, slice], squared: NDArray[np.float64], steepness: float, value: float, label: int | None
    ) -> None:
        """`squared` is the squared distance from the middle, 1 at the surface."""
        if label is not None:
            self.label[box][squared <= 1.0] = label
        np.sqrt(squared, out=squared)
        np.subtract(1.0, squared, out=squared)
        squared *= steepness
        squared += 0.5
        np.clip(squared, 0.0, 1.0, out=squared)
        share = squared.astype(np.float32)
        target = self.image[box]
        target += share * (np.float32(value) - target)


def _rotation(turn: Point) -> tuple[Point, Point, Point]:
    a, b, c = turn
    n = 1.0 + a * a + b * b + c * c
    return (
        ((1 + a * a - b * b - c * c) / n, 2 * (a * b - c) / n, 2 * (a * c + b) / n),
        (2 * (a * b + c) / n, (1 - a * a + b * b - c * c) / n, 2 * (b * c - a) / n),
        (2 * (a * c - b) / n, 2 * (b * c + a) / n, (1 - a * a - b * b + c * c) / n),
    )


def phantom(seed: str, *, tumors: tuple[int, int] = (1, 3), skew: float = 1.0) -> Phantom:
    """The case generated from `seed`; about 100 to 200 mm a side.

    Args:
        tumors: least and most tumours, shared out over both kidneys.
        skew: above 1, small fields of view are more frequent.
    """
    rng = random.Random(f"abdomen {seed}")
    size = tuple(low + (high - low) * rng.random() ** skew for low, high in ((104, 205), (106, 158), (132, 200)))
    in_plane = rng.uniform(0.66, 0.98)
    spacing = (
        float(np.float32(rng.choice((1.0, 1.25, 1.5, 2.0, 2.5, 3.0)))),
        float(np.float32(in_plane)),
        float(np.float32(in_plane)),
    )
    shape = tuple(max(8, round(extent / step)) for extent, step in zip(size, spacing, strict=True))
    canvas = _Canvas((shape[0], shape[1], shape[2]), spacing)
    _draw_body(canvas, rng)
    _draw_kidneys(canvas, rng, rng.randint(*tumors))
    noise = _noise(canvas.shape, seed, rng.uniform(9, 24))
    canvas.image += noise
    np.rint(canvas.image, out=canvas.image)
    np.clip(canvas.image, -1024, 3071, out=canvas.image)
    return Phantom(canvas.image.astype(np.int16), canvas.label, spacing)


def _draw_body(canvas: _Canvas, rng: random.Random) -> None:
    """Everything that is not a kidney."""

    def near(value: float, by: float) -> float:
        return value + rng.uniform(-by, by)

    girth, depth = near(76, 8), near(56, 5)
    canvas.column((0, 0), (depth, girth), FAT)
    canvas.column((near(1, 2), 0), (depth - near(7, 3), girth - near(8, 3)), MUSCLE + rng.uniform(-6, 6))
    canvas.column((near(-4, 2), 0), (depth - near(17, 3), girth - near(18, 3)), FAT + rng.uniform(-8, 8), edge=3.0)
    spine = (near(24, 3), near(0, 3))
    canvas.column((spine[0] + 9, spine[1]), (near(17, 2), near(26, 3)), MUSCLE + rng.uniform(-6, 8), edge=2.0)
    canvas.column(spine, (near(11, 1), near(13, 1)), near(190, 40), edge=2.0)
    canvas.column((spine[0] + 15, spine[1]), (5, 5), BONE, edge=3.0)
    for side in (-1, 1):
        for step in range(-4, 5):
            place = (step * 17.0 + side * 4, near(12, 6), side * (girth - near(11, 1)))
            canvas.ellipsoid(place, (3.5, 22, 3.0), near(BONE, 60), turn=(side * 0.25, 0.0, 0.0))
    top = -canvas.shape[0] * canvas.spacing[0] / 2
    canvas.ellipsoid((top + near(24, 14), near(-8, 4), near(-30, 5)), (near(52, 8), near(34, 4), near(34, 5)), near(108, 18))
    canvas.ellipsoid((top + near(22, 12), near(6, 4), near(42, 4)), (near(26, 5), near(20, 3), near(14, 2)), near(122, 20))
    canvas.column((near(6, 2), near(-5, 3)), (6, 6), near(185, 35))
    canvas.column((near(7, 2), near(9, 3)), (7, 6), near(130, 25))
    for _ in range(rng.randint(4, 9)):
        place = (rng.uniform(-90, 90), rng.uniform(-30, -6), rng.uniform(-40, 40))
        radii = (rng.uniform(7, 20), rng.uniform(6, 11), rng.uniform(7, 16))
        canvas.ellipsoid(place, radii, rng.choice((rng.uniform(20, 70), rng.uniform(60, 130), -700.0)), turn=_turned(rng, 0.5))


def _turned(rng: random.Random, most: float) -> Point:
    return (rng.uniform(-most, most), rng.uniform(-most, most), rng.uniform(-most, most))


def _draw_kidneys(canvas: _Canvas, rng: random.Random, tumors: int) -> None:
    """Two kidneys with their fat, then cysts, then tumours, so that a tumour lies over everything else."""
    half = canvas.shape[0] * canvas.spacing[0] / 2
    cortex = rng.uniform(150, 225)
    level = rng.uniform(-0.35, 0.35) * max(0.0, half - 34)
    kidneys: list[tuple[Point, Point, int]] = []
    for side in (-1, 1):
        centre = (level + rng.uniform(-8, 8), rng.uniform(5, 13), side * rng.uniform(33, 40))
        radii = (rng.uniform(23, 31), rng.uniform(12.5, 16), rng.uniform(12, 15.5))
        turn = (rng.uniform(-0.15, 0.15), side * rng.uniform(-0.05, 0.2), rng.uniform(-0.15, 0.15))
        canvas.ellipsoid(centre, (radii[0] + 6, radii[1] + 5, radii[2] + 5), FAT + rng.uniform(-8, 8), turn=turn, edge=3.0)
        canvas.ellipsoid(centre, radii, cortex + rng.uniform(-12, 12), turn=turn, label=KIDNEY)
        canvas.ellipsoid(centre, tuple(r * 0.62 for r in radii), cortex - rng.uniform(15, 55), turn=turn, edge=4.0)  # type: ignore[arg-type]
        hilum = (centre[0], centre[1] - 2, centre[2] - side * (radii[2] * 0.85))
        inner = (radii[0] * 0.42, radii[1] * 0.42, radii[2] * 0.62)
        canvas.ellipsoid(hilum, inner, FAT + rng.uniform(0, 40), edge=3.0, label=BACKGROUND)
        kidneys.append((centre, radii, side))
    for centre, radii, side in kidneys:
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            size = rng.uniform(3, 6)
            canvas.ellipsoid(_on_surface(rng, centre, radii, side, 0.8), (size, size, size), rng.uniform(-2, 18), edge=1.2)
    for number in range(tumors):
        centre, radii, side = kidneys[number % 2] if number else kidneys[rng.randint(0, 1)]
        size = rng.uniform(6.5, 13)
        shape = (size * rng.uniform(0.85, 1.2), size * rng.uniform(0.85, 1.15), size * rng.uniform(0.85, 1.15))
        place = _on_surface(rng, centre, radii, side, rng.uniform(0.7, 1.1))
        value = rng.uniform(62, 104)
        turn = _turned(rng, 0.4)
        canvas.ellipsoid(place, shape, value, turn=turn, label=TUMOR)
        if rng.random() < 0.35:  # a dead core
            core = (shape[0] * 0.45, shape[1] * 0.45, shape[2] * 0.45)
            canvas.ellipsoid(place, core, rng.uniform(28, 45), turn=turn, edge=3.0)


def _on_surface(rng: random.Random, centre: Point, radii: Point, side: int, share: float) -> Point:
    """A point at `share` of the way from the kidney's centre to its surface, on its outer half."""
    a, b, c = rng.uniform(-0.75, 0.75), rng.uniform(-1, 1), side * rng.uniform(0.05, 1)
    n = math.sqrt(a * a + b * b + c * c) or 1.0
    return (
        centre[0] + share * radii[0] * a / n,
        centre[1] + share * radii[1] * b / n,
        centre[2] + share * radii[2] * c / n,
    )


def _noise(shape: tuple[int, int, int], seed: str, sigma: float) -> NDArray[np.float32]:
    """Noise of about that standard deviation, half of it shared by neighbours in a row, as a scanner's filter leaves it."""
    count = shape[0] * shape[1] * (shape[2] + 1)
    source = np.random.RandomState(_number(seed))
    drawn = np.frombuffer(source.bytes(2 * count), dtype=np.uint8).reshape(2, shape[0], shape[1], shape[2] + 1)
    total = drawn[0].astype(np.int16) + drawn[1] - 255  # triangular, its variance (256² - 1) / 6
    pairs = total[..., :-1] + total[..., 1:]
    return np.asarray(pairs * np.float32(sigma / 147.8), dtype=np.float32)


def _number(seed: str) -> int:
    value = 2166136261
    for byte in seed.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value
