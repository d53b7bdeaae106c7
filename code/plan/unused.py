"""Options that were set but have no effect in a run, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from code.fields.accepted import ACCEPTED
from code.fields.consumer import LANGUAGES, Run
from code.fields.table import FIELDS
from code.plan.consumers import consumers_of, is_read

DEFAULT = "default"


class Set(Protocol):
    """A value and where it came from."""

    @property
    def value(self) -> object:
        """The value; None when unset."""

    @property
    def origin(self) -> str:
        """'default', or where it was set."""


def unused(values: Mapping[str, Set], run: Run) -> list[tuple[str, str]]:
    """(option, reason) for every option of a config that was set and that no consumer of the run reads, in the table's order."""
    out = []
    for field in FIELDS:
        item = values.get(field.name)
        if field.request or field.class_only or item is None or item.value is None or item.origin == DEFAULT:
            continue
        if is_read(field.name, run):
            continue
        if item.value is False and _other_language(field.name, run):
            continue  # a switch that is off has no effect in any case
        out.append((field.name, reason(field.name, run)))
    return out


def reason(name: str, run: Run) -> str:
    """Why an option has no effect in a run."""
    if name in ACCEPTED:
        return ACCEPTED[name]
    field = next(f for f in FIELDS if f.name == name)
    if field.benchmarks and run.benchmark not in field.benchmarks:
        return f"it is for {', '.join(field.benchmarks)}"
    if field.scenarios and run.scenario not in field.scenarios:
        return f"it is for {', '.join(field.scenarios)}"
    return (
        _without_server(name, run)
        or _other_language(name, run)
        or _other_runs(name, run)
        or f"{run.backend} compiles the model as it is"
    )


def _without_server(name: str, run: Run) -> str:
    """The server that an option is for and that a run does not have; '' where that is not the reason."""
    readers = consumers_of(name)
    if not run.served and all(consumer.served for consumer in readers):
        return "it is for runs behind Triton: --config_ver=triton"
    if not run.own_server and any(consumer.own_server for consumer in readers):
        others = _other_runs(name, run)
        return f"{others}, or with --with_server" if others else "it is for runs with --with_server"
    return ""


def _other_runs(name: str, run: Run) -> str:
    """The devices, graphs or backends that an option is for; '' where those are not the reason."""
    others = [c for c in consumers_of(name) if not c.benchmarks or run.benchmark in c.benchmarks]
    for words, found in (
        ("{}s", [c.devices for c in others if run.device not in c.devices]),
        ("{} graphs", [c.precisions for c in others if run.precision not in c.precisions]),
        ("the backend {}", [c.backends for c in others if run.backend not in c.backends]),
    ):
        listed = list(dict.fromkeys(item for items in found for item in items))
        if listed:
            return f"it is for {words.format(' and '.join(listed))}"
    return ""


def _other_language(name: str, run: Run) -> str:
    """What this run's harness does instead, when only the other language's harness reads the option; otherwise ''."""
    for consumer in consumers_of(name):
        for language in consumer.languages:
            if consumer.reads(name, replace(run, language=language)):
                instead = consumer.notes.get(name, "does not act on it")
                return f"the {LANGUAGES.get(run.language, run.language)} harness {instead}; --harness_lang={language} acts on it"
    return ""
