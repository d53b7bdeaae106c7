"""systems/<system>.json of a submission: detected fields, the project's systems/ folder, and submission.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code.common.errors import MissingError, UsageError
from code.common.files import write_json
from code.machine.detect import detect
from code.rules.rounds import CATEGORIES
from code.submission.stage import power_files
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import FILE_NAME, Identity
from code.systems.data.description_fields import HINTS, REQUIRED
from code.systems.description import TODO, describe, description_path, read_description, unfinished
from code.systems.matching import match
from code.systems.system_list import KnownSystem

ENDPOINT_SUFFIX = "_Endpoint"


def write(path: Path, one: Candidate, identity: Identity) -> None:
    """Write the description of a candidate's system to `path`, and beside it the nameplate of its power supplies if there is one."""
    write_json(path, compose(one, identity))
    power_files.nameplate(path.parent, one, identity)


def compose(one: Candidate, identity: Identity) -> dict[str, Any]:
    """Compose the description of a candidate's system.

    Raises:
        MissingError: fields that the official checker requires are empty; the error names them.
        UsageError: the result comes from another machine and there is no description of that system.
    """
    content = {name: value for name, value in _base(one).items() if name != TODO}
    content.update(submitter=identity.submitter, division=identity.division)
    content.update(system_type=category_of(one, identity), status=identity.status)
    content.update(identity.fields_of(one.system))
    if nodes := _nodes(one):
        content["number_of_nodes"] = nodes
    if one.open_only:
        notes = str(content.get("sw_notes") or "")
        if one.open_only not in notes:
            content["sw_notes"] = f"{notes}; {one.open_only}" if notes else one.open_only
    open_fields = unfinished(content)
    if open_fields:
        names = ", ".join(line.partition(":")[0] for line in open_fields)
        wanted = "; ".join(open_fields)
        raise MissingError(
            f"the description of {one.system} lacks {names}",
            f"the official checker requires them and they cannot be detected: {wanted}",
            f"add them to the [system] table of {FILE_NAME}, for example: {_example(open_fields[0])}",
        )
    return dict(sorted(content.items()))


def _nodes(one: Candidate) -> int:
    """The machines of a run over several; 0 for any other."""
    run = one.performance_run
    recorded = run.metadata.get("nodes") if run is not None else None
    count = recorded.get("number_of_nodes") if isinstance(recorded, dict) else None
    return count if isinstance(count, int) and 1 < count < 100_000 else 0


def category_of(one: Candidate, identity: Identity) -> str:
    """The category of a candidate's system: from the tree it is taken over from, else the one given."""
    if "system" in one.tree_files:
        category = str(read_description(one.tree_files["system"]).get("system_type", "")).replace(" ", "")
        if category in CATEGORIES:
            return category
    return identity.category


def _example(line: str) -> str:
    name = line.partition(":")[0]
    hint = HINTS.get(name, "N/A").partition("such as ")[2] or "N/A"
    return f'{name} = "{hint.partition(",")[0].partition(" or ")[0]}"'


def _base(one: Candidate) -> dict[str, Any]:
    """The description before submission.toml applies: the tree's own file, or systems/<id>.json; what that leaves empty, as detected."""
    if "system" in one.tree_files:
        return read_description(one.tree_files["system"])
    run = one.performance_run
    if run is None:
        return _of_endpoint(one.system)
    written = _written(one.system, run.system_id)
    if written is not None and not unfinished(written):
        return written
    detected = detect()
    if match(detected).system_id != run.system_id:
        if written is not None:
            return written
        raise UsageError(
            f"no description of system {run.system_id}",
            f"{description_path(run.system_id)} does not exist, and the result was made on another machine",
            "copy its description there, or stage on the machine that ran it",
        )
    content = describe(detected, one.system)
    runtime = next((f"{key[: -len('_version')]} {value}" for key, value in run.metadata.items() if _is_runtime(key)), "")
    # Another runtime may be installed here, too, or a later version than that of the run.
    if runtime.rpartition(" ")[2] not in str(content.get("framework") or ""):
        content["framework"] = runtime
    # What somebody wrote goes before what was detected.
    return {**content, **{name: value for name, value in (written or {}).items() if value not in ("", None)}}


def endpoint_name() -> str:
    """What this machine is called in results that were measured at an endpoint on it. UsageError if it is not a known system."""
    return f"{match(detect()).system_id}{ENDPOINT_SUFFIX}"


def _of_endpoint(name: str) -> dict[str, Any]:
    """systems/<name>.json, else this machine as detected if the result is called after it; all but the name is left to [system] otherwise.

    The framework is that of a server, which nobody can detect.
    """
    bare = name.removesuffix(ENDPOINT_SUFFIX)
    if (written := _written(name, bare)) is not None:
        return written
    if name != bare and match(detected := detect()).system_id == bare:
        return {**describe(detected, name), "framework": ""}
    return {**dict.fromkeys(REQUIRED, ""), "system_name": name}


def _written(*names: str) -> dict[str, Any] | None:
    """The first of systems/<name>.json, also of the known system that has the name as its system ID; None where there is none."""
    known = [system.name for system in KnownSystem if system.value.system_id in names]
    for name in (*names, *known):
        if (path := description_path(name)).is_file():
            return read_description(path)
    return None


def _is_runtime(key: str) -> bool:
    return key.endswith("_version") and key not in ("loadgen_version", "harness_version")


def path_shown(one: Candidate) -> Path:
    """The file to edit for this system."""
    run = one.performance_run
    return description_path(run.system_id if run else one.system)
