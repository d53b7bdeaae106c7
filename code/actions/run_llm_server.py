"""run_llm_server: serve a workload's engine over HTTP, as OpenAI-compatible servers do, until it is interrupted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from code.actions import Context, EachWorkload
from code.backends.generators.completions import KEY
from code.common import console, paths
from code.common.errors import RunError, UsageError
from code.common.parent import PARENT_VARIABLE
from code.harness.schema.datasets import PromptData
from code.run import loadgen_run
from code.run.job import Job
from code.run.launch import BY_STATUS

PATIENCE_S = 70.0
"""Seconds that a server has to end, which is more than it gives its requests."""
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
        spec = loadgen_run.server_spec(job, folder)
        if not isinstance(spec.dataset, PromptData):
            raise UsageError(f"{job.label} generates no text", "only texts can be served", "choose another benchmark")
        replace(spec, dataset=replace(spec.dataset, use_token_latencies=True)).write(folder / "run.json")
        tokenizer = job.graph / "tokenizer.json"
        command = [sys.executable, "-m", "code.harness.python.llm_server", str(folder / "run.json"), host, str(port)]
        command += [job.definition.facts.name, *([str(tokenizer)] if tokenizer.is_file() else [])]
        own = {"PYTHONPATH": str(paths.project_root()), PARENT_VARIABLE: str(os.getpid())}
        console.say(f"{job.label}: starting a server; end it with Ctrl-C")
        status = _until_ended(subprocess.Popen(command, env={**os.environ, **own}, stdin=subprocess.DEVNULL))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if status:
        kind = BY_STATUS.get(status, RunError)
        raise kind(f"the server ended with status {status}", "its own words are above", "correct what it says")


def _until_ended(server: subprocess.Popen[bytes]) -> int:
    """The server's exit status. An interrupt is handed on, and the requests in flight get their answers."""
    try:
        return server.wait()
    except BaseException:
        server.terminate()
        try:
            server.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()
        raise


def _parent() -> Path:
    parent = paths.build_dir() / "servers"
    parent.mkdir(parents=True, exist_ok=True)
    return parent


ACTION = EachWorkload(run)
