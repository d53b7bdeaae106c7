"""A window that slides gives what a plain sum over whole volumes gives, to the last voxel, whatever the volume's size."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from code.benchmarks.unet3d import facts
from code.harness.python.sliding_window import Infer, SlidingWindow
from code.harness.python.windows import Windows

Floats = NDArray[np.float32]


def network(seed: int) -> Infer:
    """Three scores a voxel that depend on the voxel, its neighbours and its place in the window."""
    mix = np.random.default_rng(seed).standard_normal((3, 4)).astype(np.float32)

    def infer(windows: Floats) -> Floats:
        x = windows[:, 0]
        place = (np.arange(x[0].size, dtype=np.float32).reshape(x.shape[1:]) % 7) / 7
        parts = (x, np.roll(x, 1, axis=1), x * x, np.broadcast_to(place, x.shape))
        return np.stack([sum(m * p for m, p in zip(row, parts, strict=True)) for row in mix], axis=1).astype(np.float32)

    return infer


def plain(volume: Floats, infer: Infer, windows: Windows) -> NDArray[np.uint8]:
    """The method in its simplest form: whole arrays, one window at a time."""
    ends = [(0, more) for more in windows.lacking(volume.shape)]
    whole = np.pad(volume, ends, constant_values=facts.PADDING_VALUE)
    total, divisor = np.zeros((3, *whole.shape), np.float32), np.zeros(whole.shape, np.float32)
    for corner in windows.corners(whole.shape):
        box = windows.box(corner)
        total[(slice(None), *box)] += infer(whole[box][None, None])[0] * windows.weights()
        divisor[box] += windows.weights()
    classes = np.argmax(total / divisor, axis=0).astype(np.uint8)
    d, h, w = volume.shape
    return np.ascontiguousarray(classes[:d, :h, :w])


@pytest.mark.parametrize(
    ("roi", "overlap"), [((8, 8, 8), 0.5), ((8, 12, 4), 0.5), ((8, 8, 8), 0.25), ((8, 8, 8), 0.75), ((8, 8, 8), 0.0)]
)
@pytest.mark.parametrize("shape", [(8, 8, 8), (3, 4, 7), (24, 16, 20), (8, 40, 16), (40, 24, 24), (17, 10, 23)])
def test_equals_the_plain_sum(shape: tuple[int, int, int], roi: tuple[int, int, int], overlap: float) -> None:
    windows, infer = Windows(roi, overlap, 0.125), network(sum(shape))
    volume = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    wanted = plain(volume, infer, windows)
    assert len(np.unique(wanted)) > 1
    for together in (1, 5):
        got = SlidingWindow(windows, facts.PADDING_VALUE).segment(volume, infer, together)
        assert got.dtype == np.uint8
        assert got.flags.c_contiguous
        assert np.array_equal(got, wanted)


def test_an_engine_may_reuse_its_output() -> None:
    """As OpenVINO's shared outputs do."""
    windows, fresh = Windows((16, 16, 16), 0.5, 0.125), network(3)
    volume = np.random.default_rng(2).standard_normal((40, 24, 24)).astype(np.float32)
    memory = np.empty((4, 3, 16, 16, 16), np.float32)

    def reusing(batch: Floats) -> Floats:
        memory[: len(batch)] = fresh(batch)
        return memory[: len(batch)]

    sliding = SlidingWindow(windows)
    assert np.array_equal(sliding.segment(volume, reusing, 4), sliding.segment(volume, fresh, 4))


def test_memory_stays_below_four_times_the_case() -> None:
    """The issue's bound, by what NumPy allocates beside the case; the largest cases are several windows deep."""
    windows = Windows((32, 32, 32), 0.5, 0.125)
    volume = np.zeros((128, 128, 128), np.float32)
    sliding, scores = SlidingWindow(windows), np.zeros((1, 3, 32, 32, 32), np.float32)
    tracemalloc.start()
    sliding.segment(volume, lambda batch: scores)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak + volume.nbytes < 4 * volume.nbytes


def test_weights_are_the_reference_s() -> None:
    """Cube root of the product of three Gaussians of an eighth of the edge, 1 at most."""
    weights = Windows((64, 64, 64), 0.5, 0.125).weights()
    x = (np.arange(64) - 31.5) / 8.0
    expected = np.exp(-(x[:, None, None] ** 2 + x[None, :, None] ** 2 + x[None, None, :] ** 2) / 6)
    assert weights.dtype == np.float32
    assert weights.max() == 1.0
    assert np.allclose(weights, expected / expected.max(), rtol=1e-6)


def test_counts_and_tiling() -> None:
    windows = Windows((128, 128, 128), 0.5, 0.125)
    assert windows.strides == (64, 64, 64)
    assert windows.count((192, 256, 320)) == 2 * 3 * 4 == len(list(windows.corners((192, 256, 320))))
    assert windows.tile((192, 256, 320))
    assert not windows.tile((192, 250, 320))
    assert windows.lacking((100, 128, 129)) == (28, 0, 63)
