"""Kinds of data set: `dataset` of run.json. The benchmark makes it; each kind has a class in both harnesses that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, Literal

from code.harness.schema.reader import OneOf, Range, Reader, Size

Name = Annotated[str, Size(1)]
Count = Annotated[int, Range(1, (1 << 31) - 1)]


@dataclass(frozen=True)
class SequenceData:
    """Token sequences.

    Args:
        folder: where the arrays are.
        count: samples.
        arrays: engine input → file.
        lengths: file of the sequences' lengths.
        outputs: the engine's outputs in the order of the response's last axis.
        input_dtype: what the engine wants.
        pad_to_multiple_of: what a batch's length is rounded up to; 1: it is not.
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
    """Volumes that a window slides over.

    Args:
        folder: where the cases are.
        count: cases.
        cases: names, of which each is <name>.npy.
        roi: depth, height, width of a window.
        overlap: of two windows, as a share.
        sigma: of the weights' Gaussian, as a share of the ROI.
        windows_per_batch: most windows in one call into the engine.
        input, output: the engine's names.
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
        """What JSON Schema cannot say: why the cases do not fit, or ''."""
        return "" if len(self.cases) == self.count else f"there are {len(self.cases)} cases, and count is {self.count}"


@dataclass(frozen=True)
class GenerationSpec:
    """How texts are generated: code/backends/generators/base.py."""

    num_beams: Annotated[int, Range(1, 1024)]
    min_new_tokens: Annotated[int, Range(0, 1 << 24)]
    max_new_tokens: Annotated[int, Range(1, 1 << 24)]
    early_stopping: bool
    eos: Annotated[int, Range(0, (1 << 31) - 1)]


@dataclass(frozen=True)
class PromptData:
    """Prompts that a text generator continues.

    Args:
        folder: where the arrays are.
        count: prompts.
        tokens, offsets, lengths: files.
        positions: most tokens that the model takes, prompt and text together.
        generation: how texts are generated.
        use_token_latencies: LoadGen gets first tokens as they come.
        enable_sort: Offline hands over the longest prompts first.
        num_sort_segments: parts of the query that are sorted for themselves.
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
    """Lengths and nothing else, for the null and the simulated engine.

    Args:
        count: samples.
        lengths: of the samples; the list repeats.
        outputs: names of as many outputs as a response has.
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
"""dataset.kind → class. A new kind is one entry."""


def of_benchmark(content: Mapping[str, Any], **changed: Any) -> DatasetSpec:
    """The data set that a benchmark describes. UsageError for a key or value that the kind does not have.

    Args:
        content: `dataset` of its definition; keys left out keep their defaults, and `usual_count` is LoadGen's settings' alone.
        changed: values of the run, which stand over the benchmark's where the kind has them.
    """
    kind = DATASETS.get(str(content.get("kind")))
    given = {name: value for name, value in content.items() if name != "usual_count"}
    if kind is not None:
        names = {field.name for field in fields(kind)}
        usual = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
        given = {**usual, **given, **{name: value for name, value in changed.items() if name in names}}
    made: DatasetSpec = Reader("the data set").value(Any, [OneOf("kind", DATASETS)], given, "")
    return made
