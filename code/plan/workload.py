"""The plan: benchmark × scenario × config version, each resolved for one system to a fixed set of values with their origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from code.benchmarks.benchmark import definition_of
from code.common.constants import Benchmark, CPUArchitecture, HarnessType, Scenario, WorkloadSetting
from code.common.errors import HarnessError, MissingError, UsageError
from code.fields.consumer import Consumer
from code.fields.table import FIELDS, field_table
from code.machine.detect import DetectedSystem
from code.plan import conf_files, config_versions, flags, limits
from code.plan.request import Request, Value
from code.plan.selection import NoConfigError, SystemChoice, no_config, not_loaded, one_look_at_configs, resolve_system, select
from code.rules.benchmarks import every_facts
from configs.configuration import Detected, Registered
from configs.inspection import CLASS_ONLY, checked, fields_of, misplaced, place_of, placeholders

DIRECT = (HarnessType.Custom, HarnessType.LWIS)
"""Harness types that mean this project's harness, with engines in its own process."""
SERVED = (HarnessType.Triton, HarnessType.TritonUnified)
"""Harness types whose engines are behind Triton Inference Server."""
HARNESS_TYPES = (*DIRECT, HarnessType.HeteroMIG, *SERVED)
"""Supported harness types. Configs of HeteroMIG are for a workload with others beside it (`make run_heterogeneous`)."""
OTHER_HARNESSES = {
    HarnessType.LON_Node: "the two nodes of the network division",
    HarnessType.SUT_Node: "the two nodes of the network division",
}
"""Harness type → what its configs need."""

TEXT, TEXT_BACKEND = "text", "tensorrt_llm"
"""The family of benchmarks that generate text, and the backend of configs that name none, as those of other harnesses do."""

SOURCES = tuple(dict.fromkeys(name for facts in every_facts() for name in facts.source_fields))
"""Fields that name a user-supplied model or data set."""
READS = Consumer("plan", ("model_variant", "test_query_count", "use_triton", "triton_protocol", "triton_url", *SOURCES))


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
    def loadgen_model(self) -> str:
        """LoadGen's name of the model in this scenario."""
        return definition_of(self.benchmark).facts.loadgen_model(str(self.scenario))

    @property
    def config_backend(self) -> str:
        """The backend that its config is for, whatever the request chooses instead."""
        return str(getattr(self.config.cls, "backend", None) or _default_backend(self.benchmark))

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
    benchmark: str = ""


def build(request: Request) -> tuple[list[Workload], list[Unplanned]]:
    """Every workload of a request.

    Raises UsageError for errors in the request as a whole; an error in one workload is returned as Unplanned.
    """
    with one_look_at_configs(request):
        return _build(request)


def _build(request: Request) -> tuple[list[Workload], list[Unplanned]]:
    benchmarks = request.benchmarks()
    request.undefined()  # an error where nothing is left
    wanted = [(b, s, alternatives) for b in benchmarks for s in request.scenarios(b) for alternatives in request.settings()]
    choice = resolve_system(request)
    every = "all" in [w.lower() for w in request["config_ver"]]
    workloads: list[Workload] = []
    failed: list[Unplanned] = []
    for benchmark, scenario, alternatives in wanted:
        try:
            workload = _planned(request, choice, benchmark, scenario, alternatives, every)
        except HarnessError as error:
            label = f"{definition_of(benchmark).full_name(alternatives[0].accuracy_target)} {scenario}"
            failed.append(Unplanned(label, error, str(benchmark)))
        else:
            workloads += [workload] if workload else []
    if not workloads and not failed:
        names = ", ".join(str(b) for b in benchmarks)
        raise MissingError(f"no config of {choice.name} for {names}", "", "run `make list_configs`")
    return _left_out(request, choice, workloads, failed)


