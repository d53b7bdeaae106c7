"""Optimisation profiles from a workload's fields: the shapes that an engine accepts and the one it is tuned for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from code.backends.tensorrt.options import BOTH
from code.common.errors import UsageError
from code.fields.consumer import Consumer
from code.rules.benchmarks import every_facts, facts_of

LENGTH_FIELDS = tuple(dict.fromkeys(facts.optimal_length_field for facts in every_facts() if facts.optimal_length_field))
"""The fields for the length that an engine is tuned for, one for each benchmark that has one."""

READS = Consumer(
    "TensorRT profiles",
    ("benchmark", "max_batch", "length_buckets", *LENGTH_FIELDS),
    engine=True,
    backends=BOTH,
)


@dataclass(frozen=True)
class Range:
    """Minimum, optimum and maximum of one dimension."""

    least: int
    optimal: int
    most: int


@dataclass(frozen=True)
class Profile:
    """One profile: the batch size, and the sequence length if the benchmark has one."""

    batch: Range
    length: Range | None = None

    def words(self) -> str:
        """As text: 'batch 1..256 (tuned for 256), length 1..384 (tuned for 384)'."""
        parts = [("batch", self.batch), ("length", self.length)]
        return ", ".join(f"{n} {r.least}..{r.most} (tuned for {r.optimal})" for n, r in parts if r is not None)


Shape = tuple[int, ...]


def profiles_of(values: Mapping[str, Any]) -> list[Profile]:
    """The profiles for a workload's fields.

    `gpu_batch_size` is the maximum and the optimum of the batch. The benchmark's optimal_length_field is the
    optimum of the length, whose maximum is the benchmark's own. `length_buckets` cuts the lengths into ranges, each a profile tuned for
    its longest, and overrides that field.

    Raises UsageError for values that contradict each other.
    """
    read = READS.of(values)
    facts = facts_of(str(read["benchmark"]))
    batch = Range(1, most_batch(values), most_batch(values))
    longest = facts.longest_input
    if longest is None:
        return [Profile(batch)]
    name = facts.optimal_length_field
    buckets = read.get("length_buckets")
    if buckets:
        ends = _bucket_ends(buckets, longest)
        return [Profile(batch, Range(start, end, end)) for start, end in zip([1, *[e + 1 for e in ends]], ends, strict=False)]
    optimal = int({field: read.get(field) for field in LENGTH_FIELDS if field == name}.get(name) or longest)
    if not 1 <= optimal <= longest:
        raise UsageError(
            f"{name} cannot be {optimal}",
            f"{facts.name}'s sequences have 1 to {longest} tokens",
            f"choose {name} in that range; {longest} is usual for throughput",
        )
    return [Profile(batch, Range(1, optimal, longest))]


def most_batch(values: Mapping[str, Any]) -> int:
    """The maximum batch size, from gpu_batch_size; UsageError if it is not set."""
    read = READS.of(values)
    size = read.get("max_batch")
    if not size:
        raise UsageError(
            f"gpu_batch_size is not set for {read['benchmark']}",
            "an engine is built for a maximum batch size",
            f"set gpu_batch_size = {{'{read['benchmark']}': 64}} in the config, or --gpu_batch_size=64",
        )
    return int(size)


def shapes(profile: Profile, name: str, dims: Sequence[int]) -> tuple[Shape, Shape, Shape]:
    """Least, optimal and most shape of the input `name`, whose dynamic dimensions are -1: the batch first, then the length.

    Raises UsageError when the graph has a dynamic dimension that the profile does not set, or a fixed one outside it.
    """
    wanted = [profile.batch, profile.length]
    out: list[list[int]] = [[], [], []]
    for axis, size in enumerate(dims):
        span = wanted[axis] if axis < len(wanted) else None
        if size >= 0 and (span is None or size == span.most == span.optimal):
            span = Range(size, size, size)
        elif size >= 0:
            what = ("batch", "length")[axis]
            raise UsageError(
                f"the graph's input {name!r} has a fixed {what} of {size}, but the profile needs {profile.words()}",
                "a profile outside a graph's shapes cannot be built",
                "export the graph with a dynamic " + what + (f", or set gpu_batch_size to {size}" if axis == 0 else ""),
            )
        if span is None:
            raise UsageError(
                f"the graph's input {name!r} has a dynamic dimension {axis} that no field sets a range for",
                f"its shape is {list(dims)}; profiles cover the batch" + (" and the length" if profile.length else ""),
                "export the graph with that dimension fixed",
            )
        for row, value in zip(out, (span.least, span.optimal, span.most), strict=True):
            row.append(value)
    return tuple(out[0]), tuple(out[1]), tuple(out[2])


def as_settings(profiles: Sequence[Profile]) -> list[dict[str, Any]]:
    """The profiles in the form used in an engine's identity."""
    return [asdict(p) for p in profiles]


def _bucket_ends(buckets: Sequence[Any], longest: int) -> list[int]:
    try:
        ends = [int(word) for word in buckets]
    except ValueError:
        ends = []
    if not ends or ends != sorted(set(ends)) or ends[0] < 1 or ends[-1] != longest:
        raise UsageError(
            f"length_buckets cannot be {','.join(map(str, buckets))}",
            f"lengths must ascend and end with {longest}",
            f"for example --length_buckets=128,256,{longest}",
        )
    return ends
