"""explain: print every value of the plan and its origin, without running anything."""

from __future__ import annotations

from typing import Any

from code.actions import Context, EachWorkload
from code.common import console
from code.fields.consumer import Consumer
from code.plan.explain import as_json, shown
from code.run.job import Job
from code.run.preparation import with_remembered

READS = Consumer("make explain", ("verbose",))


def run(job: Job, context: Context) -> None:
    """Print one workload's values as a table; --verbose includes unset fields."""
    workload = with_remembered(job)
    rows = [
        (name, shown(item.value), item.origin)
        for name, item in sorted(workload.values.items())
        if item.origin != "default" or (READS.of(context.request)["verbose"] and item.value is not None)
    ]
    console.table(
        f"{job.label} on {workload.system_name} ({workload.setting.config_ver()}, {workload.config.where})",
        ("Field", "Value", "Origin"),
        rows,
    )
    for device in job.placement.devices:
        console.say(f"device {device.number}: {device.words()}")


def _json(job: Job, _context: Context) -> dict[str, Any]:
    workload = with_remembered(job)
    return {**as_json(workload), "notes": list(workload.notes)}


ACTION = EachWorkload(run, as_json=_json)
