"""Library calls for detection and preflight; each returns a JSON value and never raises."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from code.common import paths

Probe = Callable[[str], Any]
"""A library call: takes a word (often unused), gives something that JSON can hold."""

PLACES: dict[str, Callable[[], Path]] = {
    "scratch": paths.scratch_dir,
    "build": paths.build_dir,
    "shm": lambda: Path("/dev/shm"),  # nosec B108  # only its free space is read
}
"""Directories whose storage is checked."""


def affinity(_: str = "") -> list[int]:
    """The logical CPUs this process may run on."""
    return sorted(os.sched_getaffinity(0))


def architecture(_: str = "") -> str:
    """The processor architecture as printed by `uname -m`."""
    return platform.machine()


def user(_: str = "") -> dict[str, Any]:
    """The current user: {"root": bool, "groups": [names]}."""
    import grp

    names = []
    for group in sorted({*os.getgroups(), os.getegid()}):
        with contextlib.suppress(KeyError):
            names.append(grp.getgrgid(group).gr_name)
    return {"root": os.geteuid() == 0, "groups": sorted(names)}


def limits(_: str = "") -> dict[str, int]:
    """Soft limits of this process: open files, processes, locked bytes, stack bytes; -1 is unlimited."""
    import resource

    kinds = {
        "nofile": resource.RLIMIT_NOFILE,
        "nproc": resource.RLIMIT_NPROC,
        "memlock": resource.RLIMIT_MEMLOCK,
        "stack": resource.RLIMIT_STACK,
    }
    return {name: -1 if (soft := resource.getrlimit(kind)[0]) == resource.RLIM_INFINITY else soft for name, kind in kinds.items()}


def storage(role: str) -> dict[str, Any]:
    """A location by its role (a key of PLACES); if it does not exist, its nearest existing parent is checked.

    {"exists": bool, "writable": bool, "free_bytes": int or None}
    """
    wanted = PLACES[role]().absolute()
    folder = next((parent for parent in (wanted, *wanted.parents) if parent.is_dir()), Path("/"))
    free = None
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(folder).free
    return {"exists": wanted.is_dir(), "writable": os.access(folder, os.W_OK | os.X_OK), "free_bytes": free}


def clock(_: str = "") -> dict[str, float]:
    """{"behind_files": seconds by which this clock is behind the newest modification of the project's files}."""
    newest = 0.0
    with contextlib.suppress(OSError):
        newest = max((entry.lstat().st_ctime for entry in paths.project_root().iterdir()), default=0.0)
    return {"behind_files": max(0.0, newest - time.time())}


def packages(_: str = "") -> dict[str, str]:
    """Installed versions of relevant packages."""
    found = {}
    for name in ("mlcommons-loadgen", "nvidia-ml-py", "openvino", "onnxruntime", "tensorrt", "numpy"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def files(benchmark: str) -> list[dict[str, Any]]:
    """The files a benchmark's reference variant reads: [{"path", "exists", "size", "digest"}].

    "digest" is "same" or "differs" if the digest is known or was recorded at download, else "none".
    """
    from code.common.download.record import recorded
    from code.common.files import sha256
    from code.rules.benchmarks import facts_of

    found: list[dict[str, Any]] = []
    for wanted in facts_of(benchmark).files:
        path = paths.build_dir() / wanted.path
        digest, size = "none", None
        with contextlib.suppress(OSError):
            if path.is_file():
                size = path.stat().st_size
                known = wanted.sha256 or recorded(path)
                if known:
                    digest = "same" if sha256(path) == known else "differs"
        found.append({"path": wanted.path, "exists": path.exists(), "size": size, "digest": digest})
    return found


def nvml(_: str = "") -> dict[str, Any]:
    """The answer of NVIDIA's management library; see `nvml.query`."""
    from code.machine.nvml import query

    return query()


def mig(_: str = "") -> dict[str, Any]:
    """How GPUs are cut into MIG slices, by the same library; see `mig.query`."""
    from code.machine.mig import query

    return query()


def peaks(word: str) -> dict[str, Any]:
    """The measured peaks of the processors; see `peaks.known`."""
    from code.machine.peaks import known

    return known(word)


PROBES: dict[str, Probe] = {
    "affinity": affinity,
    "architecture": architecture,
    "clock": clock,
    "files": files,
    "limits": limits,
    "mig": mig,
    "nvml": nvml,
    "packages": packages,
    "peaks": peaks,
    "storage": storage,
    "user": user,
}
"""Every probe by name."""
