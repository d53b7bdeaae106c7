"""The models that Triton serves for a job, and the server that can serve them."""

from __future__ import annotations

from pathlib import Path

from code.backends.triton import config, package, repository
from code.backends.triton.config import Instances
from code.backends.triton.repository import Served
from code.common import paths
from code.common.errors import MissingError
from code.fields.consumer import Consumer
from code.run.resolved import Resolved
from code.run.servable import require_servable

READS = Consumer("Triton", ("triton_server", "triton_backend"), served=True)
MODEL = Consumer("Triton's model", ("precision",))


def models(job: Resolved) -> list[Served]:
    """One model for each device of the placement."""
    folders = job.engines.require()
    precision = str(MODEL.of(job.values)["precision"])
    found = []
    for device in job.placement.devices:
        name = f"{job.definition.name}_{device.index}".replace("-", "_")
        instances = Instances(device.streams, device.index if job.placement.on_gpus else None)
        found.append(Served(name, folders[device.engine], precision, instances, device.threads, device.cores))
    return found


def names(job: Resolved) -> tuple[str, ...]:
    """Their names, by the devices' index."""
    return tuple(model.name for model in models(job))


def write_repository(job: Resolved) -> Path:
    """Write the model repository of a job; returns its folder. Its engines have to be built."""
    require_servable(job.workload, job.backend)
    batch = job.placement.batch or 1
    folder = (
        paths.build_dir() / "triton" / "repositories" / f"{job.workload.full_name}-{job.workload.scenario}-{job.backend.name}"
    )
    repository.write(folder, job.backend.name, job.graph, batch, models(job), config.settings_of(job.values, batch), _own(job))
    return folder


def installation(job: Resolved) -> package.Installation:
    """The server to start. MissingError without one, or for one that lacks the backend of the job's engines."""
    program = package.installation(READS.of(job.values)["triton_server"])
    runtime = repository.runtime_of(job.backend.name, _own(job))
    if not program.has(runtime.removesuffix("_plan")):
        raise MissingError(
            f"the Triton server has no backend {runtime.removesuffix('_plan')}",
            f"{program.backends} holds {', '.join(sorted(path.name for path in program.backends.glob('*'))) or 'none'}",
            "name a server that has it with --triton_server=FILE, such as that of NVIDIA's container",
        )
    return program


def _own(job: Resolved) -> bool:
    """Whether Triton's own backend is asked for."""
    return bool(READS.of(job.values)["triton_backend"] == "own")
