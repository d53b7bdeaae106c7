"""generate_engines: build the engine of a workload unless the very same one is there."""

from __future__ import annotations

from code.actions import Context, EachWorkload
from code.run.job import Job


def run(job: Job, context: Context) -> None:
    """Build, or say that it is there. MissingError without the model, RunError with the runtime's words when it cannot be built."""
    job.build(force=bool(context.request["force_build"]))


ACTION = EachWorkload(run)
