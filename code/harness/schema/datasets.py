"""Kinds of data set: run.json's `dataset`. The benchmark writes it; both harnesses have a class per kind that runs it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, Literal

from code.harness.schema.reader import OneOf, Range, Reader, Size

Name = Annotated[str, Size(1)]
Count = Annotated[int, Range(1, (1 << 31) - 1)]
LARGEST_WINDOW = 1 << 28
"""Voxels of a window: a gigabyte in float32."""


@dataclass(frozen=True)
class SequenceData:
    """Token sequences.

    Args:
        folder: directory of the arrays.
        count: number of samples.
        arrays: engine input → file.
        lengths: file of the sequences' lengths.
        outputs: the engine's outputs in the order of the response's last axis.
        input_dtype: the engine's input type.
        pad_to_multiple_of: a batch's length is rounded up to a multiple of this; 1: not rounded.
    """

    folder: Name
    count: Count
    arrays: Annotated[Mapping[str, Name], Size(1)]
    lengths: Name
    outputs: Annotated[tuple[Name, ...], Size(1)]
    input_dtype: Literal["int32", "int64"]
    pad_to_multiple_of: Annotated[int, Range(1, 65536)] = 1
    kind: Literal["sequence"] = "sequence"


@dataclass(frozen=True)
class VolumeData:
    """Volumes for sliding-window inference.

    Args:
        folder: directory of the cases.
        count: number of cases.
        cases: names; each case is <name>.npy.
        roi: depth, height, width of a window.
        overlap: share of a window, in [0, 1).
        sigma: standard deviation of the Gaussian weights, as a share of the ROI.
        windows_per_batch: most windows per engine call.
        input, output: names in the engine.
    """

    folder: Name
    count: Count
    cases: Annotated[tuple[Name, ...], Size(1)]
    roi: Annotated[tuple[Annotated[int, Range(1, 65536)], ...], Size(3, 3)]
    overlap: Annotated[float, Range(0, 1, below=True)]
    sigma: Annotated[float, Range(0, 1e6, above=True)]
    windows_per_batch: Annotated[int, Range(1, 65536)]
    input: Name
    output: Name
    kind: Literal["volume"] = "volume"

    def complaint(self) -> str:
        """A check that JSON Schema cannot express: the problem with the window or the cases, or ''."""
        if math.prod(self.roi) > LARGEST_WINDOW:
            return f"a window of {math.prod(self.roi):,} voxels is larger than {LARGEST_WINDOW:,}"
        return "" if len(self.cases) == self.count else f"there are {len(self.cases)} cases, but count is {self.count}"


@dataclass(frozen=True)
class GenerationSpec:
    """Text generation settings: code/backends/generators/base.py."""

    num_beams: Annotated[int, Range(1, 1024)]
    min_new_tokens: Annotated[int, Range(0, 1 << 24)]
    max_new_tokens: Annotated[int, Range(1, 1 << 24)]
    early_stopping: bool
    eos: Annotated[int, Range(0, (1 << 31) - 1)]
    also_ends: tuple[Annotated[int, Range(0, (1 << 31) - 1)], ...] = ()


@dataclass(frozen=True)
class PromptData:
    """Prompts for a text generator.

    Args:
        folder: directory of the arrays.
        count: number of prompts.
        tokens, offsets, lengths: files.
        positions: most tokens that the model accepts, prompt and text together.
        generation: text generation settings.
        use_token_latencies: report first tokens to LoadGen.
        enable_sort: Offline submits the longest prompts first.
        num_sort_segments: parts of the query that are sorted separately.
    """

    folder: Name
    count: Count
    tokens: Name
    offsets: Name
    lengths: Name
    positions: Annotated[int, Range(1, 1 << 30)]
    generation: GenerationSpec
    use_token_latencies: bool = False
    enable_sort: bool = True
    num_sort_segments: Annotated[int, Range(1, 1 << 20)] = 1
    kind: Literal["prompts"] = "prompts"


@dataclass(frozen=True)
class SyntheticData:
    """Lengths only, for the null and the simulated engine.

    Args:
        count: number of samples.
        lengths: of the samples; the list repeats.
        outputs: names of the outputs; only their number matters.
    """

    count: Count
    lengths: Annotated[tuple[Annotated[int, Range(1, 10**9)], ...], Size(1)]
    outputs: Annotated[tuple[Name, ...], Size(1)]
    kind: Literal["synthetic"] = "synthetic"


DatasetSpec = SequenceData | VolumeData | PromptData | SyntheticData

DATASETS: Mapping[str, type] = {
    "sequence": SequenceData,
    "volume": VolumeData,
    "prompts": PromptData,
    "synthetic": SyntheticData,
}
"""dataset.kind → class. To add a kind, add an entry."""


def of_benchmark(content: Mapping[str, Any], **changed: Any) -> DatasetSpec:
    """The data set that a benchmark describes. UsageError for a key or value that the kind does not accept.

    Args:
        content: `dataset` of its definition; omitted keys keep their defaults; `usual_count` is for LoadGen's settings only.
        changed: values of the run; they override the benchmark's where the kind has the key.
    """
    kind = DATASETS.get(str(content.get("kind")))
    given = {name: value for name, value in content.items() if name != "usual_count"}
    if kind is not None:
        names = {field.name for field in fields(kind)}
        usual = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
        given = {**usual, **given, **{name: value for name, value in changed.items() if name in names}}
    made: DatasetSpec = Reader("the data set").value(Any, [OneOf("kind", DATASETS)], given, "")
    return made
