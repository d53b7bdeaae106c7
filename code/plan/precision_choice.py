"""`precision=auto` on processors: the fastest precision measured on this machine, of those whose accuracy is proved on the model.

A proof is a calibration or an accuracy run that reached a share of the reference's score, with the same model, runtime and instruction
sets. Rates are of runs and probes on the same cores. Proofs and rates lie beside the probes, dated, and count for 30 days. Without a
proof, and a rate of both, it is fp32.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from code.backends.base import Backend, backend
from code.backends.store import model_digest
from code.benchmarks.benchmark import definition_of
from code.common import paths
from code.common.errors import HarnessError, UsageError
from code.fields.consumer import Consumer
from code.machine.detect import DetectedSystem
from code.machine.measurements import MORE_IS_BETTER, PRECISIONS, Measurement, Memory, best_of
from code.plan.request import Value

AUTO, USUAL = "auto", "fp32"
READS = Consumer("the choice of a precision", ("backend", "precision"))
MARK = ": auto: "
"""In the origin of a precision that was chosen here."""
BY = {"SingleStream": "latency_ns", "MultiStream": "query_latency_ns"}
"""Scenario → what is compared; samples_per_second in the others."""
SHARE = "accuracy_share"
UNITS = {"samples_per_second": "samples/s", "latency_ns": "ms", "query_latency_ns": "ms"}


def asked(values: Mapping[str, Value]) -> bool:
    """Whether the precision was chosen here."""
    return MARK in READS.of(values)["precision"].origin


def of(values: Mapping[str, Value]) -> str:
    """The precision."""
    return str(READS.of(values)["precision"].value)


def reason(values: Mapping[str, Value]) -> str:
    """Why the precision was chosen: 'bf16, 787 samples/s against …'; '' where it was asked for by name."""
    return str(READS.of(values)["precision"].origin.partition(MARK)[2])


def chosen(
    values: Mapping[str, Value],
    benchmark: str,
    scenario: str,
    target: float,
    detected: DetectedSystem,
    overrides: Collection[str] = (),
) -> Value:
    """The value of `precision`; UsageError for `auto` where nothing can choose.

    Args:
        benchmark: its name.
        scenario: LoadGen's.
        target: the share of the reference's score that a precision must have reached.
        overrides: options of the request. With another backend than the config's, the config's `auto` is fp32 where nothing can choose.
    """
    item: Value = READS.of(values)["precision"]
    runtime = backend(str(READS.of(values)["backend"].value))
    if item.value != AUTO:
        return item
    if runtime.device == "GPU" or definition_of(benchmark).facts.family == "text":
        if "backend" in overrides and "precision" not in overrides:
            return Value(USUAL, f"{item.origin}{MARK}{USUAL}: nothing measures the {runtime.name} backend in several precisions")
        raise UsageError(
            "precision=auto is for networks on processors that OpenVINO or ONNX Runtime computes",
            f"nothing measures {benchmark} in several precisions on the {runtime.name} backend",
            "name one, such as --precision=fp16",
            item.origin,
        )
    found = _rated({name: value.value for name, value in values.items()}, benchmark, scenario, target, runtime, detected)
    best, why = _fastest(found, scenario)
    return Value(best, f"{item.origin}{MARK}{why}")


def proved(values: Mapping[str, Any], benchmark: str, target: float, detected: DetectedSystem) -> dict[str, float]:
    """Precision → the share of the reference's score that it reached, for those that reached the target; fp32 has 1."""
    runtime = backend(str(READS.of(values)["backend"]))
    return {USUAL: 1.0, **_proved(_identity(values, benchmark, runtime, detected), target)}


def remember_rate(
    values: Mapping[str, Any], benchmark: str, detected: DetectedSystem, found: Mapping[str, float], source: str
) -> None:
    """Keep what a run or probe measured: keys of MORE_IS_BETTER."""
    _remember("rate", values, benchmark, detected, {name: value for name, value in found.items() if name in UNITS}, source)


