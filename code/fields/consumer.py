"""Declarations of which options a part of the harness reads, made in the module that reads them.

    READS = Consumer("LoadGen seeds", ("round", "qsl_rng_seed"))
    …
    read = READS.of(values)
    read["round"]       # fine
    read["precision"]   # UndeclaredFieldError

What a backend honours, the "ignored" warning, the fields that decide what an engine is and documentation/fields.md follow from these
declarations (code/plan/consumers.py). tests/unit/test_fields.py checks that each declared field is read in its module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from code.fields.table import field_table

AUTO = "auto"
"""The value of harness_lang before the language is chosen; either language is possible."""


LANGUAGES = {"cpp": "C++", "python": "Python"}


class UndeclaredFieldError(LookupError):
    """An option was read without being declared: a programming error."""


class Readable(Protocol):
    """Source of options: a mapping of names to values, a workload or a request."""

    def __getitem__(self, name: str, /) -> Any:
        """The value of an option."""


@dataclass(frozen=True)
class Run:
    """The properties of a workload that determine which consumers read its options.

    Args:
        device: the kind of device of the backend, 'CPU' or 'GPU'.
        benchmark: its short name, 'bert'.
        language: of the harness: 'cpp', 'python', or 'auto' if it is not yet chosen.
        precision: of the graph: fp8 if use_fp8 is set.
        graphs: whether the backend compiles a graph that is first converted to the precision.
        served: whether its engines are behind Triton.
        own_server: whether it starts a server of its own (--with_server).
    """

    backend: str
    device: str
    benchmark: str
    scenario: str
    language: str
    precision: str
    graphs: bool
    served: bool = False
    own_server: bool = False


@dataclass(frozen=True, eq=False)
class Consumer:
    """One part of the harness and the options that it reads.

    Args:
        name: as warnings and documentation call it; consumers of several modules may share one.
        fields: the names of the options.
        engine: whether each of them decides what an engine is, so that another value means another engine.
        backends, devices, benchmarks, languages, precisions: the runs that it takes part in; empty means all.
        graphs: whether it takes part only where a graph is made in the precision of the run.
        served, own_server: whether it takes part only where engines are behind Triton, or where a run starts a server of its own.
        notes: field → additional note for the documentation. For a consumer of one harness language: what the other
            language's harness does instead, as the end of 'the Python harness …'.
    """

    name: str
    fields: tuple[str, ...]
    engine: bool = False
    backends: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    graphs: bool = False
    served: bool = False
    own_server: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [name for name in self.fields if name not in field_table() or field_table()[name].name != name]
        if unknown:
            raise ValueError(f"{self.name} declares fields that code/fields/rows does not have: {', '.join(unknown)}")
        strays = set(self.notes) - set(self.fields)
        if strays:
            raise ValueError(f"{self.name} has notes on fields that it does not declare: {', '.join(sorted(strays))}")

    def of(self, values: Readable) -> Reading:
        """The declared options among `values`. Another consumer's reading is re-read under this one's declaration."""
        return Reading(self, values.source if isinstance(values, Reading) else values)

    def applies(self, run: Run) -> bool:
        """Whether it is used in a run."""
        conditions = (
            (self.backends, run.backend),
            (self.devices, run.device),
            (self.benchmarks, run.benchmark),
            (self.precisions, run.precision),
            (self.languages, run.language if run.language != AUTO or not self.languages else self.languages[0]),
        )
        fits = all(not allowed or value in allowed for allowed, value in conditions)
        return fits and all(
            has or not needs
            for has, needs in ((run.graphs, self.graphs), (run.served, self.served), (run.own_server, self.own_server))
        )

    def reads(self, name: str, run: Run) -> bool:
        """Whether it uses the option `name` in a run: the option itself may apply to some benchmarks and scenarios only."""
        if name not in self.fields or not self.applies(run):
            return False
        option = field_table()[name]
        return (not option.benchmarks or run.benchmark in option.benchmarks) and (
            not option.scenarios or run.scenario in option.scenarios
        )

    @property
    def only(self) -> str:
        """The runs that it takes part in, such as 'int8 and fp8 only'; '' for all. Backends and benchmarks are left to its name."""
        words = [
            *(f"{LANGUAGES[language]} harness" for language in self.languages),
            *self.devices,
            *([" and ".join(self.precisions)] if self.precisions else []),
        ]
        return ", ".join(words) + " only" if words else ""


class Reading(Mapping[str, Any]):
    """The options of one consumer. An option that `source` lacks raises KeyError, as in any mapping."""

    def __init__(self, consumer: Consumer, source: Readable) -> None:
        self.consumer = consumer
        self.source = source

    def __getitem__(self, name: str) -> Any:
        """The value of a declared option."""
        if name not in self.consumer.fields:
            raise UndeclaredFieldError(f"{self.consumer.name} reads {name!r}: declare it in the Consumer of that name")
        return self.source[name]

    def __iter__(self) -> Iterator[str]:
        """The declared options that `source` holds."""
        return (name for name in self.consumer.fields if name in self)

    def __len__(self) -> int:
        """Number of declared options in `source`."""
        return sum(1 for _ in self)
