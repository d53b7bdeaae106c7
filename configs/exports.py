"""Config files of the newer layout: `<system folder>/<Scenario>/<benchmark>.py` with `EXPORTS = {WorkloadSetting(…): {field: value}}`.

Each entry of EXPORTS becomes a registered class, so that everything behind the loader knows one kind of config. The class knows the
file and line of each value; a field that the file does not set has its default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.common.constants import ALL_SETTINGS, Benchmark, HarnessType, Scenario, WorkloadSetting
from code.fields.texts import plain
from code.systems.folders import known_system
from configs.configuration import BenchmarkConfiguration, ConfigRegistry, Registered, shown
from configs.placed import Place, place_of_entry

NAME = "EXPORTS"
ATOMIC = "ATOMIC_EXPORTS"
DEFAULT = "default"
"""The configuration ID of a config in ATOMIC_EXPORTS that is nobody's part."""
BY_SHORT = {setting.short: setting for setting in reversed(ALL_SETTINGS) if setting.harness_type is not HarnessType.TritonUnified}
OTHER_EXPORTS = {
    ATOMIC: "it describes the parts of a disaggregated LLM server",
    "ACCURACY_OVERRIDES": "an accuracy run uses the settings of the performance run, with LoadGen's own sample count",
    "COMPLIANCE_OVERRIDES": "audits use the settings of the run that they repeat",
}
"""Names beside EXPORTS → why they are not used."""
MINIMAL = "minimal"
"""The folder of configs for systems that have none."""
SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream", "Interactive")
"""Scenario folders of the newer layout."""


@dataclass(frozen=True)
class ExportFile:
    """A config file of the newer layout, by its place.

    Args:
        system: the system folder.
        scenario: the scenario folder, as SCENARIOS spells it; '' for a file that is in none.
        stem: the file's name without its ending.
    """

    path: Path
    root: Path
    system: str
    scenario: str
    stem: str

    @property
    def module(self) -> str:
        """The module's name; dots of a name become underscores."""
        parts = self.path.relative_to(self.root).with_suffix("").parts
        return ".".join(["configs", *(part.replace(".", "_") for part in parts)])

    @property
    def benchmark(self) -> Benchmark | None:
        """The benchmark of that name; None for a variant that is not read, as `old_bert` is."""
        return Benchmark.get_match(self.stem)

    @property
    def unread(self) -> str:
        """Why no run selects it; '' for a file in its place."""
        if not self.scenario:
            return "it is in no scenario folder, so no run selects it"
        if self.benchmark is None:
            return f"no benchmark is called {self.stem!r}, so no run selects it"
        return ""


def located(path: Path, root: Path) -> ExportFile | None:
    """The place of a file below a root of configs; None for one that is not in a system folder."""
    parts = path.relative_to(root).parts
    if path.suffix != ".py" or path.name == "__init__.py" or not 2 <= len(parts) <= 4:
        return None
    folders = [scenario_folder(part) for part in parts[1:-1]]
    scenario = next((name for name in folders if name), "")
    return ExportFile(path, root, parts[0], scenario if len(parts) == 3 else "", path.stem)


def scenario_folder(name: str) -> str:
    """'offline' → 'Offline'; '' for a folder that is no scenario's."""
    return next((scenario for scenario in SCENARIOS if scenario.lower() == name.lower()), "")


def export_files(roots: list[Path], benchmark: Benchmark, scenario: Scenario) -> list[ExportFile]:
    """The files for one workload, of every system folder. A file in an earlier root replaces the same one in later ones."""
    found: dict[str, ExportFile] = {}
    for root in roots:
        for path in sorted(root.glob("*/*/*.py")):
            file = located(path, root)
            if file is not None and file.scenario == str(scenario) and file.benchmark is benchmark:
                found.setdefault(f"{file.system}/{file.stem}", file)
    return list(found.values())


@dataclass(frozen=True)
class ExportFault:
    """A part of EXPORTS that is not a config: line, reason and a hint."""

    line: int
    reason: str
    hint: str


def register(file: ExportFile, content: Mapping[str, Any], module: str) -> Iterator[ExportFault]:
    """Register a class for each entry of EXPORTS; yields what is none.

    Args:
        content: the namespace of the file after it ran.
        module: the module's name.
    """
    exports = exported(content)
    if not isinstance(exports, dict):
        given = "has no EXPORTS" if exports is None else f"has an EXPORTS that is a {type(exports).__name__}"
        yield ExportFault(1, f"{file.path.name} {given}", "EXPORTS = {WorkloadSetting(…): {field: value}}")
        return
    for key, values in exports.items():
        place = place_of_entry(exports, key, (str(file.path), 1))
        setting = BY_SHORT.get(key, key) if isinstance(key, str) else key
        if isinstance(values, dict) and isinstance(values.get(DEFAULT), dict):
            values = values[DEFAULT]
        if not isinstance(setting, WorkloadSetting) or not isinstance(values, dict):
            what = f"the entry {setting!r}" if not isinstance(setting, WorkloadSetting) else setting.shortname()
            yield ExportFault(place[1], f"{what} is not a WorkloadSetting with a dict of fields", "this entry is skipped")
            continue
        strays = [key for key in values if not isinstance(name_of(key), str)]
        for key in strays:
            line = place_of_entry(values, key, place)[1]
            yield ExportFault(line, f"{key!r} is not a field", "this entry is skipped, the others load")
        if not strays:
            cls = _class(file, values, place, module)
            ConfigRegistry.entries.append(Registered(cls, setting, str(file.path), place[1], module, folder=file.system))


def exported(content: Mapping[str, Any]) -> Any:
    """EXPORTS of a file; ATOMIC_EXPORTS where it has that alone, as files of `minimal` do; None where it has neither."""
    return content.get(NAME, content.get(ATOMIC))


def name_of(key: Any) -> str | None:
    """The field that a key of a config's dict names: a key of ours, a field object of any module, or text."""
    name = key if isinstance(key, str) else getattr(key, "name", None)
    return name if isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name) else None


def remarks(content: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """What a file says beside EXPORTS and is not used here, each with the reason."""
    others = [name for name in OTHER_EXPORTS if content.get(name) and content[name] is not exported(content)]
    out = [f"{name} is not used: {OTHER_EXPORTS[name]}" for name in others]
    if environment:
        listed = ", ".join(sorted(environment))
        out.append(f"environment variables are not set: {listed}: they configure the runtime of another harness")
    return out


def _class(file: ExportFile, values: Mapping[Any, Any], place: Place, module: str) -> type:
    """The class of one entry: its fields, workload and system, and `__places__`, the place of each field."""
    content: dict[str, Any] = {"__module__": module, "__doc__": None}
    places = {}
    for key, value in values.items():
        name = str(name_of(key))
        content[name] = plain(value)
        where, line = place_of_entry(values, key, place)
        places[name] = f"{shown(where)}:{line}"
    for name in ("system", "benchmark", "scenario"):
        places[name] = f"{shown(file.path)}:{place[1]}"
    content |= {
        "system": known_system(file.system) or file.system,
        "benchmark": file.benchmark or file.stem,
        "scenario": Scenario.get_match(file.scenario) or file.scenario,
        "__places__": places,
    }
    return type(file.system, (BenchmarkConfiguration,), content)
