"""A bench for a dry run: power-dev's own server, with stand-ins for the analyser and the time server."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from code.common.errors import MissingError, RunError
from code.common.parent import end_with
from code.power import ask
from code.power.session import Meter
from code.power.stand_in.clock import Clock
from code.power.tools import SERVER

HOST = "127.0.0.1"
START_S = 60.0
STOP_S = 15.0
CONFIGURATION = """[server]
ntpServer: {host}
listen: {host} {port}
[ptd]
ptd: {meter}
analyzerCount: 1
[analyzer1]
networkPort: {meter_port}
deviceType: 49
interfaceFlag: -y
devicePort: STANDIN
"""


@contextmanager
def bench(tools: Path, folder: Path) -> Iterator[Meter]:
    """Start everything, and end it afterwards.

    Args:
        tools: the checkout of power-dev.
        folder: for the server's configuration and output.

    Raises MissingError where NTP's port cannot be had, RunError where the server does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, meter_port = free_port(), free_port()
    meter = folder / "meter.sh"
    script = Path(__file__).with_name("meter.py")
    meter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{script}" "$@"\n', encoding="utf-8")
    meter.chmod(0o755)
    text = CONFIGURATION.format(host=HOST, port=port, meter=meter, meter_port=meter_port)
    (folder / "server.conf").write_text(text, encoding="utf-8")
    with _clock(), (folder / "server.txt").open("wb") as printed:
        parent = os.getpid()
        server = subprocess.Popen(
            [sys.executable, "-B", str(tools / SERVER), "-c", str(folder / "server.conf")],
            stdout=printed,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: end_with(parent),
        )
        try:
            _ready(server, port, folder / "server.txt")
            yield Meter(HOST, port, HOST, stand_in=True)
        finally:
            _stop(server)


@contextmanager
def _clock() -> Iterator[None]:
    """A time server on loopback: the one that is there, else the stand-in."""
    try:
        clock = Clock(ask.NTP_PORT)
    except PermissionError as error:
        raise MissingError(
            "the time server's stand-in cannot open UDP port 123 of loopback",
            "ports below 1024 are root's, and power-dev's client asks no other port",
            "run it as root, or allow it: sudo sysctl net.ipv4.ip_unprivileged_port_start=123",
        ) from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        _require_time(error)
        yield
        return
    with clock:
        yield


def _require_time(error: OSError) -> None:
    try:
        ask.time_offset(HOST)
    except OSError:
        raise MissingError(
            "UDP port 123 of loopback is taken, by something that does not answer",
            error.strerror or str(error),
            "stop it (ss -lunp 'sport = :123' names it), or let it answer 127.0.0.1",
        ) from error


def free_port() -> int:
    """A TCP port of loopback that nothing listens on."""
    with socket.create_server((HOST, 0)) as door:
        return int(door.getsockname()[1])


def _ready(server: subprocess.Popen[bytes], port: int, printed: Path) -> None:
    until = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError):
            ask.server_offset(HOST, port, timeout=2.0)
            return
        time.sleep(0.2)
    lines = printed.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it printed nothing"]
    raise RunError("power-dev's server did not start", lines[-1], f"see {printed}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server, which ends its analyser."""
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(STOP_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
