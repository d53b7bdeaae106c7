"""Submission identity: submitter, division, category, status and round, from the command line or `submission.toml`.

submitter = "Example"
division = "open"            # closed, open
category = "edge"            # datacenter, edge, "datacenter,edge"
status = "available"         # available, preview, rdi
round = "v6.1"
passphrase_file = "~/.mlperf-passphrase"

[system]                     # fields that cannot be detected; [system.<system name>] for one system
cooling = "Air"

[measurements]               # how the model of an endpoint's results was made; [measurements."<benchmark>"] for one benchmark
weight_data_types = "fp8"
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.common.errors import MissingError, UsageError, nearest, unknown
from code.common.paths import project_root
from code.plan.request import Request
from code.rules.rounds import CATEGORIES, DIVISIONS, NEWEST, STATUSES, Round, round_named

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE_NAME = "submission.toml"
WORDS: dict[str, tuple[str, ...]] = {
    "submitter": (),
    "division": DIVISIONS,
    "category": CATEGORIES,
    "status": STATUSES,
    "round": (),
    "passphrase_file": (),
}
TABLES = ("system", "measurements")
HINTS = {
    "submitter": "your organisation, as named in the submission tree: SUBMITTER=…",
    "division": "DIVISION=closed or DIVISION=open (tiny and shortened runs can only go to open)",
    "category": "CATEGORY=datacenter, CATEGORY=edge or CATEGORY=datacenter,edge",
    "status": "STATUS=available, STATUS=preview or STATUS=rdi",
}


@dataclass(frozen=True)
class Identity:
    """The identity of a submission.

    Args:
        round: the requested round; None selects the newest with each benchmark.
        system_fields: fields of system descriptions; a table applies to the system it is named after.
        measurement_fields: fields of the measurements JSON of results that were measured at an endpoint; a table applies to its benchmark.
        file: the submission.toml that was read; None if there is none.
    """

    submitter: str
    division: str
    category: str
    status: str
    round: Round | None
    system_fields: Mapping[str, Any] = field(default_factory=dict)
    passphrase_file: str = ""
    file: Path | None = None
    measurement_fields: Mapping[str, Any] = field(default_factory=dict)

    def fields_of(self, system: str) -> dict[str, Any]:
        """The description fields for one system: the common ones, overridden by its own."""
        return _of(self.system_fields, system)

    def measured_of(self, benchmark: str) -> dict[str, Any]:
        """The fields of the measurements JSON for one benchmark, likewise."""
        return _of(self.measurement_fields, benchmark)


def _of(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    common = {key: value for key, value in table.items() if not isinstance(value, dict)}
    own = table.get(name, {})
    return {**common, **(own if isinstance(own, dict) else {})}


def read_file(path: Path | None) -> tuple[dict[str, Any], Path | None]:
    """The content of `path`, or of submission.toml in the project's root if it exists.

    Raises MissingError if `path` does not exist, UsageError for invalid TOML or an unknown key.
    """
    where = path or project_root() / FILE_NAME
    if not where.is_file():
        if path is None:
            return {}, None
        raise MissingError(f"{path} does not exist", "", "create it, or leave the option out (documentation/submission_guide.md)")
    try:
        content = tomllib.loads(where.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise UsageError(f"{where} is not valid TOML", "it is nested too deeply", "fix the file", str(where)) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{where} is not valid TOML", str(error), "fix the file", str(where)) from error
    for name, value in content.items():
        if name in TABLES:
            if not isinstance(value, dict):
                step = f"write [{name}] and its fields below it"
                raise UsageError(f"{name} is not a table", f"it is {value!r}", step, str(where))
        elif name not in WORDS:
            near = nearest(name, [*WORDS, *TABLES])
            raise UsageError(
                f"unknown key {name!r}",
                f"the nearest known key is {near!r}" if near else "no known key has a similar name",
                f"known: {', '.join([*WORDS, *TABLES])}",
                str(where),
            )
        elif not isinstance(value, str):
            raise UsageError(f"{name} is not a string", f"it is {value!r}", f'write {name} = "…"', str(where))
    return content, where


def read(request: Request, needed: tuple[str, ...] = ("submitter", "division", "category", "status")) -> Identity:
    """The identity from the request and submission.toml. MissingError naming each of `needed` that was not given."""
    named = request["submission_file"]
    content, where = read_file(Path(named).absolute() if named else None)
    given = {name: request[name] or content.get(name) or "" for name in WORDS}
    missing = [name for name in needed if not given[name]]
    if missing:
        raise MissingError(
            f"{', '.join(missing)} must be given",
            "; ".join(HINTS[name] for name in missing),
            f"set them on the command line or in {FILE_NAME}",
        )
    for name, allowed in WORDS.items():
        if allowed and given[name]:
            given[name] = _word(name, str(given[name]), allowed, where)
    _require_folder_name(given["submitter"])
    return Identity(
        submitter=given["submitter"],
        division=given["division"],
        category=given["category"],
        status=given["status"],
        round=round_named(given["round"]) if given["round"] else None,
        system_fields=content.get("system", {}),
        measurement_fields=content.get("measurements", {}),
        passphrase_file=given["passphrase_file"],
        file=where,
    )


def _require_folder_name(submitter: str) -> None:
    """UsageError for a submitter whose name cannot be a folder's."""
    if any(sign in submitter for sign in "/ ") or submitter.startswith("."):
        why = "it becomes a folder name, and the official checks reject spaces, slashes and a leading dot"
        raise UsageError(f"submitter cannot be {submitter!r}", why, "choose another spelling")


def _word(name: str, value: str, allowed: tuple[str, ...], where: Path | None) -> str:
    folded = ",".join(part.strip().lower() for part in value.split(","))
    if name == "category" and folded == "edge,datacenter":
        folded = "datacenter,edge"
    if folded not in allowed:
        raise unknown(name, value, allowed, str(where or f"--{name}"))
    return folded


def chosen_round(identity: Identity) -> Round:
    """The round of a whole tree: the requested one, else the newest."""
    return identity.round or round_named(NEWEST)
