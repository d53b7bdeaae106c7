"""power_dry_run: take a run through power-dev's whole protocol, with stand-ins for the analyser and the time server."""

from __future__ import annotations

import time

from code.actions import Context, EachWorkload, generate_engines, run_harness
from code.common import console, paths
from code.power import tools
from code.power.stand_in.bench import bench
from code.results.report import ReportRow
from code.run.job import Job


def run(job: Job, context: Context) -> list[ReportRow]:
    """Build the engine, and run the test as --power would. Nothing of it is a result: its power is made up."""
    job.require_gpus()
    generate_engines.run(job, context)
    folder = paths.build_dir() / "power_dry_run" / time.strftime("%Y.%m.%d-%H.%M.%S")
    with bench(tools.checkout(), folder) as meter:
        rows = run_harness.tests(job, meter=meter)
    console.say(f"{job.label}: a dry run: its power is made up, and it is never staged")
    return rows


ACTION = EachWorkload(run, reports=True)
