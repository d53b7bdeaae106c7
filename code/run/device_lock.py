"""A lock on the devices of a run, for all users and checkouts of a machine.

Two runs on the same devices share their speed, and LoadGen reports both as VALID. A run therefore waits for another one, or runs
beside it and says so. The kernel releases a lock when its process ends, however it ends. Containers have lock folders of their own.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from code.common import console, jsonfile
from code.common.files import shared_folder

FOLDER_VARIABLE = "HARNESS_LOCK_DIR"
FOLDER = "/tmp/mlperf-inference-locks"  # nosec B108  # O_NOFOLLOW, no file is trusted
EVERY_S = 0.5


@dataclass
class Sharing:
    """Other runs on the same devices.

    Args:
        beside: those that this one runs beside.
        waited_s: seconds that it waited for others.
    """

    beside: list[str] = field(default_factory=list)
    waited_s: float = 0.0


@contextlib.contextmanager
def held(devices: Sequence[str], label: str, share: bool = False) -> Iterator[Sharing]:
    """Hold the locks of `devices` for the block, after those that hold them have ended.

    Args:
        devices: their names in logs.
        label: how others are told about this run.
        share: run beside another run instead of waiting for it.
    """
    found = Sharing()
    with contextlib.ExitStack() as stack:
        for name in sorted(set(devices)):
            handle = _open(name)
            if handle is None:
                continue
            stack.callback(os.close, handle)
            if not _lock(handle):
                holder = _holder(handle)
                if share:
                    found.beside.append(holder)
                    continue
                _wait(handle, name, label, holder, found)
            _sign(handle, label)
            stack.callback(os.ftruncate, handle, 0)
        found.beside = list(dict.fromkeys(found.beside))
        yield found


def _wait(handle: int, name: str, label: str, holder: str, found: Sharing) -> None:
    console.say(f"{label}: waiting for {holder}, which uses {name} (--share_devices runs beside it, and the result says so)")
    start = time.monotonic()
    while not _lock(handle):
        time.sleep(EVERY_S)
    found.waited_s += time.monotonic() - start
    console.say(f"{label}: {name} is free after {console.duration(found.waited_s)}")


def _open(name: str) -> int | None:
    """The lock file of a device, open for all users; None where no lock can be had, which is reported."""
    folder = Path(os.environ.get(FOLDER_VARIABLE) or FOLDER)
    path = folder / (name.replace("/", "_").replace(" ", "_") + ".lock")
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        shared_folder(folder)
        try:
            return os.open(path, flags)  # without O_CREAT, which fs.protected_regular refuses for another user's file
        except FileNotFoundError:
            handle = os.open(path, flags | os.O_CREAT, 0o666)
            os.fchmod(handle, 0o666)  # nosec B103  # any account locks it
            return handle
    except OSError as error:
        console.warn(f"{name} cannot be locked: {path}: {error.strerror or error}; another run on it would not be noticed")
        return None


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def _sign(handle: int, label: str) -> None:
    """Write who holds the lock."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    text = json.dumps({"label": label, "pid": os.getpid(), "user": user, "since": time.strftime("%Y-%m-%d %H:%M:%S")})
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)


def _holder(handle: int) -> str:
    """'bert-99 Offline PerformanceOnly (process 123 of ada, since 2026-01-01 12:00:00)'."""
    try:
        content = jsonfile.parse(os.pread(handle, 4096, 0))
        words = [" ".join(str(content[key]).split())[:100] for key in ("label", "pid", "user", "since")]
        return f"{words[0]} (process {words[1]} of {words[2]}, since {words[3]})"
    except (OSError, ValueError, TypeError, KeyError):
        return "another run"
