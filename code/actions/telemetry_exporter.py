"""telemetry_exporter: serve this machine's telemetry and the state of its runs to Prometheus."""

from __future__ import annotations

import os

from code.actions import Context, OncePerRequest
from code.common import console
from code.common.errors import MissingError
from code.machine import nvml
from code.submission import exporter
from code.submission.stage import runs
from code.telemetry.recorder import OPENERS
from code.telemetry.source import Watched


def run(context: Context) -> int:
    """Serve until it is interrupted. MissingError without prometheus_client, and where the port is taken."""
    request = context.request
    port, root = int(request["port"]), runs.log_folder(request["log_dir"])
    watched = Watched(tuple(sorted(os.sched_getaffinity(0))), gpus(), os.getpid())
    sources = [source for opener in OPENERS for source in opener(watched) if source.name != "own"]
    try:
        server, thread = exporter.start(exporter.Collector(sources, root), port)
    except OSError as error:
        step = "choose another one with --port=N"
        raise MissingError(f"port {port} of {exporter.HOST} cannot be used", error.strerror or str(error), step) from error
    console.say(f"metrics: http://{exporter.HOST}:{port}/metrics   (Ctrl-C ends it)")
    try:
        thread.join()
    except KeyboardInterrupt:
        console.say("ended")
    finally:
        server.shutdown()
        for source in sources:
            source.close()
    return 0


def gpus() -> tuple[str, ...]:
    """The UUIDs of this machine's GPUs, in NVML's order."""
    return tuple(str(one["uuid"]) for one in nvml.query().get("gpus", []) if one.get("uuid"))


ACTION = OncePerRequest(run)
