"""Comparison of two runs, or of a run and a public result: values per accelerator, and config differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.common.errors import UsageError, nearest
from code.results import spread
from code.rules.benchmarks import short_name
from code.rules.metrics import metric_with
from code.submission.stage import runs
from code.submission.stage.runs import ACCURACY, Run
from code.systems.data.published import PUBLISHED

LISTING = "run `make list_results` to list the run folders"
NOT_CONFIG = ("log_dir", "test_mode", "verbose", "runs", "a", "b", "repeat", "power", "power_server", "ntp_server")
"""Fields that do not affect how a run is configured."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Args:
        name: heading of its column.
        benchmark, scenario: of the result.
        value: in `unit`; None if the run has none.
        accelerators: number that share the work; 1 for a CPU system.
        higher_is_better: whether a higher `value` is better.
        validity: 'VALID', … ; 'VALID (median of 3)' for a public result.
        accuracy: metric → value.
        config: field → value; {} for a public result.
        facts: table rows about system and software.
        model: 'the reference model', 'the tiny model', …, with its digest where it is the user's own.
        precision: 'fp16'; '' where unknown.
        devices: 'processors', 'accelerators' or 'simulated'.
        repeats: values in `unit` of this run and of those beside it with the same config.
    """

    name: str
    benchmark: str
    scenario: str
    value: float | None
    unit: str
    accelerators: int
    higher_is_better: bool
    validity: str
    accuracy: Mapping[str, float] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    precision: str = ""
    devices: str = ""
    repeats: tuple[float, ...] = ()

    @property
    def per_accelerator(self) -> float | None:
        """Throughput divided by the number of accelerators; latencies are not divided."""
        if self.value is None or not self.higher_is_better:
            return self.value
        return self.value / self.accelerators


def of_run(run: Run) -> Side:
    """The side of a run."""
    metric = metric_with(run.scenario, run.metadata.get("scenario_key"))
    found = run.metadata.get(metric.key)
    accuracy = {str(e["name"]): float(e["value"]) for e in run.metadata.get("accuracy", [])}
    values = run.provenance.get("plan", {}).get("values") or {
        name: {"value": v} for name, v in run.spec.get("record", {}).items()
    }
    devices = run.spec.get("devices") or [0]
    return Side(
        name=f"{run.system} {run.started}",
        benchmark=run.benchmark,
        scenario=run.scenario,
        value=float(found) * metric.scale if isinstance(found, (int, float)) and run.mode != ACCURACY else None,
        unit=metric.unit,
        accelerators=len(devices),
        higher_is_better=metric.higher_is_better,
        validity=_validity(run),
        accuracy=accuracy,
        config={n: v.get("value") for n, v in values.items() if n not in NOT_CONFIG and v.get("value") is not None},
        facts={
            "engine": run.engine,
            "model variant": str(run.metadata.get("model_variant", "reference")),
            **{key: str(value) for key, value in run.metadata.items() if key.endswith("_version")},
            "harness commit": str(run.provenance.get("commit") or ""),
        },
        model=_model(run),
        precision=str(run.metadata.get("precision") or ""),
        devices=_devices(run),
        repeats=_repeats(run),
    )


def _repeats(run: Run) -> tuple[float, ...]:
    """The results of a run and of the complete runs beside it of the same workload, mode, config and engine."""
    metric = metric_with(run.scenario, run.metadata.get("scenario_key"))
    beside = [runs.read_run(folder) for folder in sorted(run.folder.parent.iterdir()) if folder.is_dir()]
    same = [
        one
        for one in beside
        if one is not None
        and (one.key, one.mode, one.config, one.spec.get("record")) == (run.key, run.mode, run.config, run.spec.get("record"))
        and one.complete
    ]
    found = [one.metadata.get(metric.key) for one in same]
    return tuple(float(value) * metric.scale for value in found if isinstance(value, (int, float)))


def _model(run: Run) -> str:
    variant = str(run.metadata.get("model_variant", "reference"))
    digest = str(run.provenance.get("engine", {}).get("model", {}).get("sha256", ""))
    return f"the {variant} model" + (f" {digest[:12]}" if variant == "custom" else "")


def _devices(run: Run) -> str:
    if run.simulated:
        return "simulated"
    return "processors" if run.spec.get("record", {}).get("device_kind") == "CPU" else "accelerators"


def _validity(run: Run) -> str:
    if run.mode == ACCURACY:
        return "PASSED" if run.metadata.get("accuracy_pass") else "FAILED"
    return str(run.metadata.get("result_validity", "INVALID"))


def public_names() -> list[str]:
    """Names of the public results, such as 'H100_SXM_80GBx8'."""
    return list(dict.fromkeys(f"{one.accelerator}x{one.accelerators}" for one in PUBLISHED))


def of_public(name: str, benchmark: str, scenario: str) -> Side:
    """The side of a public result for this benchmark and scenario. UsageError for an unknown name or a result it lacks."""
    same = [one for one in PUBLISHED if f"{one.accelerator}x{one.accelerators}".lower() == name.lower()]
    if not same:
        near = nearest(name, public_names())
        raise UsageError(
            f"{name!r} is neither a run folder nor a public result",
            f"the nearest public result is {near!r}" if near else "no public result has a similar name",
            f"public results: {', '.join(public_names())}",
        )
    found = next((one for one in same if one.benchmark == benchmark and one.scenario == scenario), None)
    if found is None:
        has = ", ".join(f"{one.benchmark} {one.scenario}" for one in same)
        raise UsageError(
            f"{name} has no public result of {benchmark} {scenario}", f"it has: {has}", "compare one of these instead"
        )
    metric = metric_with(scenario, None)
    return Side(
        name=f"{found.accelerator}x{found.accelerators}, public {found.round}",
        benchmark=benchmark,
        scenario=scenario,
        value=found.samples_per_second,
        unit=metric.unit,
        accelerators=found.accelerators,
        higher_is_better=True,
        validity=f"VALID (median of {found.submissions})",
        model="the reference model",
        devices="accelerators",
    )


def read_pair(a: str, b: str) -> tuple[Side, Side]:
    """The two sides named by A and B; at least one must be a run folder.

    Raises UsageError if neither is, if a folder holds no run, or if the workloads differ.
    """
    ran = [runs.read_run(Path(name).absolute()) if Path(name).is_dir() else None for name in (a, b)]
    for name, run in zip((a, b), ran, strict=True):
        if run is None and Path(name).is_dir():
            raise UsageError(
                f"{name} is not a run folder", f"it has no {runs.METADATA}", "run `make list_results` to list the run folders"
            )
    known = next((run for run in ran if run is not None), None)
    if known is None:
        raise UsageError(
            f"neither {a!r} nor {b!r} is a run folder",
            "at least one must be",
            "run `make list_results` to list the run folders",
        )
    first, second = (
        of_run(run) if run is not None else of_public(name, known.benchmark, known.scenario)
        for name, run in zip((a, b), ran, strict=True)
    )
    if first.scenario != second.scenario or short_name(first.benchmark) != short_name(second.benchmark):
        raise UsageError(
            "the results are from different workloads",
            f"{first.benchmark} {first.scenario} and {second.benchmark} {second.scenario}",
            "compare runs of the same benchmark and scenario",
        )
    return first, second


def noise(a: Side, b: Side) -> str:
    """Whether the difference is more than what repeated runs differ by, in words; '' where a side is no run."""
    values = [[value / side.accelerators if side.higher_is_better else value for value in side.repeats] for side in (a, b)]
    return spread.verdict(*values) if all(values) else ""


def differences(a: Side, b: Side) -> list[tuple[str, Any, Any]]:
    """(field, value in A, value in B) for every config field that differs; [] if one side has no config."""
    if not a.config or not b.config:
        return []
    names = sorted(set(a.config) | set(b.config))
    return [(name, a.config.get(name), b.config.get(name)) for name in names if a.config.get(name) != b.config.get(name)]


def obstacles(a: Side, b: Side) -> list[str]:
    """Why a percentage between two results would mean nothing; [] where they are comparable."""
    found = []
    for what, ours, theirs in (
        ("model", a.model, b.model),
        ("accuracy target", a.benchmark, b.benchmark),
        ("precision", a.precision, b.precision),
        ("devices", a.devices, b.devices),
    ):
        if ours and theirs and ours != theirs:
            found.append(f"{what}: A is {ours}, B is {theirs}")
    return found


def change_percent(a: Side, b: Side) -> float | None:
    """By how much B's value is above A's, per accelerator for throughputs, in percent; negative if below, None if one has no value.

    Of a latency, more is worse.
    """
    first, second = a.per_accelerator, b.per_accelerator
    if not first or second is None:
        return None
    return (second / first - 1) * 100
