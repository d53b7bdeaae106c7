"""Kind "volume" of run.json: volumes of varying size for sliding-window inference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends.base import Arrays, Stream
from code.common.errors import MissingError, RunError
from code.harness.python.arrays import open_array
from code.harness.python.sliding_window import SlidingWindow
from code.harness.python.windows import Windows
from code.harness.schema.datasets import VolumeData

if TYPE_CHECKING:
    from numpy.typing import NDArray


class VolumeDataset:
    """Cases, each a float32 array [D, H, W] that windows tile exactly; a response is the class of each voxel, uint8 [D, H, W].

    A sample's length is its number of windows. Samples are answered one after the other, the windows of a case
    `windows_per_batch` at a time.

    MissingError for cases that are absent, corrupt or not tiled exactly.
    """

    def __init__(self, spec: VolumeData) -> None:
        folder = Path(spec.folder)
        d, h, w = spec.roi
        self._windows = Windows((d, h, w), spec.overlap, spec.sigma)
        self._sliding = SlidingWindow(self._windows)
        self._together = spec.windows_per_batch
        self._input, self._output = spec.input, spec.output
        self.count = spec.count
        self.proportional = True
        self._volumes = [self._open(folder / f"{case}.npy") for case in spec.cases]
        self.lengths = np.asarray([self._windows.count(v.shape) for v in self._volumes], dtype=np.int32)
        if len(self._volumes) != self.count:
            raise MissingError(
                f"{folder} has {len(self._volumes)} cases, not {self.count}",
                "the preprocessed arrays do not match",
                "run `make preprocess_data` for this benchmark again",
            )

    def load(self, indices: Sequence[int]) -> None:
        """Touch the samples' pages so that the run reads them from memory."""
        for index in indices:
            self._volumes[index].sum()

    def meet(self, stream: Stream, index: int) -> None:
        """Run one call with the largest number of windows of any call."""
        windows = self.inputs(np.asarray([index], dtype=np.int64))[self._input]
        stream.infer({self._input: np.repeat(windows, self._together, axis=0)})

    def answer(self, stream: Stream, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """uint8 [D, H, W] each. RunError when the engine answers in another shape."""

        def infer(windows: NDArray[np.float32]) -> NDArray[np.float32]:
            scores = stream.infer({self._input: windows})[self._output]
            if scores.ndim != 5 or scores.shape[:1] + scores.shape[2:] != windows.shape[:1] + windows.shape[2:]:
                raise RunError(
                    f"the engine's output '{self._output}' is {list(scores.shape)} for windows of {list(windows.shape)}",
                    "it must be the class scores of every voxel, [windows, classes, depth, height, width]",
                    "select another model with --model_path, or set the window's size with --unet3d_roi",
                )
            return scores

        return [self._sliding.segment(self._volumes[index], infer, self._together) for index in indices]

    def inputs(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The window in the middle of each case: [n, 1, d, h, w]."""
        middle = [self._middle(self._volumes[index]) for index in indices]
        return {self._input: np.ascontiguousarray(np.stack(middle)[:, None])}

    def responses(self, outputs: Arrays, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """The scores of those windows, float32 [classes, d, h, w] each."""
        return [np.asarray(row, dtype=np.float32) for row in outputs[self._output]]

    def _middle(self, volume: NDArray[np.float32]) -> NDArray[np.float32]:
        starts = [(n // 2) * step for n, step in zip(self._windows.counts(volume.shape), self._windows.strides, strict=True)]
        return volume[tuple(slice(a, a + edge) for a, edge in zip(starts, self._windows.roi, strict=True))]

    def _open(self, path: Path) -> NDArray[np.float32]:
        volume = open_array(path)
        if volume.ndim != 3 or volume.dtype != np.float32 or not self._windows.tile(volume.shape):
            raise MissingError(
                f"{path} is {volume.dtype} {list(volume.shape)}",
                f"cases are float32 [depth, height, width], tiled exactly by windows of {list(self._windows.roi)}",
                "run `make preprocess_data` for this benchmark again; it replaces corrupt arrays",
            )
        return volume
