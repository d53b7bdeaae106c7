"""dry_run: print what a request would do, for any known system on any machine: plan, devices, engine, LoadGen settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from code.actions import Context, EachWorkload
from code.common import console
from code.common.errors import HarnessError, MissingError
from code.plan.explain import as_json
from code.plan.workload import Workload
from code.run.job import Job
from code.run.measured import probed_fields
from code.run.preparation import with_remembered
from code.run.settings import conf_text, user_conf


def run(job: Job, context: Context) -> None:
    """Print the plan. Without the model or a package only the engine key is unknown; an impossible value is an error."""
    workload = with_remembered(job)
    open_values = {name: item.value for name, item in probed_fields(workload).items()}
    remembered = probed_fields(job.workload).keys() - open_values.keys()
    console.say(f"\n{job.label} on {workload.system_name}, results under {workload.system_id}")
    console.say(f"  config   {workload.config.cls.__name__} at {workload.config.where} ({workload.setting.shortname()})")
    words = (workload.variant, workload["precision"], workload["backend"], f"{workload['harness_lang']} harness")
    console.say(f"  model    {', '.join(str(word) for word in words)}")
    console.say(f"  engine   {_engine(job)}")
    for number, device in enumerate(job.placement.devices):
        console.say(f"  {'devices ' if not number else '        '} {device.words()}")
    conf = _conf(job, workload)
    lines = conf_text(workload.loadgen_model, workload.scenario.loadgen, conf).splitlines()[1:] or ["LoadGen's defaults"]
    console.say("  LoadGen  " + "\n           ".join(lines))
    for name, value in open_values.items():
        console.say(f"           {name} = {value.factor:g} × {value.what}, measured at the first run")
    for name in sorted(remembered):
        console.say(f"           {name} = {workload[name]:,.6g}: {workload.origin(name).rpartition(': ')[2]}")
    job.warn_unused()


def _json(job: Job, _context: Context) -> dict[str, Any]:
    workload = with_remembered(job)
    engine: dict[str, Any] = {"key": None, "built": False}
    try:
        engine = {"key": job.engines.first.folder.name, "built": job.engines.first.exists}
    except MissingError as error:
        engine["why"] = error.what
    job.warn_unused()
    return {
        **as_json(workload),
        "engine": engine,
        "devices": [asdict(device) for device in job.placement.devices],
        "loadgen": _conf(job, workload),
        "measured_at_the_first_run": {
            name: f"{v.value.factor:g} × {v.value.what}" for name, v in probed_fields(workload).items()
        },
    }


def _conf(job: Job, workload: Workload) -> dict[str, int | float]:
    """user.conf without the values that are measured at the first run."""
    open_values = probed_fields(workload)
    settled = {name: None if name in open_values else value for name, value in workload.plain().items()}
    return user_conf(workload.scenario.loadgen, settled, _count(job), job.definition.samples, job.definition.whole_passes)


def _engine(job: Job) -> str:
    try:
        return f"{job.engines.first.folder.name} ({'built' if job.engines.first.exists else 'not built yet'})"
    except MissingError as error:
        return f"key unknown: {error.what}"


def _count(job: Job) -> int:
    try:
        return int(job.dataset["count"])
    except HarnessError:
        return job.definition.samples


ACTION = EachWorkload(run, as_json=_json)
