"""Checks of system descriptions and of the nameplate power file beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from code.common import jsonfile
from code.rules.rounds import NETWORK, Round
from code.submission.check.finding import Finding
from code.submission.stage.layout import Place
from code.systems.data.description_fields import ALLOWED, MEANINGFUL, NETWORK_FIELDS, REQUIRED

STAGE = "make stage_results"
STEP = f"add it to the [system] table of submission.toml, then run `{STAGE}`"
IS_NETWORK = "is_network"
COUNTS = ("number_of_nodes", "accelerators_per_node")
"""Fields that the checkers since v5.0 multiply, so that each must be a whole number."""


def read_object(path: Path, what: str) -> tuple[dict[str, Any], Finding | None]:
    """The JSON object in a file; {} and a finding that names `what` if there is none."""
    try:
        content = jsonfile.read(path)
    except FileNotFoundError:
        return {}, Finding(path, f"{what} is missing", STAGE, check="files")
    except (OSError, ValueError) as error:
        return {}, Finding(path, f"{what} cannot be read: {error}", STAGE, check="files")
    return (content, None) if isinstance(content, dict) else ({}, Finding(path, "not a JSON object", STAGE, check="files"))


def is_network(system: dict[str, Any]) -> bool:
    """Whether the system was measured over a network, as the official checkers read it."""
    value = system.get(IS_NETWORK)
    return isinstance(value, str) and value.lower() == "true"


def check(path: Path, system: dict[str, Any], place: Place, round_: Round) -> Iterator[Finding]:
    """Findings on the description of a result's system."""
    for name in REQUIRED:
        value = system.get(name)
        if name not in system:
            yield Finding(path, f"the field {name} is missing", STEP, check="system")
        elif name in MEANINGFUL and not value:
            what = f"the field {name} is empty" + (' (write "0", as a string)' if value == 0 else "")
            yield Finding(path, what, STEP, check="system")
        elif name in ALLOWED and str(value).lower() not in ALLOWED[name]:
            yield Finding(path, f"{name} cannot be {value!r}; it must be one of {', '.join(ALLOWED[name])}", STEP, check="system")
    for name, folder in (("submitter", place.submitter), ("division", place.division)):
        if str(system.get(name, folder)).lower() != folder.lower():
            yield Finding(path, f"{name} is {system[name]!r}, but its folder is {folder!r}", STAGE, check="system")
    yield from _network(path, system, place, round_)
    for name in COUNTS if round_.modern else ():
        if system.get(name) and not str(system[name]).strip().isdecimal():
            what = f"{name} is {system[name]!r}; the official checker needs a whole number"
            yield Finding(path, what, STEP, check="system")
    yield from _nameplate(path.with_name(f"{place.system}_power.yaml"), round_)


def _network(path: Path, system: dict[str, Any], place: Place, round_: Round) -> Iterator[Finding]:
    """The network division is for systems measured over a network, the closed division for the others; open takes both."""
    value = system.get(IS_NETWORK)
    if value is not None and not isinstance(value, str):
        what = f'{IS_NETWORK} is {value!r}; the official checker needs a string, "true" or "false"'
        yield Finding(path, what, "put it in quotes", check="system")
    over = is_network(system)
    if over and place.division == "closed":
        yield Finding(
            path,
            f"{IS_NETWORK} is true, which the closed division does not allow",
            f'write "false" if LoadGen ran on this system; else submit it to {NETWORK} or open',
            check="system",
        )
    elif not over and place.division == NETWORK:
        yield Finding(path, f"{IS_NETWORK} is not true, which the network division requires", 'write "true"', check="system")
    # The package since v6.0 asks whether the text is empty, so that "false" demands these fields, too.
    missing = [name for name in NETWORK_FIELDS if name not in system] if (value if round_.modern else over) else []
    if missing:
        because = f'the official checker requires them with {IS_NETWORK} "{value}"'
        step = f"add them; or leave {IS_NETWORK} out, which means false" if not over else "add them"
        yield Finding(path, f"fields are missing: {', '.join(missing)}; {because}", step, check="system")


def _nameplate(path: Path, round_: Round) -> Iterator[Finding]:
    """The file of power supplies, which the checker of v6.1 loads for every system that has one."""
    if not path.is_file():
        return
    try:
        yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0]
        yield Finding(path, f"not valid YAML: {first}", "fix it, or remove it", check="system", own=not round_.nameplate)