def _left_out(
    request: Request, choice: SystemChoice, workloads: list[Workload], failed: list[Unplanned]
) -> tuple[list[Workload], list[Unplanned]]:
    """What `build` returns where --benchmarks=all meets benchmarks that the system has no config for: a note, no error."""
    without = list(dict.fromkeys(one.benchmark for one in failed if isinstance(one.error, NoConfigError)))
    if not without or not workloads or "all" not in [w.lower() for w in request["benchmarks"]]:
        return workloads, failed
    note = f"left out of --benchmarks=all, for {choice.name} has no config: {', '.join(without)}"
    first = replace(workloads[0], notes=(*workloads[0].notes, note))
    return [first, *workloads[1:]], [one for one in failed if not isinstance(one.error, NoConfigError)]


def _planned(
    request: Request,
    choice: SystemChoice,
    benchmark: Benchmark,
    scenario: Scenario,
    alternatives: list[WorkloadSetting],
    every: bool,
) -> Workload | None:
    """One workload; None where every config is asked for and the benchmark has none of that setting or this build cannot run it."""
    if every and alternatives[0].accuracy_target.name not in definition_of(benchmark).facts.targets:
        return None
    _require_target(benchmark, alternatives[0])
    own_first = sorted(alternatives, key=lambda one: one.harness_type not in HARNESS_TYPES)
    found = select(benchmark, scenario, choice, own_first, str(request["config_suffix"] or ""))
    if every and (found is None or found.config.setting.harness_type not in DIRECT):
        return None
    if found is None:
        raise no_config(benchmark, scenario, choice, alternatives[0])
    config = found.config
    values, remarks = resolve(config, request, benchmark, scenario, choice.detected)
    values = _served(values, alternatives[0], config)
    values = named(values, benchmark, scenario, choice.name, config)
    if other := config_versions.instead(alternatives[0], config.setting, choice.name):
        remarks.append(f"{definition_of(benchmark).full_name(alternatives[0].accuracy_target)} {scenario}: {other}")
    left = (*_not_filled_in(config), *flags.leftover(values), *not_loaded(benchmark, scenario, choice, config))
    notes = (*choice.notes, *found.notes, *remarks, *left)
    return Workload(benchmark, scenario, config.setting, choice.name, choice.system_id, choice.detected, config, values, notes)


def _require_target(benchmark: Benchmark, setting: WorkloadSetting) -> None:
    """UsageError where the benchmark has no such accuracy target."""
    targets = definition_of(benchmark).facts.targets
    if setting.accuracy_target.name not in targets:
        only = ", ".join(f"{name.removeprefix('k_').replace('_', '.')} %" for name in targets)
        raise UsageError(
            f"{benchmark} has no accuracy target of {100 * setting.accuracy_target.value:g} %",
            f"MLPerf defines {only} of the reference accuracy for it",
            "leave --config_ver out",
        )


def _not_filled_in(config: Registered) -> list[str]:
    """A line on the placeholders of a class that was made from a template; none where it has none."""
    found = [(name, owner) for name, owner in placeholders(config.cls) if name in field_table()]
    if not found:
        return []
    names = ", ".join(dict.fromkeys(name for name, _ in found))
    return [f"{place_of(found[0][1], found[0][0])}: placeholders of a template are not set: {names}"]


def named(
    values: Mapping[str, Value], benchmark: Benchmark, scenario: Scenario, system_name: str, config: Registered
) -> Mapping[str, Value]:
    """The values plus benchmark, scenario and system, for code that receives only the values."""
    own = {"benchmark": definition_of(benchmark).name, "scenario": str(scenario), "system": system_name}
    return MappingProxyType({**values, **{name: Value(value, f"config {config.where}") for name, value in own.items()}})


