"""scripts/completion/words: what `make help TARGET=…` and completion in the shell know, as lines of fields separated by tabs.

target    name, group ('' for a target of other harnesses), action, variables, text
planning  the actions that read every config field
option    name, group, how it is written, values, actions (a config field: those that plan nothing), text
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from code.backends.base import BACKENDS
from code.common.constants import Scenario
from code.fields.accepted import ACCEPTED
from code.fields.field import Field
from code.fields.table import FIELDS
from code.plan.make_targets import targets
from code.plan.reads import PLANNING, options_of
from code.rules.benchmarks import BENCHMARKS
from code.rules.rounds import ROUNDS
from code.systems.system_list import KnownSystem

WORDS = "scripts/completion/words"
CONFIG_VERSIONS = ("default", "high_accuracy", "maxq", "maxq_high_accuracy", "all")


def text() -> str:
    """The whole file."""
    lines = [*_targets(), ("planning", " ".join(PLANNING)), *_options()]
    return "".join("\t".join(line) + "\n" for line in lines)


def _targets() -> Iterator[tuple[str, ...]]:
    """The project's targets, and those of other harnesses that call an action."""
    for makefile in ("Makefile", "Makefile.compat"):
        for one in targets(makefile).values():
            if makefile == "Makefile" or one.action:
                group = one.group if makefile == "Makefile" else ""
                yield "target", one.name, group, one.action, " ".join(one.variables), one.text


def _options() -> Iterator[tuple[str, ...]]:
    """The options of the command line that act here, each with the actions that read it."""
    actions = sorted({line[3] for line in _targets() if line[3]})
    read = {action: {field.name for field in options_of(action)} for action in actions}
    for field in FIELDS:
        if field.name == "action" or field.name in ACCEPTED or field.class_only or field.placed:
            continue
        names = [action for action in actions if field.name in read[action] and (field.request or action not in PLANNING)]
        yield "option", field.name, field.group, written(field), " ".join(_values(field)), " ".join(names), field.help


def written(field: Field) -> str:
    """An option as it is written: '--fast', '--round=…', '--test_mode=PerformanceOnly|AccuracyOnly|SubmissionRun'."""
    if field.type == "bool":
        return f"--{field.name}"
    short = "|".join(field.choices) if field.choices and len(field.choices) < 4 else field.unit or field.type
    return f"--{field.name}={short}"


def _values(field: Field) -> Sequence[str]:
    known = {
        "benchmarks": (*sorted(BENCHMARKS), "all"),
        "scenarios": tuple(str(one) for one in Scenario),
        "config_ver": CONFIG_VERSIONS,
        "system": tuple(one.name for one in KnownSystem if not one.custom and not one.retired),
        "backend": tuple(BACKENDS),
        "round": tuple(ROUNDS),
        "category": ("datacenter", "edge", "datacenter,edge"),
        "audit_test": ("TEST01", "TEST04", "TEST06"),
    }
    return known.get(field.name) or field.choices
