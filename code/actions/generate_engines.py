"""generate_engines: build a workload's engine unless an identical one exists."""

from __future__ import annotations

from code.actions import Context, EachWorkload
from code.run.job import Job


def run(job: Job, context: Context) -> None:
    """Build the engine. MissingError without the model, RunError with the runtime's message if the build fails."""
    job.build(force=bool(context.request["force_build"]))


ACTION = EachWorkload(run)
