"""The plan: benchmark × scenario × config version, each resolved for one system to a fixed set of values with their origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from code.benchmarks.benchmark import definition_of
from code.common.constants import Benchmark, CPUArchitecture, HarnessType, Scenario, WorkloadSetting
from code.common.errors import HarnessError, MissingError, UsageError, nearest
from code.fields.consumer import Consumer
from code.fields.table import FIELDS, field_table, require_applicable
from code.machine.detect import DetectedSystem, detect
from code.plan import limits
from code.plan.request import Request, Value
from code.rules.benchmarks import every_facts
from code.systems.matching import match
from code.systems.system_list import KnownSystem
from configs.configuration import Detected, Registered
from configs.inspection import CLASS_ONLY, checked, duplicates, fields_of, misplaced, place_of, place_of_field, system_of
from configs.loading import ConfigProblem, LoadedFile, load

HARNESS_TYPES = (HarnessType.Custom, HarnessType.LWIS)
"""Supported harness types; both mean this project's harness."""

SOURCES = tuple(dict.fromkeys(name for facts in every_facts() for name in facts.source_fields))
"""Fields that name a user-supplied model or data set."""
READS = Consumer("plan", ("model_variant", "test_query_count", "use_triton", *SOURCES))


@dataclass(frozen=True)
class Workload:
    """One benchmark, scenario and setting on one system, with every value and its origin.

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

    def origin(self, name: str) -> str:
        """The origin of a field's value."""
        return self.values[name].origin

    def plain(self) -> dict[str, Any]:
        """Field name → value, without origins."""
        return {name: item.value for name, item in self.values.items()}

    def with_values(self, changed: Mapping[str, Value]) -> Workload:
        """The same workload with some values replaced."""
        return replace(self, values=MappingProxyType({**self.values, **changed}))

    @property
    def full_name(self) -> str:
        """'bert-99.9'."""
        return definition_of(self.benchmark).full_name(self.setting.accuracy_target)

    @property
    def label(self) -> str:
        """Prefix of its messages: 'bert-99 Offline'."""
        return f"{self.full_name} {self.scenario}"

    @property
    def open_only(self) -> bool:
        """Whether its result is restricted to the open division."""
        return bool(self.open_reason)

    @property
    def open_reason(self) -> str:
        """Why its result is restricted to the open division; '' if it is not."""
        reasons = [
            "" if self.variant == "reference" else f"the model or data is {self.variant}",
            "a shortened run" if READS.of(self)["test_query_count"] else "",
            definition_of(self.benchmark).open_reason(self.plain()),
        ]
        return "; ".join(reason for reason in reasons if reason)

    @property
    def variant(self) -> str:
        """'reference', 'tiny', or 'custom' for a user-supplied model or data set."""
        read = READS.of(self)
        used = definition_of(self.benchmark).facts.source_fields
        own = any(read[name] for name in SOURCES if name in used)
        return "custom" if own else str(read["model_variant"])


@dataclass(frozen=True)
class Unplanned:
    """A requested workload that cannot be planned."""

    label: str
    error: HarnessError


def build(request: Request) -> tuple[list[Workload], list[Unplanned]]:
    """Every workload of a request.

    Raises UsageError for errors in the request as a whole; an error in one workload is returned as Unplanned.
    """
    benchmarks = request.benchmarks()
    wanted = [(b, s, alternatives) for b in benchmarks for s in request.scenarios(b) for alternatives in request.settings()]
    system_name, system_id, detected, notes = resolve_system(request)
    every = "all" in [w.lower() for w in request["config_ver"]]
    workloads: list[Workload] = []
    failed: list[Unplanned] = []
    for benchmark, scenario, alternatives in wanted:
        label = f"{definition_of(benchmark).full_name(alternatives[0].accuracy_target)} {scenario}"
        try:
            config = select(benchmark, scenario, system_name, alternatives)
            if every and (config is None or config.setting.harness_type not in HARNESS_TYPES):
                continue  # 'all' means every config that the system has and this build supports
            if config is None:
                raise _no_config(benchmark, scenario, system_name, alternatives[0])
            values = resolve(config, request, benchmark, scenario, detected)
            values = named(values, benchmark, scenario, system_name, config)
            messages = (*notes, *not_loaded(benchmark, scenario))
            workloads.append(
                Workload(benchmark, scenario, config.setting, system_name, system_id, detected, config, values, messages)
            )
        except HarnessError as error:
            failed.append(Unplanned(label, error))
    if not workloads and not failed:
        names = ", ".join(str(b) for b in benchmarks)
        raise MissingError(f"no config of {system_name} for {names}", "", "run `make list_configs`")
    return workloads, failed


