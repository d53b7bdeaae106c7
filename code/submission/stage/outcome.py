"""What a run came to: its result as text and as numbers, and its verdict."""

from __future__ import annotations

from typing import Any

from code.rules.metrics import METRICS
from code.submission.stage.runs import ACCURACY, Run


def result(one: Run) -> str:
    """The scenario's metric with its unit, or the accuracy scores."""
    if one.mode == ACCURACY:
        entries = one.metadata.get("accuracy") or []
        return ", ".join(f"{entry['name']} {entry['value']:.3f}" for entry in entries)
    metric = METRICS.get(one.scenario)
    measured = one.metadata.get(metric.key) if metric else None
    return metric.shown(float(measured)) if metric and isinstance(measured, (int, float)) else "-"


def value(one: Run) -> dict[str, Any]:
    """The result as numbers: {"value", "unit"} and, for a latency, its "percentile"; {"accuracy": [{"name", "value"}]} for scores."""
    if one.mode == ACCURACY:
        return {"accuracy": [{"name": e["name"], "value": e["value"]} for e in one.metadata.get("accuracy") or []]}
    metric = METRICS.get(one.scenario)
    measured = one.metadata.get(metric.key) if metric else None
    if metric is None or not isinstance(measured, (int, float)):
        return {"value": None, "unit": None}
    unit, _, percentile = metric.unit.partition(" (")
    out: dict[str, Any] = {"value": float(measured) * metric.scale, "unit": unit}
    return {**out, "percentile": float(percentile.split()[0])} if percentile else out


def verdict(one: Run) -> str:
    """VALID, INVALID, PASSED or FAILED, or why the run is incomplete."""
    missing = one.missing()
    if missing:
        return "incomplete: " + "; ".join(missing)
    if one.mode == ACCURACY:
        return "PASSED" if one.metadata.get("accuracy_pass") else "FAILED"
    word = str(one.metadata.get("result_validity", "?"))
    if one.simulated:
        return f"{word}, SIMULATED"
    if one.unreal:
        return f"{word}, power DRY RUN"
    return f"{word}, open only" if one.open_only else word