def remember_proof(values: Mapping[str, Any], benchmark: str, detected: DetectedSystem, share: float) -> None:
    """Keep the share of the reference's score that a calibration or an accuracy run reached in the precision of `values`."""
    _remember("proof", values, benchmark, detected, {SHARE: share}, "run")


def _remember(
    what: str, values: Mapping[str, Any], benchmark: str, detected: DetectedSystem, found: Mapping[str, float], source: str
) -> None:
    precision, runtime = str(READS.of(values)["precision"]), backend(str(READS.of(values)["backend"]))
    identity = _identity(values, benchmark, runtime, detected) if precision in PRECISIONS and runtime.device == "CPU" else None
    if identity is not None and found:
        _memory(what, identity, precision).add(Measurement(dict(found), time.time(), source))


def _identity(values: Mapping[str, Any], benchmark: str, runtime: Backend, detected: DetectedSystem) -> dict[str, Any] | None:
    """What proofs and rates depend on; None without the model or the runtime."""
    try:
        model = model_digest(definition_of(benchmark).model(values))
        version = runtime.version()
    except (HarnessError, OSError):
        return None
    machine = {"isa": sorted(detected.isa), "cores": detected.usable_cores}
    return {"benchmark": benchmark, "model": model, "runtime": [runtime.name, version], **machine}


def _memory(what: str, identity: Mapping[str, Any], precision: str) -> Memory:
    return Memory({"what": what, "precision": precision, **identity})


def _proved(identity: Mapping[str, Any] | None, target: float) -> dict[str, float]:
    out = {}
    for precision in PRECISIONS if identity is not None else ():
        found = [one.values[SHARE] for one in _memory("proof", identity or {}, precision).read() if SHARE in one.values]
        if found and found[-1] >= target:
            out[precision] = found[-1]
    return out


def _rated(
    values: Mapping[str, Any], benchmark: str, scenario: str, target: float, runtime: Backend, detected: DetectedSystem
) -> dict[str, tuple[float, float | None]]:
    """Proved precision → its share of the reference's score, and its best measurement; nothing is read where none was ever made."""
    if not (paths.engine_dir() / ".probes").is_dir():
        return {}
    identity = _identity(values, benchmark, runtime, detected)
    out: dict[str, tuple[float, float | None]] = {}
    for precision, share in {USUAL: 1.0, **_proved(identity, target)}.items():
        best = best_of(_memory("rate", identity or {}, precision).read(), BY.get(scenario, "samples_per_second"))
        out[precision] = share, None if best is None else best[0]
    return out


def _fastest(found: Mapping[str, tuple[float, float | None]], scenario: str) -> tuple[str, str]:
    """The precision, and why."""
    others = [name for name in found if name != USUAL]
    if not others:
        return (
            USUAL,
            f"{USUAL}: no other precision is proved on this model (--test_mode=AccuracyOnly with --precision=…, make calibrate)",
        )
    known = {name: value for name, (_, value) in found.items() if value is not None}
    if USUAL not in known or len(known) < 2:
        missing = ", ".join(name for name in found if name not in known)
        return USUAL, f"{USUAL}: {missing} not measured on this machine yet (make tune)"
    what = BY.get(scenario, "samples_per_second")
    best = (max if MORE_IS_BETTER[what] else min)(known, key=lambda name: known[name])
    rest = ", ".join(f"{name} {_shown(value, what)}" for name, value in known.items() if name != best)
    why = f"{best}: {_shown(known[best], what)} {UNITS[what]} against {rest}, measured on this machine"
    return best, why if best == USUAL else f"{why}; it reached {found[best][0]:.2%} of the reference's score"


def _shown(value: float, what: str) -> str:
    return f"{value:,.4g}" if what == "samples_per_second" else f"{value / 1e6:,.4g}"
