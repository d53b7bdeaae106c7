"""A workload whose engines are behind Triton Inference Server: its model repository, its server, and the run.json that asks it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from code.backends.triton import client, config, package, repository
from code.backends.triton.config import Instances
from code.backends.triton.repository import Served
from code.common import console, paths
from code.common.errors import MissingError, UsageError
from code.fields.consumer import Consumer, Readable
from code.harness.python.watch import PATIENCE
from code.harness.schema.options import TritonOptions
from code.harness.schema.run_spec import RunSpec
from code.run import triton_server
from code.run.language import served
from code.run.resolved import Resolved
from code.run.servable import require_servable

READS = Consumer(
    "Triton",
    (
        *("triton_url", "triton_server", "triton_port", "triton_shared_memory", "buffer_manager_thread_count"),
        *("batch_triton_requests", "use_concurrent_harness", "num_concurrent_issuers"),
    ),
    served=True,
)
MODEL = Consumer("Triton's model", ("precision",))
ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})")
HERE = ("localhost", "127.0.0.1", "[::1]")


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


def write_repository(job: Resolved) -> Path:
    """Write the model repository of a job; returns its folder. Its engines have to be built."""
    require_servable(job.workload, job.backend)
    batch = job.placement.batch or 1
    folder = (
        paths.build_dir() / "triton" / "repositories" / f"{job.workload.full_name}-{job.workload.scenario}-{job.backend.name}"
    )
    repository.write(folder, job.backend.name, job.graph, batch, models(job), config.settings_of(job.values, batch))
    return folder


@contextlib.contextmanager
def serving(job: Resolved, spec: RunSpec) -> Iterator[RunSpec]:
    """The run.json that asks a server, which is started for the block unless one is named; `spec` itself where nothing is served.

    Raises:
        UsageError: a field of Triton's cannot be used.
        MissingError: there is no server, or it lacks what the workload needs.
        RunError: the server does not start, or ends during the block.
    """
    if not served(job.values):
        yield spec
        return
    require_servable(job.workload, job.backend)
    read = READS.of(job.values)
    names = tuple(model.name for model in models(job))
    if read["triton_url"]:
        url, here = address(str(read["triton_url"]))
        triton_server.record(Path(spec.output_dir), client.server_version(url), url)
        memory = here if read["triton_shared_memory"] is None else bool(read["triton_shared_memory"])
        yield through(spec, TritonOptions(url, names, memory), job.values)
        return
    program = package.installation(read["triton_server"])
    package.client()
    runtime = repository.runtime_of(job.backend.name)
    if not program.has(runtime.removesuffix("_plan")):
        raise MissingError(
            f"the Triton server has no backend {runtime.removesuffix('_plan')}",
            f"{program.backends} holds {', '.join(sorted(path.name for path in program.backends.glob('*'))) or 'none'}",
            "name a server that has it with --triton_server=FILE, such as that of NVIDIA's container",
        )
    folder = Path(spec.output_dir)
    written = write_repository(job)
    patience_s = PATIENCE * spec.watchdog_s or 1e6
    threads = int(read["buffer_manager_thread_count"] or 0)
    with triton_server.started(program, written, folder, int(read["triton_port"] or 0), threads, patience_s) as server:
        triton_server.record(folder, server.version, str(program.program))
        console.say(f"{job.label}: Triton {server.version} serves {', '.join(names)} at {server.url}")
        yield through(spec, TritonOptions(server.url, names, read["triton_shared_memory"] is not False), job.values)


def address(text: str) -> tuple[str, bool]:
    """(host:port, whether the host is this machine). UsageError for anything else."""
    hit = ADDRESS.fullmatch(text.removeprefix("grpc://"))
    if hit is None or not 0 < int(hit["port"]) < 65536:
        raise UsageError(
            f"triton_url cannot be {text[:80]!r}",
            "it is HOST:PORT of a server's gRPC endpoint",
            "write --triton_url=localhost:8001",
            "",
        )
    return hit[0], hit["host"] in HERE


def through(spec: RunSpec, options: TritonOptions, values: Readable) -> RunSpec:
    """The run.json whose engines are behind a server.

    Requests are the harness's batches, one in flight for each stream. Fields ask for more of them, or for requests of one sample.
    """
    read = READS.of(values)
    more = int(read["num_concurrent_issuers"] or 1) if read["use_concurrent_harness"] else 1
    batch = spec.batch
    if read["batch_triton_requests"] is False and batch.max_samples > 1:
        more *= batch.max_samples
        batch = replace(batch, max_samples=1, timeout_us=0.0)
    return replace(
        spec,
        engines=tuple(replace(engine, backend="triton", options=options) for engine in spec.engines),
        devices=tuple(replace(device, streams=min(4096, device.streams * more)) for device in spec.devices),
        batch=batch,
    )
