"""Starts a Triton server, waits until it is ready, and ends it with everything that it started."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from code.backends.triton.package import Installation, backends_for, server_environment
from code.common import console, jsonfile, paths
from code.common.errors import Interrupted, RunError, UsageError
from code.common.signals import SIGNALS

HOST = "127.0.0.1"
LOG = "triton.txt"
GRACE_S = 20.0
POLL_S = 0.1
REGIONS = "harness-triton-"
"""How the names of the regions of its Python backend begin; the harness's process ID follows."""
SHM = Path("/dev/shm")  # nosec B108  # what the server's Python backend leaves there
KEEPER = (
    "import os, sys; from code.common.parent import end_with; end_with(int(sys.argv[1])); os.execv(sys.argv[2], sys.argv[2:])"
)
"""Ties the server to this process, and becomes it."""
FAILED = re.compile(r"^\|\s*(?P<model>\S+)\s*\|\s*\d+\s*\|\s*UNAVAILABLE: (?P<why>.*?)\s*\|?$", re.MULTILINE)
SAID = re.compile(r"^E\d{4} \S+ \d+ \S+\] \"?(?P<words>.*?)\"?$", re.MULTILINE)


class Server:
    """A server that was started.

    Args:
        url: host:port of the endpoint that is asked.
        version: of Triton.
    """

    def __init__(self, process: subprocess.Popen[bytes], url: str, health: int, log: Path, prefix: str) -> None:
        self.url = url
        self.version = ""
        self._process = process
        self._health = health
        self._log = log
        self._prefix = prefix

    def wait(self, seconds: float) -> None:
        """Until every model is ready. RunError where the server ends before, or is not ready after `seconds`."""
        end = time.monotonic() + seconds
        with console.Progress("Triton Inference Server", None, "") as bar:
            while time.monotonic() < end:
                bar.update(0, "loading its models")
                self.require_running("did not start")
                if self._ask("/v2/health/ready") is not None:
                    found = jsonfile.parse(self._ask("/v2") or b"{}")
                    self.version = str(found.get("version", "")) if isinstance(found, dict) else ""
                    return
                SIGNALS.check()
                time.sleep(POLL_S)
        raise RunError(
            f"the Triton server was not ready after {seconds:,.0f} s",
            self.words(),
            f"see {paths.shown(self._log)}, or start the server yourself and name it with --triton_url",
        )

    def require_running(self, what: str = "ended during the test") -> None:
        """RunError with the server's own words where its process has ended."""
        status = self._process.poll()
        if status is None:
            return
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise RunError(f"the Triton server {what}: {how}", self.words(), f"see {paths.shown(self._log)}")

    def words(self) -> str:
        """What the server said of its failure: of a model that did not load, else its last error."""
        try:
            text = self._log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        models = [f"{hit['model']}: {hit['why']}" for hit in FAILED.finditer(text)]
        errors = [hit["words"] for hit in SAID.finditer(text)]
        last = [line.strip() for line in text.splitlines() if line.strip()][-1:]
        return (models or errors[-1:] or last or ["it printed nothing"])[0][:300]

    def stop(self) -> None:
        """End it and its children. It gets time to unload its models first."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        remove_regions(self._prefix)

    def _ask(self, path: str) -> bytes | None:
        """The answer of the server's HTTP endpoint; None where there is none yet, or it says no."""
        connection = http.client.HTTPConnection(HOST, self._health, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            content = answer.read(1 << 20)
            return content if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def remove_regions(prefix: str) -> None:
    """Remove the regions of a server that has ended."""
    for region in SHM.glob(f"{prefix}*"):
        region.unlink(missing_ok=True)


def sweep() -> None:
    """Remove the regions of servers whose harness was killed: then nobody is left to remove them."""
    for region in SHM.glob(f"{REGIONS}*"):
        owner = region.name.removeprefix(REGIONS).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            with contextlib.suppress(OSError):
                region.unlink()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


def require_free(port: int) -> None:
    """UsageError where another process listens on a port."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"port {port} is taken",
                error.strerror or str(error),
                "choose another with --triton_port, or leave it out for a free one; a server that runs there is used with --triton_url",
                "--triton_port",
            ) from error


@contextlib.contextmanager
def started(
    server: Installation,
    repository: Path,
    folder: Path,
    port: int,
    buffer_threads: int,
    patience_s: float,
    protocol: str = "grpc",
) -> Iterator[Server]:
    """A server for the block, ready to serve.

    Args:
        repository: the models.
        folder: where its log goes.
        port: of the protocol; 0: any free one.
        buffer_threads: threads that copy a batch's parts; 0: Triton's default.
        patience_s: how long loading may take.
        protocol: how it will be asked, 'grpc' or 'http'. Its health is asked over HTTP in any case.

    Raises:
        MissingError: the Python backend cannot run here.
        UsageError: the port is taken.
        RunError: the server does not start, a model does not load, or it ended during the block.
    """
    if port:
        require_free(port)
    backends = backends_for(server)
    own = port or free_port()
    health = own if protocol == "http" else free_port()
    grpc = ("--grpc-address", HOST, "--grpc-port", str(own)) if protocol == "grpc" else ("--allow-grpc", "false")
    sweep()
    prefix = f"{REGIONS}{os.getpid()}-{own}-"
    command = [
        *(sys.executable, "-c", KEEPER, str(os.getpid()), str(server.program)),
        *("--model-repository", str(repository), "--backend-directory", str(backends)),
        *(*grpc, "--http-address", HOST, "--http-port", str(health)),
        *("--allow-metrics", "false", "--exit-timeout-secs", "15", "--disable-auto-complete-config"),
        *("--backend-config", f"python,shm-region-prefix-name={prefix}"),
        *(("--buffer-manager-thread-count", str(buffer_threads)) if buffer_threads else ()),
    ]
    log = folder / LOG
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=paths.project_root(),
            env=server_environment(server),
            start_new_session=True,
        )
    running = Server(process, f"{HOST}:{own}", health, log, prefix)
    try:
        running.wait(patience_s)
        try:
            yield running
        except Interrupted:
            raise
        except RunError:
            running.require_running()
            raise
    finally:
        running.stop()
