"""The process of this harness's own LLM server: starts it, waits until it is ready, and ends it with everything that it started."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from code.backends.generators.completions import Server, get
from code.common import console, jsonfile, paths
from code.common.errors import HarnessError, Interrupted, RunError
from code.common.files import write_json
from code.common.parent import PARENT_VARIABLE
from code.common.signals import SIGNALS
from code.common.typed import record as shape
from code.common.typed import words
from code.harness.schema.datasets import PromptData
from code.harness.schema.run_spec import RunSpec
from code.run.launch import BY_STATUS
from code.run.placement import environment_of

HOST = "127.0.0.1"
LOG, RUN_FILE, RECORD_FILE = "llm_server.txt", "llm_server_run.json", "llm_server.json"
RECORD = shape({"model": words(200), "runtime": words(200), "engine": words(), "api": words(20), "tokens": words(20)})
PATIENCE_S = 70.0
"""Seconds that a server has to end, which is more than it gives its requests."""
GRACE_S = 20.0
"""Seconds in which a server that failed a request ends, where that is the cause."""
POLL_S = 0.1
HEALTH_S = 5.0
READY = re.compile(r"^serving .+ at http://(?P<url>\S+)$", re.MULTILINE)
ERROR = re.compile(r"^error: (?P<what>.*)(?:\n  why:  (?P<why>.*))?(?:\n  next: (?P<next>.*))?$", re.MULTILINE)


@dataclass(frozen=True)
class Served:
    """What a server is started with.

    Args:
        spec: run.json of the engine, the devices and the prompts.
        model: the name that requests have for it.
        tokenizer: tokenizer.json of the checkpoint; None where prompts and texts are token ids only.
    """

    spec: RunSpec
    model: str
    tokenizer: Path | None

    def command(self, file: Path, host: str, port: int) -> list[str]:
        """The server's command line. Writes its run.json to `file`."""
        self.spec.write(file)
        words = [sys.executable, "-m", "code.harness.python.llm_server", str(file), host, str(port), self.model]
        return words if self.tokenizer is None else [*words, str(self.tokenizer)]

    @property
    def environment(self) -> dict[str, str]:
        """Its environment: it sees its own devices only, and ends with this process."""
        visible = environment_of([device.name for device in self.spec.devices])
        own = {"PYTHONPATH": str(paths.project_root()), PARENT_VARIABLE: str(os.getpid())}
        return {**os.environ, **visible, **own}


class Running:
    """A server that was started.

    Args:
        log: what it prints.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.url = ""
        self._process, self._log = process, log

    def wait(self, label: str, seconds: float) -> None:
        """Until it is healthy. Raises what it reports where it ends before, RunError where it is not ready after `seconds`."""
        end = time.monotonic() + seconds
        with console.Progress(label, None, "") as bar:
            while time.monotonic() < end:
                bar.update(0, "the server loads the engine")
                self.require_running("did not start")
                hit = READY.search(self._text())
                if hit is not None and _healthy(hit["url"]):
                    self.url = hit["url"]
                    return
                SIGNALS.check()
                time.sleep(POLL_S)
        raise RunError(
            f"the LLM server was not ready after {seconds:,.0f} s",
            self.words(),
            f"see {paths.shown(self._log)}",
        )

    def require_running(self, what: str = "ended during the test", grace_s: float = 0.0) -> None:
        """The error that its end means, with its own words; nothing while it runs.

        Args:
            grace_s: how long it may take to end.
        """
        try:
            status = self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            return
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        kind = BY_STATUS.get(status, RunError)
        raise kind(f"the LLM server {what}: {how}", self.words(), f"see {paths.shown(self._log)}")

    def words(self) -> str:
        """Its last error, else its last line."""
        text = self._text()
        errors = [": ".join(part for part in (hit["what"], hit["why"]) if part) for hit in ERROR.finditer(text)]
        last = [line.strip() for line in text.splitlines() if line.strip()][-1:]
        return (errors[-1:] or last or ["it printed nothing"])[0][:300]

    def stop(self) -> None:
        """End it and its children; requests in flight still get their answers."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _text(self) -> str:
        try:
            return self._log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def _healthy(url: str) -> bool:
    try:
        return get(Server.of(url), "/health", HEALTH_S)[0] == 200
    except HarnessError:
        return False


@contextlib.contextmanager
def started(served: Served, folder: Path, label: str, patience_s: float) -> Iterator[Running]:
    """A server on a free port of loopback for the block, ready to serve.

    Args:
        folder: where its run.json and its log go.
        label: of its progress.
        patience_s: how long loading may take.

    Raises what the server reports where it does not start, RunError where it ended during the block.
    """
    log = folder / LOG
    with log.open("wb") as output:
        process = subprocess.Popen(
            served.command(folder / RUN_FILE, HOST, 0),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=served.environment,
            start_new_session=True,
        )
    running = Running(process, log)
    try:
        running.wait(label, patience_s)
        try:
            yield running
        except Interrupted:
            raise
        except HarnessError:
            running.require_running(grace_s=GRACE_S)  # a request notices the end of a server before the system has its status
            raise
        running.require_running()
    finally:
        running.stop()


def run_here(served: Served, file: Path, host: str, port: int) -> int:
    """Serve with this process's output until the server ends; an interrupt is handed on. Returns its exit status."""
    server = subprocess.Popen(served.command(file, host, port), env=served.environment, stdin=subprocess.DEVNULL)
    try:
        return server.wait()
    except BaseException:
        server.terminate()
        try:
            server.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()
        raise


def with_first_tokens(spec: RunSpec) -> RunSpec:
    """The run.json whose generator reports first tokens, which a stream needs."""
    return replace(spec, dataset=replace(cast(PromptData, spec.dataset), use_token_latencies=True))


def record(folder: Path, model: str, runtime: str, engine: str, api: str) -> None:
    """Note what a test's own server served."""
    write_json(folder / RECORD_FILE, {"model": model, "runtime": runtime, "engine": engine, "api": api, "tokens": "ids"})


def recorded(folder: Path) -> dict[str, Any]:
    """metadata.json's `llm_server`: what a test's own server served; {} for a test without one."""
    found = RECORD.read(jsonfile.object_or_empty(folder / RECORD_FILE), RECORD_FILE, [])
    return {"llm_server": dict(found)} if found else {}
