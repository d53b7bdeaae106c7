"""How a run asks Triton: its run.json, and the fields that say so."""

from __future__ import annotations

from dataclasses import dataclass, replace

from code.common.errors import UsageError
from code.fields.consumer import Consumer, Readable
from code.harness.schema.options import TritonInProcessOptions, TritonOptions
from code.harness.schema.run_spec import RunSpec
from code.run.language import in_process
from code.run.launch import Take
from code.run.places import Place

READS = Consumer(
    "Triton",
    (
        *("triton_url", "triton_port", "triton_shared_memory"),
        *("batch_triton_requests", "use_concurrent_harness", "num_concurrent_issuers"),
    ),
    served=True,
)
CLIENT, IN_PROCESS = "triton", "triton_in_process"
"""Backends of run.json: the client of a server, and its C API."""
GRPC = "grpc"


@dataclass(frozen=True)
class Asked:
    """How a test asks the engines of a job.

    Args:
        spec: its run.json.
        watch: gets each report of the harness process; None: nobody wants them.
        place: where the harness process runs; None: on this machine, without more.
    """

    spec: RunSpec
    watch: Take | None = None
    place: Place | None = None


def require_fields(values: Readable) -> None:
    """UsageError for fields that contradict each other: a server in the harness process has no address."""
    read = READS.of(values)
    if not in_process(values):
        return
    given = {
        "triton_url": read["triton_url"] or None,
        "triton_port": read["triton_port"],
        "triton_shared_memory": read["triton_shared_memory"],
    }
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                f"{name} is for a server of its own, and triton_protocol is in_process",
                "Triton is then inside the harness process, which calls its C API",
                f"leave {name} out, or choose --triton_protocol=grpc",
                f"--{name}",
            )


def through(spec: RunSpec, options: TritonOptions | TritonInProcessOptions, values: Readable) -> RunSpec:
    """The run.json whose engines are behind a server.

    Requests are the harness's batches, one in flight for each stream. Fields ask for more of them, or for requests of one sample.
    """
    read = READS.of(values)
    more = int(read["num_concurrent_issuers"] or 1) if read["use_concurrent_harness"] else 1
    backend = CLIENT if isinstance(options, TritonOptions) else IN_PROCESS
    batch = spec.batch
    if read["batch_triton_requests"] is False and batch.max_samples > 1:
        more *= batch.max_samples
        batch = replace(batch, max_samples=1, timeout_us=0.0)
    return replace(
        spec,
        engines=tuple(replace(engine, backend=backend, options=options) for engine in spec.engines),
        devices=tuple(replace(device, streams=min(4096, device.streams * more)) for device in spec.devices),
        batch=batch,
    )
