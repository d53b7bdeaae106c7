"""generate_triton_config: write the model repository that Triton would serve for a workload, and start nothing."""

from __future__ import annotations

from code.actions import Context, EachWorkload
from code.common import console, paths
from code.run.job import Job
from code.run.servable import require_servable
from code.run.triton_models import write_repository


def run(job: Job, _: Context) -> None:
    """Build the engine where it is not there, and write the repository. UsageError for an engine that Triton cannot serve."""
    require_servable(job.workload, job.backend)
    job.build()
    folder = write_repository(job)
    console.say(f"{job.label}: model repository in {paths.shown(folder)}")
    for path in sorted(folder.glob("*/config.pbtxt")):
        console.say(f"  {path.parent.name}: {paths.shown(path)}")
    console.say(f"to serve it: tritonserver --model-repository {paths.shown(folder)}, then run with --triton_url=HOST:8001")


ACTION = EachWorkload(run)
