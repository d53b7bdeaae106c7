"""The plan: benchmark × scenario × config version, each resolved on one system to a frozen set of values with their origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from code.common.constants import Benchmark, CPUArchitecture, Scenario, WorkloadSetting
from code.common.errors import HarnessError, MissingError, UsageError, nearest
from code.common.fields import FIELDS, field_table, require_applicable
from code.common.rooms import room_of
from code.common.systems.detect import DetectedSystem, detect
from code.common.systems.matching import match
from code.common.systems.system_list import KnownSystem
from code.request import Request, Value
from configs.configuration import ConfigProblem, Detected, LoadedFile, Probed, Registered, fields_of, load, place_of

CLASS_ONLY = ("benchmark", "scenario", "system")
"""What says which workload a class is for, rather than how to run it."""


@dataclass(frozen=True)
class Workload:
    """One thing to run: every value it needs, and where each came from.

    Args:
        system_name: the known system's name, as configs spell it.
        system_id: its name in results.
        detected: the machine this runs on (which `--system` may differ from).
        config: the class the values come from.
        values: field name → Value. A `Probed` value stays one until a probe has measured it.
    """

    benchmark: Benchmark
    scenario: Scenario
    setting: WorkloadSetting
    system_name: str
    system_id: str
    detected: DetectedSystem
    config: Registered
    values: Mapping[str, Value]
    notes: tuple[str, ...] = field(default=())

    def __getitem__(self, name: str) -> Any:
        """The value of a field."""
        return self.values[name].value

    def plain(self) -> dict[str, Any]:
        """Field name → value, without origins."""
        return {name: item.value for name, item in self.values.items()}

    def with_values(self, changed: Mapping[str, Value]) -> Workload:
        """The same workload with some values replaced."""
        return replace(self, values=MappingProxyType({**self.values, **changed}))

    @property
    def full_name(self) -> str:
        """'bert-99.9'."""
        return room_of(self.benchmark).full_name(self.setting.accuracy_target)

    @property
    def label(self) -> str:
        """How lines about it begin: 'bert-99 Offline'."""
        return f"{self.full_name} {self.scenario}"

    @property
    def open_only(self) -> bool:
        """Whether its result can only be filed in the open division."""
        return bool(self["test_query_count"]) or self.variant != "reference"

    @property
    def variant(self) -> str:
        """'reference', 'tiny', or 'custom' where the user named a model or data of their own."""
        return "custom" if self["model_path"] or self["data_path"] else str(self["model_variant"])


@dataclass(frozen=True)
class Unplanned:
    """A workload that was asked for and cannot be planned."""

    label: str
    error: HarnessError


def build(request: Request) -> tuple[list[Workload], list[Unplanned]]:
    """Every workload of a request.

    Raises UsageError for what is wrong with the request as a whole; what is wrong with one workload is returned as Unplanned.
    """
    benchmarks = request.benchmarks()
    wanted = [(b, s, alternatives) for b in benchmarks for s in request.scenarios(b) for alternatives in request.settings()]
    system_name, system_id, detected, notes = resolve_system(request)
    every = "all" in [w.lower() for w in request["config_ver"]]
    workloads: list[Workload] = []
    failed: list[Unplanned] = []
    for benchmark, scenario, alternatives in wanted:
        label = f"{room_of(benchmark).full_name(alternatives[0].accuracy_target)} {scenario}"
        try:
            config = select(benchmark, scenario, system_name, alternatives)
            if config is None and every:
                continue
            if config is None:
                raise _no_config(benchmark, scenario, system_name, alternatives[0])
            values = resolve(config, request, benchmark, scenario, detected)
            workloads.append(
                Workload(benchmark, scenario, config.setting, system_name, system_id, detected, config, values, tuple(notes))
            )
        except HarnessError as error:
            failed.append(Unplanned(label, error))
    if not workloads and not failed:
        names = ", ".join(str(b) for b in benchmarks)
        raise MissingError(f"no config of {system_name} for {names}", "", "run `make list_configs`")
    return workloads, failed


def resolve_system(request: Request) -> tuple[str, str, DetectedSystem, list[str]]:
    """(known system's name, system ID, the machine, notes) for --system, or for the detected machine."""
    detected = detect()
    name = request["system"]
    if name:
        known = KnownSystem.get(name)
        if known is None:
            raise UsageError(
                f"unknown system {name!r}",
                f"the nearest known system is {nearest(name, KnownSystem.names())!r}",
                "run `make list_systems`, or add this one with `make add_system NAME=…`",
                "--system",
            )
        matched_id = match(detected).system_id if str(known.name).startswith("CPU_") else known.system_id
        return known.name, matched_id, detected, []
    found = match(detected)
    return found.system.name, found.system_id, detected, list(found.warnings)


def select(benchmark: Benchmark, scenario: Scenario, system_name: str, alternatives: list[WorkloadSetting]) -> Registered | None:
    """The class for a system: the last file wins nothing; two classes for the same workload are an error that cites both."""
    files = load(benchmark, scenario)
    for setting in alternatives:
        found = [e for f in files for e in f.entries if e.setting == setting and system_of(e) == system_name]
        if len(found) > 1:
            raise UsageError(
                f"two configs for {benchmark} {scenario} {setting.shortname()} on {system_name}",
                f"{found[0].cls.__name__} at {found[0].where} and {found[1].cls.__name__} at {found[1].where}",
                "remove one of them",
                found[1].where,
            )
        if found:
            return found[0]
    return None


def problems(files: list[LoadedFile]) -> list[ConfigProblem]:
    """What could not be loaded among `files`."""
    return [f.problem for f in files if f.problem is not None]


def system_of(entry: Registered) -> str:
    """The name of the system a class is for; '' when it names none."""
    system = fields_of(entry.cls).get("system", (None, None))[0]
    return str(getattr(system, "name", system) or "")


def resolve(
    config: Registered, request: Request, benchmark: Benchmark, scenario: Scenario, detected: DetectedSystem
) -> Mapping[str, Value]:
    """Every field's value for one config class, checked: default < config class < environment < command line."""
    values = {f.name: Value(f.default, "default") for f in FIELDS}
    for name, (raw, owner) in fields_of(config.cls).items():
        if name in CLASS_ONLY:
            continue
        where = place_of(owner, name)
        option = field_table().get(name)
        if option is None:
            near = nearest(name, field_table())
            raise UsageError(
                f"config class {config.cls.__name__} sets an unknown field {name!r}",
                f"the nearest known field is {near!r}" if near else "no known field is like it",
                "correct its name, or see documentation/fields.md for all of them",
                where,
            )
        values[option.name] = _from_class(option, raw, f"config {where} ({owner.__name__})", where, detected)
    for name, given in request.overrides().items():
        option = field_table()[name]
        if given.origin.startswith("command line") and not option.request:
            _check_applicable(option, request, benchmark, scenario, given.origin)
        values[name] = given
    for name in ("test_mode", "test_query_count", "fast"):
        values[name] = request.given.get(name, values[name])
    return MappingProxyType(values)


def _from_class(option: Any, raw: Any, origin: str, where: str, detected: DetectedSystem) -> Value:
    if isinstance(raw, Probed):
        return Value(raw, origin)
    if isinstance(raw, Detected):
        cores = max(1, detected.usable_cores)
        return Value(max(1, int(cores * raw.factor)), f"{origin}: {raw.factor:g} × {cores} cores detected")
    return Value(option.check(raw, where), origin)


def _check_applicable(option: Any, request: Request, benchmark: Benchmark, scenario: Scenario, where: str) -> None:
    """A field given on the command line must belong to at least one workload of the product; here it may then be unused."""
    if option.benchmarks and not any(b.valstr in option.benchmarks for b in request.benchmarks()):
        require_applicable(option, benchmark.valstr, scenario.valstr, where)
    if option.scenarios and not any(s.valstr in option.scenarios for s in request.scenarios(benchmark)):
        raise UsageError(
            f"{option.name} does not apply to {scenario}",
            f"it belongs to {', '.join(option.scenarios)}",
            "leave it out, or add that scenario",
            where,
        )


def _no_config(benchmark: Benchmark, scenario: Scenario, system: str, setting: WorkloadSetting) -> HarnessError:
    files = load(benchmark, scenario)
    broken = problems(files)
    if broken:
        return UsageError(
            f"no config for {benchmark} {scenario} ({setting.config_ver()}) on {system} could be loaded",
            broken[0].reason + (f", and {len(broken) - 1} more files failed" if len(broken) > 1 else ""),
            broken[0].hint or "mend the file",
            f"{broken[0].file}:{broken[0].line}",
        )
    here = sorted({e.setting.config_ver() for f in files for e in f.entries if system_of(e) == system})
    if here:
        return UsageError(
            f"{system} has no {setting.config_ver()!r} config for {benchmark} {scenario}",
            f"it has: {', '.join(here)}",
            f"choose one with --config_ver, or register one in configs/{benchmark}/{scenario}/custom.py",
        )
    others = sorted({system_of(e) for f in files for e in f.entries} - {""})
    near = nearest(system, others)
    return MissingError(
        f"{system} has no config for {benchmark} {scenario}",
        f"configs exist for {len(others)} systems" + (f", the nearest is {near}" if near else ""),
        f"run `make add_system NAME={system}` for a first one with estimated values, or choose another with --system=NAME",
    )


def system_architecture(workload: Workload) -> CPUArchitecture:
    """The architecture of the machine that the workload runs on."""
    layout = workload.detected.config.host_cpu_conf.layout
    return next(iter(layout)).architecture if layout else CPUArchitecture.UNKNOWN