def named(
    values: Mapping[str, Value], benchmark: Benchmark, scenario: Scenario, system_name: str, config: Registered
) -> Mapping[str, Value]:
    """The values plus benchmark, scenario and system, for code that receives only the values."""
    own = {"benchmark": definition_of(benchmark).name, "scenario": str(scenario), "system": system_name}
    return MappingProxyType({**values, **{name: Value(value, f"config {config.where}") for name, value in own.items()}})


def resolve_system(request: Request) -> tuple[str, str, DetectedSystem, list[str]]:
    """(known system's name, system ID, the machine, notes) for --system, or for the detected machine."""
    detected = _machine(request)
    name = request["system"]
    if name:
        known = KnownSystem.get(name)
        if known is None:
            raise _unknown_system(name, request)
        matched_id = match(detected).system_id if str(known.name).startswith("CPU_") else known.system_id
        return known.name, matched_id, detected, []
    found = match(detected)
    return found.system.name, found.system_id, detected, list(found.warnings)


def _machine(request: Request) -> DetectedSystem:
    """This machine, or the captured one for actions that run nothing. UsageError for --capture with other actions."""
    if not request["capture"]:
        return detect()
    if not request["dry_run"] and request["action"] != "explain":
        raise UsageError(
            f"--capture describes another machine, and {request['action']} works on this one",
            "a captured machine can be planned for but not run on",
            "add --dry_run, or leave --capture out",
        )
    return detect(request["capture"])


def _unknown_system(name: str, request: Request) -> UsageError:
    """The error for an undefined system, which a config class may still name."""
    near = nearest(name, KnownSystem.names())
    why = f"the nearest known system is {near!r}" if near else "no known system has a similar name"
    if KnownSystem.problems:
        why += f"; and some lists of systems could not be read: {KnownSystem.problems[0]}"
    for benchmark in request.benchmarks():
        for scenario in request.scenarios(benchmark):
            for entry in (e for file in load(benchmark, scenario) for e in file.entries if system_of(e) == name):
                return UsageError(
                    f"config class {entry.cls.__name__} is for an undefined system, {name!r}",
                    why,
                    f"run `make add_system NAME={name}` on that machine, or correct the name (see `make list_systems`)",
                    place_of_field(entry.cls, "system"),
                )
    return UsageError(
        f"unknown system {name!r}", why, "run `make list_systems`, or add this one with `make add_system NAME=…`", "--system"
    )


def select(benchmark: Benchmark, scenario: Scenario, system_name: str, alternatives: list[WorkloadSetting]) -> Registered | None:
    """The config class for a system; two classes for the same workload are an error that cites both, whatever their order."""
    files = load(benchmark, scenario)
    for setting in alternatives:
        found = [e for f in files for e in f.entries if e.setting == setting and system_of(e) == system_name]
        for error in duplicates(found):
            raise error
        if found:
            return found[0]
    return None


def not_loaded(benchmark: Benchmark, scenario: Scenario) -> list[str]:
    """One line for each config file, class or list of systems that failed to load."""
    met = [f"{problem.where}: not loaded: {problem.reason}" for problem in problems(load(benchmark, scenario))]
    return met + [f"{problem}: not loaded" for problem in KnownSystem.problems]