def resolve(
    config: Registered, request: Request, benchmark: Benchmark, scenario: Scenario, detected: DetectedSystem
) -> tuple[Mapping[str, Value], list[str]]:
    """Every field's value for one config class, checked, and notes: default < config class < environment < command line.

    Below and above these are the files of --mlperf_conf_path and --user_conf_path (conf_files.py). MissingError for a class of an
    unsupported harness type.
    """
    _require_harness(config)
    wrong_place = misplaced(config, benchmark, scenario)
    if wrong_place is not None:
        raise wrong_place
    values = {f.name: Value(f.default, "default") for f in FIELDS}
    values["backend"] = Value(_default_backend(benchmark), "default")
    for name, (raw, owner) in fields_of(config.cls).items():
        if name in CLASS_ONLY:
            continue
        value = checked(config.cls, name, raw, owner)
        origin = f"config {place_of(owner, name)} ({owner.__name__})"
        values[field_table()[name].name] = _from_class(value, origin, detected)
    for name, given in request.overrides().items():
        values[name] = flags.merged(values[name], given) if field_table()[name].type == "flags" else given
    values = flags.with_flags(values, str(benchmark))
    for name in (option.name for option in FIELDS if option.type == "precision"):
        values[name] = _of_network(name, values[name], str(benchmark))
    model = definition_of(benchmark).facts.loadgen_model(str(scenario))
    remarks = conf_files.apply(values, model, scenario.loadgen)
    remarks += limits.use_installed(values, chosen="backend" in request.overrides())
    target = config.setting.accuracy_target.value
    limits.use_fastest(values, str(benchmark), scenario, target, detected, request.overrides())
    for name in ("test_mode", "test_query_count", "fast"):
        values[name] = request.given.get(name, values[name])
    limits.check(values, scenario)
    definition_of(benchmark).require_values({name: item.value for name, item in values.items()})
    return MappingProxyType(values), remarks


def _default_backend(benchmark: Benchmark) -> str:
    """The backend of configs that name none."""
    is_text = definition_of(benchmark).facts.family == TEXT
    return TEXT_BACKEND if is_text else str(field_table()["backend"].default)


def _require_harness(config: Registered) -> None:
    if config.setting.harness_type not in HARNESS_TYPES:
        raise MissingError(
            f"config class {config.cls.__name__} needs {OTHER_HARNESSES[config.setting.harness_type]}, which is not supported",
            f"it is registered for HarnessType.{config.setting.harness_type.name}; "
            f"supported: {', '.join(one.name for one in HARNESS_TYPES)}",
            "choose the system's default config (leave --config_ver out), or use the harness this one was written for",
            config.where,
        )


def _served(values: Mapping[str, Value], asked: WorkloadSetting, config: Registered) -> Mapping[str, Value]:
    """The values with use_triton where the config version or the config is Triton's, and the protocol of a unified one.

    What says otherwise itself stays as it is.
    """
    kinds = {asked.harness_type, config.setting.harness_type} & set(SERVED)
    read = READS.of(values)
    if not kinds or read["use_triton"].value is False:
        return values
    origin = f"config version {asked.config_ver()}" if asked.harness_type in SERVED else f"config {config.where}"
    given = {} if read["use_triton"].value else {"use_triton": Value(True, origin)}
    kind = asked.harness_type if asked.harness_type in SERVED else config.setting.harness_type
    if kind is HarnessType.TritonUnified and read["triton_protocol"].value is None and not read["triton_url"].value:
        given["triton_protocol"] = Value("in_process", origin)
    return MappingProxyType({**values, **given})


def _from_class(value: Any, origin: str, detected: DetectedSystem) -> Value:
    if isinstance(value, Detected):
        cores = max(1, detected.usable_cores)
        return Value(max(1, int(cores * value.factor)), f"{origin}: {value.factor:g} × {cores} cores detected")
    return Value(value, origin)


def _of_network(name: str, item: Value, network: str) -> Value:
    """A precision by component as that of the workload's network; UsageError where it has none."""
    if not isinstance(item.value, dict):
        return item
    named = item.value.get(network) or (next(iter(item.value.values())) if len(item.value) == 1 else None)
    if named is None:
        raise UsageError(
            f"{name} has no entry for {network}", f"it is {item.value!r}", f"write {name} = {{'{network}': 'int8'}}", item.origin
        )
    return Value(named, item.origin)


def system_architecture(workload: Workload) -> CPUArchitecture:
    """The CPU architecture of the workload's machine."""
    layout = workload.detected.config.host_cpu_conf.layout
    return next(iter(layout)).architecture if layout else CPUArchitecture.UNKNOWN
