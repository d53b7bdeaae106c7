"""A workload formatted as text and JSON, with the origin of every value."""

from __future__ import annotations

import json
from typing import Any

from code.plan.workload import Workload
from configs.configuration import Probed


def shown(value: Any) -> str:
    """A value formatted for a table."""
    if isinstance(value, Probed):
        return f"{value.factor:g} × {value.what}, measured at the first run"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def as_json(workload: Workload) -> dict[str, Any]:
    """The workload as JSON."""
    return {
        "benchmark": str(workload.benchmark),
        "benchmark_full": workload.full_name,
        "scenario": str(workload.scenario),
        "system": workload.system_name,
        "system_id": workload.system_id,
        "setting": workload.setting.shortname(),
        "config_ver": workload.setting.config_ver(),
        "config": {"class": workload.config.cls.__name__, "where": workload.config.where},
        "values": {
            name: {"value": shown(v.value) if isinstance(v.value, Probed) else v.value, "origin": v.origin}
            for name, v in workload.values.items()
        },
    }
