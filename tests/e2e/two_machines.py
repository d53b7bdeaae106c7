"""Two machines of a Ray cluster on this host: the second has a network, a /tmp and a host name of its own, behind a virtual cable."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.owned import owned

HERE, THERE = "10.213.77.1", "10.213.77.2"
SECOND = "mlperf-second"
"""Host name of the second machine."""


def missing(project: Path, python: Path) -> str:
    """Why there can be none here; '' where there can."""
    absent = [name for name in ("ip", "unshare", "hostname") if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)}"
    if os.geteuid() != 0:
        return "network namespaces are made as root"
    if any(path.resolve().is_relative_to("/tmp") for path in (project, python)):
        return "the second machine has a /tmp of its own, and the project is in this one's"
    return ""


@dataclass
class Machines:
    """The cluster.

    Args:
        address: of its head, which is this machine.
        cable: the end of the virtual cable here.
        first, second: what keeps each machine's Ray alive.
    """

    address: str
    cable: str
    first: subprocess.Popen[bytes]
    second: subprocess.Popen[bytes]

    def cut(self) -> None:
        """Unplug the second machine."""
        subprocess.run(["ip", "link", "set", self.cable, "down"], check=True)

    def join(self) -> None:
        """Plug it in again."""
        subprocess.run(["ip", "link", "set", self.cable, "up"], check=True)

    def left(self, word: str) -> list[str]:
        """Command lines with a word of processes of either machine."""
        out = []
        for root in (self.first, self.second):
            with contextlib.suppress(psutil.Error):
                for one in psutil.Process(root.pid).children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        if word in (line := " ".join(one.cmdline())):
                            out.append(line)
        return out


@contextlib.contextmanager
def machines(python: Path, folder: Path, empty: Path, exchanged: Path | None = None) -> Iterator[Machines]:
    """Both, for the block; the namespace and every process are gone after it.

    Args:
        folder: for Ray's words.
        empty: a folder that the second machine has empty.
        exchanged: a file that has other content there; None: none.
    """
    name, here, there = f"mlperf-{os.getpid()}", f"mlh{os.getpid()}"[:15], f"mlt{os.getpid()}"[:15]
    ray = python.parent / "ray"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    common = ["--num-cpus=1", f"--object-store-memory={80 << 20}", "--disable-usage-stats", "--block"]
    first = [str(ray), "start", "--head", f"--node-ip-address={HERE}", f"--port={port}", "--include-dashboard=false"]
    second = [str(ray), "start", f"--address={HERE}:{port}", f"--node-ip-address={THERE}", *common]
    apart = ["ip", "netns", "exec", name, "unshare", "--mount", "--uts", "sh", "-c"]
    mounts = ""
    if exchanged is not None:
        (folder / "other").write_text("other")
        mounts = f'mount --bind "{folder}/other" "{exchanged}" && '
    start = f'{mounts}mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs "{empty}" && hostname {SECOND} && exec "$@"'
    log = (folder / "ray.log").open("ab")
    started: list[subprocess.Popen[bytes]] = []

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def begin(command: list[str]) -> subprocess.Popen[bytes]:
        started.append(owned(command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder))
        return started[-1]

    _remove_leftovers()
    try:
        ip("netns", "add", name)
        ip("link", "add", here, "type", "veth", "peer", "name", there)
        ip("link", "set", there, "netns", name)
        ip("addr", "add", f"{HERE}/24", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "addr", "add", f"{THERE}/24", "dev", there)
        ip("-n", name, "link", "set", there, "up")
        ip("-n", name, "link", "set", "lo", "up")
        one = begin([*first, *common])
        _wait_for(port, one)
        two = begin([*apart, start, "sh", *second])
        _wait_for_words(folder / "ray.log", "Ray runtime started", 2, two)
        yield Machines(f"{HERE}:{port}", here, one, two)
    finally:
        for process in reversed(started):
            _end(process)
        log.close()
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", here], check=False, capture_output=True)


def _remove_leftovers() -> None:
    """Namespaces and cables of tests that were killed: their addresses are this one's."""
    for space in Path("/run/netns").glob("mlperf-*"):
        pid = space.name.partition("-")[2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            subprocess.run(["ip", "netns", "del", space.name], check=False, capture_output=True)
            subprocess.run(["ip", "link", "del", f"mlh{pid}"[:15]], check=False, capture_output=True)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HERE, port), timeout=1):
            return
        time.sleep(0.3)
    raise RuntimeError("Ray's head does not answer")


def _wait_for_words(log: Path, words: str, times: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        if log.read_text(errors="replace").count(words) >= times:
            return
        time.sleep(0.3)
    raise RuntimeError(f"the second machine did not join: {log.read_text(errors='replace')[-1000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """A Ray with everything that it started: its daemons have sessions of their own."""
    with contextlib.suppress(psutil.Error):
        tree = [*psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        for one in tree:
            with contextlib.suppress(psutil.Error):
                one.kill()
    process.kill()
    process.wait()
