"""`Probed` config values, measured on this machine once per engine and placement."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from code.common import paths
from code.common.files import write_json
from code.plan.request import Value
from code.plan.workload import Workload
from configs.configuration import Probed


def probed_fields(workload: Workload) -> dict[str, Value]:
    """The fields not measured yet."""
    return {name: item for name, item in workload.values.items() if isinstance(item.value, Probed)}


def not_needed(workload: Workload) -> bool:
    """Whether no measurement is needed: an accuracy run depends on the expected rate only in Server."""
    return workload["test_mode"] == "AccuracyOnly" and str(workload.scenario) != "Server"


def without(workload: Workload) -> Workload:
    """The workload with its unmeasured values unset."""
    probed = probed_fields(workload)
    return workload.with_values({name: Value(None, f"{v.origin}: not needed in an accuracy run") for name, v in probed.items()})


def with_measured(workload: Workload, of: Mapping[str, Any], measure: Callable[[], dict[str, float]]) -> Workload:
    """The workload with its unmeasured values replaced by the result of `measure`, cached by `of`.

    Args:
        of: what the measurement depends on, as JSON: engine, harness, devices, batches, data set.
    """
    memory = _memory(of)
    measured = _remembered(memory)
    if measured is None:
        measured = {**measure(), "when": time.time()}
        write_json(memory, measured)
    day = time.strftime("%Y-%m-%d", time.localtime(measured["when"]))
    changed = {}
    for name, item in probed_fields(workload).items():
        result = measured[item.value.what] * item.value.factor
        origin = f"{item.origin}: {item.value.factor:g} × {measured[item.value.what]:,.6g} {item.value.what}, measured {day}"
        changed[name] = Value(int(result) if name.endswith("_ns") else float(f"{result:.4g}"), origin)
    return workload.with_values(changed)


def _memory(of: Mapping[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:16]
    return paths.engine_dir() / ".probes" / f"{digest}.json"


def _remembered(memory: Path) -> dict[str, float] | None:
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
        return {str(k): float(v) for k, v in content.items()}
    except (OSError, ValueError, AttributeError):
        return None