def problems(files: list[LoadedFile]) -> list[ConfigProblem]:
    """The problems of all `files`."""
    return [problem for file in files for problem in file.problems]


def resolve(
    config: Registered, request: Request, benchmark: Benchmark, scenario: Scenario, detected: DetectedSystem
) -> Mapping[str, Value]:
    """Every field's value for one config class, checked: default < config class < environment < command line.

    MissingError for a class of an unsupported harness type.
    """
    _require_harness(config)
    wrong_place = misplaced(config, benchmark, scenario)
    if wrong_place is not None:
        raise wrong_place
    values = {f.name: Value(f.default, "default") for f in FIELDS}
    for name, (raw, owner) in fields_of(config.cls).items():
        if name in CLASS_ONLY:
            continue
        value = checked(config.cls, name, raw, owner)
        origin = f"config {place_of(owner, name)} ({owner.__name__})"
        values[field_table()[name].name] = _from_class(value, origin, detected)
    for name, given in request.overrides().items():
        option = field_table()[name]
        if given.origin.startswith("command line") and not option.request:
            _check_applicable(option, request, benchmark, scenario, given.origin)
        values[name] = given
    for name in ("test_mode", "test_query_count", "fast"):
        values[name] = request.given.get(name, values[name])
    triton = READS.of(values)["use_triton"]
    if triton.value:
        raise _no_triton(config, f"use_triton is set by {triton.origin}")
    limits.check(values, scenario)
    return MappingProxyType(values)


def _require_harness(config: Registered) -> None:
    if config.setting.harness_type not in HARNESS_TYPES:
        raise _no_triton(config, f"it is registered for HarnessType.{config.setting.harness_type.name}")


def _no_triton(config: Registered, why: str) -> MissingError:
    kind = config.setting.harness_type
    server = "the heterogeneous MIG harness" if kind is HarnessType.HeteroMIG else "Triton Inference Server"
    return MissingError(
        f"config class {config.cls.__name__} needs {server}, which is not supported",
        f"{why}; supported: {', '.join(t.name for t in HARNESS_TYPES)}",
        "choose the system's default config (leave --config_ver out), or use the harness this one was written for",
        config.where,
    )


def _from_class(value: Any, origin: str, detected: DetectedSystem) -> Value:
    if isinstance(value, Detected):
        cores = max(1, detected.usable_cores)
        return Value(max(1, int(cores * value.factor)), f"{origin}: {value.factor:g} × {cores} cores detected")
    return Value(value, origin)


def _check_applicable(option: Any, request: Request, benchmark: Benchmark, scenario: Scenario, where: str) -> None:
    """UsageError for a command line field that applies to none of the requested workloads."""
    if option.benchmarks and not any(b.valstr in option.benchmarks for b in request.benchmarks()):
        require_applicable(option, benchmark.valstr, scenario.valstr, where)
    if option.scenarios and not any(s.valstr in option.scenarios for s in request.scenarios(benchmark)):
        raise UsageError(
            f"{option.name} does not apply to {scenario}",
            f"it applies to {', '.join(option.scenarios)}",
            "leave it out, or add that scenario",
            where,
        )


def _no_config(benchmark: Benchmark, scenario: Scenario, system: str, setting: WorkloadSetting) -> HarnessError:
    files = load(benchmark, scenario)
    broken = problems(files)
    if broken:
        return UsageError(
            f"no config for {benchmark} {scenario} ({setting.config_ver()}) on {system} could be loaded",
            broken[0].reason + (f", and {len(broken) - 1} more places failed" if len(broken) > 1 else ""),
            broken[0].hint or "fix the file",
            broken[0].where,
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
    """The CPU architecture of the workload's machine."""
    layout = workload.detected.config.host_cpu_conf.layout
    return next(iter(layout)).architecture if layout else CPUArchitecture.UNKNOWN
