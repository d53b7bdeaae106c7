"""Data sets of the harness: samples by index, a batch's inputs and a batch's responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from code.backends.base import Arrays, Stream
from code.common.errors import MissingError, UsageError
from code.harness.python.arrays import open_array
from code.harness.python.volumes import VolumeDataset
from code.harness.schema import datasets as schema
from code.harness.schema.datasets import DatasetSpec, SequenceData

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Dataset(Protocol):
    """Samples by index."""

    count: int
    lengths: NDArray[np.int32]
    """Cost of every sample in the data set's own unit (tokens, windows), int32 [N]; batches are grouped by it."""
    proportional: bool
    """Whether a sample's time is proportional to its length."""

    def load(self, indices: Sequence[int]) -> None:
        """LoadGen's LoadSamplesToRam."""

    def meet(self, stream: Stream, index: int) -> None:
        """Run the first engine call of a sample: an engine's first use of a shape costs extra."""

    def answer(self, stream: Stream, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """Compute a batch. Returns one contiguous array per sample; keep it alive until LoadGen has copied it."""

    def inputs(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The input arrays of one engine call for these samples, by the engine's input names."""

    def responses(self, outputs: Arrays, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """The outputs of that call as one array per sample."""


class SequenceDataset:
    """Token sequences, stored padded to a common length; a batch uses only the length of its longest sample.

    A response is float32 [length, number of outputs], the engine's outputs interleaved.

    MissingError for arrays that are absent, corrupt or do not match.
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
                    "the preprocessed arrays do not match",
                    "run `make preprocess_data` for this benchmark again",
                )

    def load(self, indices: Sequence[int]) -> None:
        """Touch the samples' pages so that the run reads them from memory."""
        wanted = np.asarray(indices, dtype=np.int64)
        for array in self._arrays.values():
            for part in np.array_split(wanted, max(1, len(wanted) // 4096)):
                array[part].sum()

    def meet(self, stream: Stream, index: int) -> None:
        """Run the sample as a batch of one."""
        stream.infer(self.inputs(np.asarray([index], dtype=np.int64)))

    def answer(self, stream: Stream, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """One call into the engine."""
        return self.responses(stream.infer(self.inputs(indices)), indices)

    def inputs(self, indices: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Arrays [n, longest sample of the batch], rounded up to the spec's multiple, at most the stored width."""
        longest = -(-int(self.lengths[indices].max()) // self._multiple) * self._multiple
        return {name: np.ascontiguousarray(a[indices, :longest], dtype=self._dtype) for name, a in self._arrays.items()}

    def responses(self, outputs: Arrays, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """One float32 [length of the sample, outputs] per sample, without padding."""
        joined = np.stack([outputs[name] for name in self._outputs], axis=-1).astype(np.float32, copy=False)
        return [joined[row, :length] for row, length in enumerate(self.lengths[indices].tolist())]


KINDS: dict[type, Callable[[Any], Dataset]] = {SequenceData: SequenceDataset, schema.VolumeData: VolumeDataset}
"""Data set spec class → the class that runs it. To add a kind, add an entry."""


def open_dataset(spec: DatasetSpec | Mapping[str, Any]) -> Dataset:
    """Open the data set that run.json or a benchmark describes. UsageError for a kind that does not run in batches."""
    known = schema.of_benchmark(spec) if isinstance(spec, Mapping) else spec
    kind = KINDS.get(type(known))
    if kind is None:
        names = ", ".join(name for name, one in schema.DATASETS.items() if one in KINDS)
        raise UsageError(
            f"the Python harness does not support data sets of kind '{known.kind}' in batches",
            f"it supports {names}",
            "run with --harness_lang=cpp",
        )
    return kind(known)
