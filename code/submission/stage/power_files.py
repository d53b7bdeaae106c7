"""Files that explain a power result: the analysers, the power settings, and the nameplate of the power supplies.

A file of the same name beside submission.toml is staged as it is. Otherwise the session's own records are written out. Source: rules of
MLCommons' power workgroup, "Submission"; the script before v6.0 requires analyzer_table.* and power_settings.* in measurements.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.paths import project_root
from code.fields.table import FIELDS
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import Identity
from code.submission.stage.runs import Run

ANALYZERS, SETTINGS = "analyzer_table", "power_settings"
FIELD_GROUP = "Power and clocks"
GIVEN_ENDINGS = (".md", ".pdf", ".txt")


def write(folder: Path, one: Candidate, identity: Identity) -> None:
    """Write both pages into a measurements folder, if the result's power was measured."""
    run = one.performance_run
    if run is None or not (run.folder / "power").is_dir():
        return
    pages = {ANALYZERS: analyzer_table, SETTINGS: power_settings}
    for name, page in pages.items():
        given = [path for ending in GIVEN_ENDINGS if (path := _beside(identity) / f"{name}{ending}").is_file()]
        if given:
            shutil.copyfile(given[0], folder / given[0].name)
        else:
            (folder / f"{name}.md").write_text(page(run), encoding="utf-8")


def nameplate(systems: Path, one: Candidate, identity: Identity) -> None:
    """Copy <system>_power.yaml, which lists the power supplies, into the tree's folder of systems if somebody has written it."""
    run = one.performance_run
    names = [one.system, *([run.system_id] if run is not None else [])]
    for folder in (_beside(identity), project_root() / "systems"):
        for name in names:
            path = folder / f"{name}_power.yaml"
            if path.is_file():
                shutil.copyfile(path, systems / f"{one.system}_power.yaml")
                return


def _beside(identity: Identity) -> Path:
    return identity.file.parent if identity.file is not None else project_root()


def analyzer_table(run: Run) -> str:
    """The analysers of a session, as its server.json has them."""
    session = jsonfile.object_or_empty(run.folder / "power" / "server.json")
    names = [str(m.get("reply")) for m in _objects(session.get("ptd_messages")) if m.get("cmd") == "Identify"]
    rows = [
        f"| {number} | {_cell(name)} | {_cell(one.get('device_type'))} | {_cell(one.get('interface_flag') or 'RS232')} "
        f"| {_cell(one.get('channel') or 1)} |"
        for number, (one, name) in enumerate(_analyzers(session, names), start=1)
    ]
    head = [
        "| analyzer | model, serial number, PTDaemon | device type | interface | channel |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join(["# Analyzers", "", f"Session {session.get('session_name', '')}.", "", *head, *rows]) + "\n"


def _analyzers(session: Mapping[str, Any], names: list[str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    entries = _objects(session.get("ptd_config"))
    for number, entry in enumerate(entries):
        yield entry, names[number] if number < len(names) else ""


def _objects(content: Any) -> list[dict[str, Any]]:
    return [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def power_settings(run: Run) -> str:
    """What was set on the machine for a run, and what its GPUs and processors then did."""
    record = run.spec.get("record", {})
    names = [field.name for field in FIELDS if field.group == FIELD_GROUP and record.get(field.name) is not None]
    lines = [f"* {name}: {record[name]}" for name in names] or ["* Nothing was set: limits and clocks were the machine's own."]
    telemetry = run.metadata.get("telemetry")
    clocks = telemetry.get("cpu_clock_mhz") if isinstance(telemetry, Mapping) else None
    if isinstance(clocks, Mapping):
        lines.append(f"* Processor clocks during the test: {clocks.get('least')} to {clocks.get('most')} MHz.")
    head = ["# Power settings", "", f"Config {run.metadata.get('config_name', '')}.", ""]
    return "\n".join([*head, *lines]) + "\n"
