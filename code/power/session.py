"""A measurement of power: power-dev's client, driven through its ranging and its testing run."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from code.common.errors import RunError, UsageError
from code.power.tools import CLIENT

PORT = 4950
PHASES = ("ranging", "testing")
PRINTED = "power_client.txt"
PATIENCE_S = 600.0
"""Longest time in which the client neither starts a run nor ends: the analyser settles for ten seconds before and after each."""
GRACE_S = 10.0
WORKLOAD = Path(__file__).with_name("workload.py")
RESULTS = ("power/client.json", "power/server.json", "ranging/spl.txt", "run_1/spl.txt")
_LOGGED = re.compile(r"\[(?:ERROR|CRITICAL)\] (.*)")


@dataclass(frozen=True)
class Meter:
    """Where power is measured.

    Args:
        host, port: of power-dev's server, beside the analyser.
        ntp: the time server that client and server agree with.
        stand_in: nothing is measured: the analyser is a stand-in.
    """

    host: str
    port: int
    ntp: str
    stand_in: bool = False


def address(text: str) -> tuple[str, int]:
    """Host and port of 'HOST' or 'HOST:PORT'. UsageError for a port that is none."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return text.strip("[]"), PORT
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"--power_server={text} has no port after the colon", "ports are 1 to 65535", f"write {host}:{PORT}")
    return host.strip("[]"), int(port)


def measure(tools: Path, meter: Meter, logs: Path, out: Path, run: Callable[[str], None]) -> None:
    """Have power-dev's client measure two runs.

    Args:
        tools: the checkout of power-dev.
        logs: a folder; LoadGen's logs of each run are somewhere below.
        out: the client's folder, which must not exist and not be inside `logs`: power/, ranging/ and run_1/.
        run: called with each of PHASES in turn, to run the test.

    Raises RunError with the client's reason where it ends early, and whatever `run` raises.
    """
    name = f"mlperf-power-{os.getpid()}-{secrets.token_hex(8)}"
    workload = shlex.join([sys.executable, "-I", str(WORKLOAD), name])
    command = [sys.executable, "-B", str(tools / CLIENT), "--addr", meter.host, "--port", str(meter.port), "--ntp", meter.ntp]
    command += ["--run-workload", workload, "--loadgen-logs", str(logs), "--output", str(out), "--no-timestamp-path"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door, (logs / PRINTED).open("wb") as printed:
        door.bind(f"\0{name}")
        door.listen(1)
        # A session of its own keeps Ctrl-C from it; it ends with this process, which answers its workload no more.
        client = subprocess.Popen(
            command, stdout=printed, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            _serve(door, client, run)
        finally:
            _end(client)
    absent = [path for path in RESULTS if not (out / path).is_file()]
    if client.returncode != 0 or absent:
        raise RunError("power was not measured", why(logs / PRINTED), f"see {logs / PRINTED}, and check with `make doctor`")


def _serve(door: socket.socket, client: subprocess.Popen[bytes], run: Callable[[str], None]) -> None:
    """Run each phase when the client asks for it, until the client has ended."""
    for phase in PHASES:
        if not _asks(door, client):
            return
        guest, _ = door.accept()
        with guest:
            run(phase)
            guest.sendall(b"0")
    with contextlib.suppress(subprocess.TimeoutExpired):
        client.wait(PATIENCE_S)


def _asks(door: socket.socket, client: subprocess.Popen[bytes]) -> bool:
    """Whether the client's workload connects; False where the client has ended, or does nothing for too long."""
    until = time.monotonic() + PATIENCE_S
    while client.poll() is None and time.monotonic() < until:
        if select.select([door], [], [], 0.2)[0]:
            return True
    return False


def _end(client: subprocess.Popen[bytes]) -> None:
    """End the client and what it started."""
    if client.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(client.pid, signal.SIGTERM)
    try:
        client.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(client.pid, signal.SIGKILL)
        client.wait()


def why(printed: Path) -> str:
    """The client's last errors, in its own words."""
    text = printed.read_text(encoding="utf-8", errors="replace")
    said = _LOGGED.findall(text)
    lines = [line for line in text.splitlines() if line.strip()]
    return "; ".join(dict.fromkeys(said[-2:])) or (lines[-1] if lines else "power-dev's client printed nothing")
