"""explain: every value of the plan and where it came from; nothing is run."""

from __future__ import annotations

import json
from typing import Any

from code.actions import Context
from code.common import console
from code.plan.workload import Workload
from configs.configuration import Probed

SCOPE = "workload"


def run(workload: Workload, context: Context) -> None:
    """One workload's values as a table; with --verbose also those that are unset."""
    if context.request["json"]:
        console.say(json.dumps(as_json(workload), indent=4))
        return
    rows = [
        (name, shown(item.value), item.origin)
        for name, item in sorted(workload.values.items())
        if item.origin != "default" or (context.request["verbose"] and item.value is not None)
    ]
    console.table(
        f"{workload.label} on {workload.system_name} ({workload.setting.config_ver()}, {workload.config.where})",
        ("Field", "Value", "Origin"),
        rows,
    )
    for note in workload.notes:
        console.warn(note)


def shown(value: Any) -> str:
    """A value as the table shows it."""
    if isinstance(value, Probed):
        return f"{value.factor:g} × {value.what}, measured at the first run"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def as_json(workload: Workload) -> dict[str, Any]:
    """The workload for machines."""
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
