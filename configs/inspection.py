"""Inspection of config classes: their fields by inheritance, where each is set, and errors in them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from code.common.constants import Benchmark, Scenario
from code.common.errors import HarnessError, UsageError, nearest
from code.common.files import require_regular
from code.fields.consumer import Consumer
from code.fields.table import field_table
from code.rules.benchmarks import BENCHMARKS
from configs.configuration import BenchmarkConfiguration, ConfigRegistry, Detected, Probed, Registered, shown

CLASS_ONLY = ("benchmark", "scenario", "system")
"""Attributes that select the workload of a class rather than configure it."""

READS = Consumer("config registry", ("benchmark", "scenario"))


def fields_of(cls: type) -> dict[str, tuple[Any, type]]:
    """The fields of a config class, including inherited ones: name → (value, the class that sets it).

    Methods, private names and nested classes are not fields, unless they have a field's name: `precision = int` is an error.
    Placeholders of a template set nothing (`placeholders`).
    """
    out: dict[str, tuple[Any, type]] = {}
    for base in reversed(cls.__mro__):
        if base in (object, BenchmarkConfiguration):
            continue
        for name, value in vars(base).items():
            other = isinstance(value, (type, staticmethod, classmethod, property)) or callable(value)
            if name.startswith("_") or (other and name not in field_table()) or _is_placeholder(base, name, value):
                continue
            out[name] = (value, base)
    return out


def placeholders(cls: type) -> list[tuple[str, type]]:
    """(name, the class that has it) of each line of a template that was not filled in, as `precision: str = ''`."""
    return [(name, base) for base in cls.__mro__ for name, value in vars(base).items() if _is_placeholder(base, name, value)]


def _is_placeholder(owner: type, name: str, value: Any) -> bool:
    """Whether an annotated line has the empty value of its type where the field takes none; a target of 0 is an error of its own."""
    option = field_table().get(name)
    if option is None or name not in vars(owner).get("__annotations__", {}) or isinstance(value, bool):
        return False
    if value == 0 and option.limits is not None:
        return not option.limits[0] <= 0 <= option.limits[1]
    return value in ("", {}, [])


def system_of(entry: Registered) -> str:
    """The name of the system a class is for; '' if it sets none."""
    system = getattr(entry.cls, "system", None)
    return str(getattr(system, "name", system) or "")


def faults(entry: Registered) -> list[HarnessError]:
    """Every error that selecting this class would raise, except an unknown system.

    Fields of unsupported benchmarks are not checked.
    """
    found: list[HarnessError] = [
        UsageError(
            f"config class {entry.cls.__name__} has no {name}",
            "a config is for one benchmark, scenario and system",
            f"set `{name}`, or inherit from a class that does",
            entry.where,
        )
        for name in CLASS_ONLY
        if not hasattr(entry.cls, name)
    ]
    if str(getattr(entry.cls, "benchmark", "")) not in BENCHMARKS:
        return found
    for name, (raw, owner) in fields_of(entry.cls).items():
        try:
            checked(entry.cls, name, raw, owner)
        except HarnessError as error:
            found.append(error)
    return found


def misplaced(entry: Registered, benchmark: Benchmark, scenario: Scenario) -> UsageError | None:
    """The error for a class in a file of another benchmark or scenario, else None."""
    read = READS.of({name: getattr(entry.cls, name, None) for name in READS.fields})
    for name, own, wanted in (("benchmark", read["benchmark"], benchmark), ("scenario", read["scenario"], scenario)):
        if own is not None and own is not wanted:
            return UsageError(
                f"config class {entry.cls.__name__} is for {name} {own}, in a file of {wanted}",
                f"the folder says which {name} a config is for, and the class has to agree",
                f"inherit from a base class of {wanted}, or move the class",
                entry.where,
            )
    return None


def duplicates(entries: Iterable[Registered]) -> list[UsageError]:
    """An error for each class registered for the same workload as an earlier one; it points to the later and cites both."""
    first: dict[tuple[Any, ...], Registered] = {}
    found = []
    for entry in entries:
        benchmark, scenario = getattr(entry.cls, "benchmark", None), getattr(entry.cls, "scenario", None)
        key = (benchmark, scenario, entry.folder or system_of(entry), entry.setting, entry.suffix)
        other = first.setdefault(key, entry)
        if other is not entry:
            found.append(
                UsageError(
                    f"two configs for {benchmark} {scenario} {entry.setting.shortname()} on {entry.folder or system_of(entry)}",
                    f"{other.cls.__name__} at {other.where} and {entry.cls.__name__} at {entry.where}",
                    "remove one of them",
                    entry.where,
                )
            )
    return found


def checked(config: type, name: str, raw: Any, owner: type) -> Any:
    """A field's value, validated; UsageError with file:line for an unknown field or a value of the wrong type."""
    if name in CLASS_ONLY or isinstance(raw, (Detected, Probed)):
        return raw
    option = field_table().get(name)
    if option is not None and not option.placed:
        if isinstance(raw, str) and is_entry(owner):  # in the newer layout a text goes through the field's own parser
            return option.parse(raw, place_of(owner, name))
        return option.check(raw, place_of(owner, name))
    near = _nearest_field(name)
    raise UsageError(
        f"config {'' if is_entry(owner) else 'class '}{config.__name__} sets an unknown field {name!r}",
        f"the nearest known field is {near!r}" if near else "no known field has a similar name",
        "correct its name, or see documentation/fields.md for all of them",
        place_of(owner, name),
    )


def is_entry(owner: type) -> bool:
    """Whether a class was made of an entry of EXPORTS."""
    return "__places__" in vars(owner)


@cache
def _nearest_field(name: str) -> str | None:
    return nearest(name, field_table())


def place_of_field(config: type, name: str) -> str:
    """file:line of the assignment that gives a config class the field `name`."""
    owner = next((cls for cls in config.__mro__ if name in vars(cls)), config)
    return place_of(owner, name)


def place_of(owner: type, name: str) -> str:
    """file:line of the assignment to `name` in the class `owner`, or of the entry of EXPORTS that it was made of."""
    known = vars(owner).get("__places__", {})
    if name in known:
        return str(known[name])
    module = sys.modules.get(owner.__module__)
    file = getattr(module, "__file__", None) or owner.__module__
    lines = _assignment_lines(file).get((owner.__qualname__, name), [])
    if len(lines) > 1:  # several classes of that name: use the one whose register line is above
        own = [entry.line for entry in ConfigRegistry.entries if entry.cls is owner]
        lines = [line for line in lines if own and line >= own[-1]] or lines[-1:]
    return f"{shown(file)}:{lines[0]}" if lines else shown(file)


@cache
def _assignment_lines(file: str) -> dict[tuple[str, str], list[int]]:
    try:
        tree = ast.parse(require_regular(Path(file)).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    found: dict[tuple[str, str], list[int]] = {}
    for key, line in _assignments(tree.body, ""):
        found.setdefault(key, []).append(line)
    return found


def _assignments(body: list[ast.stmt], prefix: str) -> Iterator[tuple[tuple[str, str], int]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _assignments(node.body, f"{prefix}{node.name}.")
            continue
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and prefix:
                yield (prefix[:-1], target.id), node.lineno
