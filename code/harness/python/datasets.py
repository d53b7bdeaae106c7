"""Data sets as a harness sees them: memory-mapped arrays by sample index, a batch's inputs, and a batch's responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from code.backends.base import Arrays, Stream
from code.common.errors import MissingError, UsageError
from code.harness.python.arrays import open_array
from code.harness.python.volumes import VolumeDataset
from code.harness.schema import datasets as schema
from code.harness.schema.datasets import DatasetSpec, SequenceData


class Dataset(Protocol):
    """Samples by index."""

    count: int
    lengths: NDArray[np.int32]
    """Cost of every sample in the data set's own unit (tokens, windows), int32 [N]; batches are grouped by it."""
    proportional: bool
    """Whether a sample's time is its length times a constant."""

    def load(self, indices: Sequence[int]) -> None:
        """LoadGen wants these samples in memory."""

    def meet(self, stream: Stream, index: int) -> None:
        """Let the engine compute what it would compute first for a sample: an engine's first meeting with a shape costs extra."""

    def answer(self, stream: Stream, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """Compute a batch: one contiguous array per sample, which stays alive until LoadGen has copied it."""

    def inputs(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The input arrays, by the engine's input names, of one call into the engine that belongs to these samples."""

    def responses(self, outputs: Arrays, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """What the outputs of that call say, one array per sample."""


class SequenceDataset:
    """Token sequences padded to a common length on disk, of which a batch takes as much as its longest sample needs.

    A response is float32 [length, number of outputs], the engine's outputs side by side.

    MissingError for arrays that are absent, broken or do not belong together.
    """

    def __init__(self, spec: SequenceData) -> None:
        folder = Path(spec.folder)
        self.count = spec.count
        self.proportional = False
        self._arrays = {name: open_array(folder / file) for name, file in spec.arrays.items()}
        self.lengths = np.ascontiguousarray(open_array(folder / spec.lengths), dtype=np.int32)
        self._outputs = list(spec.outputs)
        self._dtype = np.dtype(spec.input_dtype)
        self._multiple = spec.pad_to_multiple_of
        for name, array in [*self._arrays.items(), ("lengths", self.lengths)]:
            if len(array) != self.count:
                raise MissingError(
                    f"{folder}: {name} has {len(array)} samples, not {self.count}",
                    "the preprocessed arrays do not belong together",
                    "run `make preprocess_data` for this benchmark again",
                )

    def load(self, indices: Sequence[int]) -> None:
        """Touch the samples' pages so that the run reads them from memory."""
        wanted = np.asarray(indices, dtype=np.int64)
        for array in self._arrays.values():
            for part in np.array_split(wanted, max(1, len(wanted) // 4096)):
                array[part].sum()

    def meet(self, stream: Stream, index: int) -> None:
        """The sample alone."""
        stream.infer(self.inputs(np.asarray([index], dtype=np.int64)))

    def answer(self, stream: Stream, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """One call into the engine."""
        return self.responses(stream.infer(self.inputs(indices)), indices)

    def inputs(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Arrays [n, longest sample of the batch], rounded up where a multiple is asked for; rows end behind their width anyway."""
        longest = -(-int(self.lengths[indices].max()) // self._multiple) * self._multiple
        return {name: np.ascontiguousarray(a[indices, :longest], dtype=self._dtype) for name, a in self._arrays.items()}

    def responses(self, outputs: Arrays, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """float32 [length of the sample, outputs] each, without padding."""
        joined = np.stack([outputs[name] for name in self._outputs], axis=-1).astype(np.float32, copy=False)
        return [joined[row, :length] for row, length in enumerate(self.lengths[indices].tolist())]


KINDS: dict[type, Callable[[Any], Dataset]] = {SequenceData: SequenceDataset, schema.VolumeData: VolumeDataset}
"""What run.json says of a data set → the class that runs it. A new kind is one entry."""


def open_dataset(spec: DatasetSpec | Mapping[str, Any]) -> Dataset:
    """The data set that run.json, or a benchmark, describes. UsageError for a kind that has no batches here."""
    known = schema.of_benchmark(spec) if isinstance(spec, Mapping) else spec
    kind = KINDS.get(type(known))
    if kind is None:
        names = ", ".join(name for name, one in schema.DATASETS.items() if one in KINDS)
        raise UsageError(
            f"the Python harness makes no batches of the kind of data set '{known.kind}'",
            f"it makes them of {names}",
            "run with --harness_lang=cpp",
        )
    return kind(known)
