"""verify_data: check every reference file and preprocessed array that is there, and list what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from code.actions import Context, OncePerRequest
from code.benchmarks.benchmark import definition_of
from code.benchmarks.verify import Check
from code.common import console
from code.common.errors import MissingError, RunError
from code.fields.table import FIELDS

SHOWN = 12
"""Lines of one state that are printed; the others are counted."""


def run(context: Context) -> int:
    """Print what is right, wrong and missing. RunError if anything is wrong, MissingError if anything is missing."""
    given = {name: item.value for name, item in context.request.overrides().items()}
    values = {**{field.name: field.default for field in FIELDS}, **given, "model_variant": "reference"}
    found: list[Check] = []
    for benchmark in context.request.benchmarks():
        checks = list(definition_of(benchmark).verify(values))
        _report(str(benchmark), checks)
        found += checks
    wrong, missing = _of(found, "wrong"), _of(found, "missing")
    if wrong:
        raise RunError(
            f"{len(wrong)} files or arrays differ from the expected ones", f"{wrong[0].what}: {wrong[0].text}", wrong[0].fix
        )
    if missing:
        commands = dict.fromkeys(check.fix for check in missing)
        raise MissingError(
            f"{len(missing)} files or arrays are missing", f"{missing[0].what}: {missing[0].text}", "; ".join(commands)
        )
    return 0


def _report(benchmark: str, found: Sequence[Check]) -> None:
    """Print the counts of a benchmark's checks, and those that are not right."""
    good, wrong, missing = (len(_of(found, state)) for state in ("ok", "wrong", "missing"))
    console.say(f"{benchmark}: {good} right, {wrong} wrong, {missing} missing")
    for state in ("note", "wrong", "missing"):
        checks = _of(found, state)
        for check in checks[:SHOWN]:
            console.say(f"  {state:8} {check.what}: {check.text}")
        if len(checks) > SHOWN:
            console.say(f"  {state:8} and {len(checks) - SHOWN} more")


def _of(found: Sequence[Check], state: str) -> list[Check]:
    return [check for check in found if check.state == state]


ACTION = OncePerRequest(run)
