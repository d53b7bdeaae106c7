"""A run whose engines are behind Triton Inference Server: the server for the time of a test."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.backends.triton import package, wires
from code.common import console
from code.common.errors import UsageError
from code.fields.consumer import Consumer
from code.harness.python.watch import PATIENCE
from code.harness.schema.options import TritonInProcessOptions, TritonOptions
from code.run import triton_server, triton_time
from code.run.language import in_process, served
from code.run.places import THIS_MACHINE, Surrounded
from code.run.servable import ASKS_ITSELF, require_servable
from code.run.triton_models import installation, names, write_repository
from code.run.triton_requests import GRPC, Asked, require_fields, through

if TYPE_CHECKING:
    from code.harness.schema.run_spec import RunSpec
    from code.run.launch import Take
    from code.run.resolved import Resolved

READS = Consumer(
    "Triton",
    ("triton_url", "triton_protocol", "triton_port", "triton_shared_memory", "buffer_manager_thread_count"),
    served=True,
)


@contextlib.contextmanager
def serving(job: Resolved, spec: RunSpec, watch: Take | None = None) -> Iterator[Asked]:
    """The run.json that asks a server, which is started for the block unless one is named; `spec` itself where nothing is served.

    Args:
        watch: gets each report of the harness process.

    Raises:
        UsageError: a field of Triton's cannot be used.
        MissingError: there is no server, or it lacks what the workload needs.
        RunError: the server does not start, or ends during the block.
    """
    if not served(job.values) or job.backend.name == ASKS_ITSELF:
        yield Asked(spec, watch)
        return
    require_servable(job.workload, job.backend)
    require_fields(job.values)
    way = _in_process if in_process(job.values) else _named if READS.of(job.values)["triton_url"] else _started
    with way(job, spec, watch) as asked:
        yield asked


@contextlib.contextmanager
def _named(job: Resolved, spec: RunSpec, watch: Take | None) -> Iterator[Asked]:
    """A server that runs already."""
    read = READS.of(job.values)
    url, here, scheme = wires.address(str(read["triton_url"]))
    protocol = str(read["triton_protocol"] or scheme or GRPC)
    if scheme and scheme != protocol:
        raise UsageError(
            f"triton_url names a server's {scheme} endpoint, and triton_protocol is {protocol}",
            "",
            "leave one of them out",
            "--triton_url",
        )
    memory = here if read["triton_shared_memory"] is None else bool(read["triton_shared_memory"])
    options = TritonOptions(url, names(job), memory, protocol)  # type: ignore[arg-type]
    with _counted(job, spec, options, wires.wire(protocol, url).version(), url, watch) as asked:
        yield asked


@contextlib.contextmanager
def _started(job: Resolved, spec: RunSpec, watch: Take | None) -> Iterator[Asked]:
    """A server of its own."""
    read = READS.of(job.values)
    program = installation(job)
    protocol = str(read["triton_protocol"] or GRPC)
    package.client(protocol)
    folder = Path(spec.output_dir)
    written = write_repository(job)
    patience_s = PATIENCE * spec.watchdog_s or 1e6
    threads, port = int(read["buffer_manager_thread_count"] or 0), int(read["triton_port"] or 0)
    with triton_server.started(program, written, folder, port, threads, patience_s, protocol) as server:
        console.say(f"{job.label}: Triton {server.version} serves {', '.join(names(job))} at {server.url}")
        options = TritonOptions(server.url, names(job), read["triton_shared_memory"] is not False, protocol)  # type: ignore[arg-type]
        with _counted(job, spec, options, server.version, str(program.program), watch) as asked:
            yield asked


@contextlib.contextmanager
def _in_process(job: Resolved, spec: RunSpec, watch: Take | None) -> Iterator[Asked]:
    """A server inside the harness process, which starts and ends it."""
    program = installation(job)
    backends = package.backends_for(program)
    folder = Path(spec.output_dir)
    prefix = f"{triton_server.REGIONS}{os.getpid()}-in-process-"
    options = TritonInProcessOptions(
        library=str(package.library(program)),
        backends=str(backends),
        repository=str(write_repository(job)),
        models=names(job),
        region_prefix=prefix,
        log=str(folder / triton_server.LOG),
        statistics=str(folder / triton_time.STATISTICS_FILE),
        buffer_threads=int(READS.of(job.values)["buffer_manager_thread_count"] or 0),
    )
    triton_server.sweep()
    console.say(f"{job.label}: Triton in the harness process serves {', '.join(names(job))}")
    place = Surrounded(job.place or THIS_MACHINE, {**package.server_environment(program), "PYTHONPATH": ""})
    try:
        yield Asked(through(spec, options, job.values), watch, place)
    finally:
        triton_server.remove_regions(prefix)
    triton_time.record_in_process(folder, options.library)


@contextlib.contextmanager
def _counted(
    job: Resolved, spec: RunSpec, options: TritonOptions, version: str, where: str, watch: Take | None
) -> Iterator[Asked]:
    """A test that asks a server, with what the server counted while LoadGen ran.

    Args:
        where: the server's address, or its program.
    """
    server = wires.wire(options.protocol, options.url)
    before: list[Mapping[str, Any]] = []

    def seen(line: Mapping[str, Any]) -> None:
        if line.get("phase") == "run" and not before:
            before.append(server.statistics())
        if watch is not None:
            watch(line)

    folder = Path(spec.output_dir)
    triton_time.record(folder, version, where, options.protocol)
    yield Asked(through(spec, options, job.values), seen)
    if before:
        spent = triton_time.between(before[0], server.statistics())
        triton_time.record(folder, version, where, options.protocol, spent)
