"""run_llm_server: serve a workload's engine over HTTP, as OpenAI-compatible servers do, until it is interrupted."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from code.actions import Context, EachWorkload
from code.backends.generators.completions import KEY
from code.common import console, paths
from code.common.errors import RunError, UsageError
from code.run import llm_server, llm_serving, loadgen_run
from code.run.job import Job
from code.run.launch import BY_STATUS

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run(job: Job, context: Context) -> None:
    """Build the engine where it is not there, and serve it.

    UsageError for an engine that generates no text, or for an address that others reach without a key.
    """
    host, port = str(context.request["server_host"]), int(context.request["server_port"])
    if host not in LOOPBACK and not os.environ.get(KEY):
        raise UsageError(
            f"{host} can be reached from other machines, and no key is set",
            "anybody there could use this machine",
            f"set {KEY} in the environment, or leave --server_host out",
        )
    job.build()
    job.prepare()
    folder = Path(tempfile.mkdtemp(prefix=f"{job.workload.full_name}-server-", dir=_parent()))
    try:
        served = llm_serving.served(job, loadgen_run.server_spec(job, folder))
        served = replace(served, spec=llm_server.with_first_tokens(served.spec))
        console.say(f"{job.label}: starting a server; end it with Ctrl-C")
        status = llm_server.run_here(served, folder / llm_server.RUN_FILE, host, port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if status:
        kind = BY_STATUS.get(status, RunError)
        raise kind(f"the server ended with status {status}", "its own words are above", "correct what it says")


def _parent() -> Path:
    parent = paths.build_dir() / "servers"
    parent.mkdir(parents=True, exist_ok=True)
    return parent


ACTION = EachWorkload(run)
