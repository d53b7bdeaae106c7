"""Process limits and shared memory."""

from __future__ import annotations

from collections.abc import Iterator
from resource import RLIM_INFINITY

from code.preflight.finding import Finding, Reporter, Subject
from code.preflight.requirements import LOCKED_BYTES, OPEN_FILES, SHARED_MEMORY_BYTES

report = Reporter("limits")


def check(subject: Subject) -> Iterator[Finding]:
    """Open files, locked memory, shared memory."""
    limits = subject.machine.probe("limits")
    if not limits:
        yield report.unseen("limits", "the process limits are not in the capture")
        return
    files = limits.get("nofile", RLIM_INFINITY)
    if files < 0:
        yield report.ok("open files", "unlimited")
    elif files < OPEN_FILES:
        yield report.warning("open files", f"limit is {files}, {OPEN_FILES} or more recommended", "ulimit -n 65536")
    else:
        yield report.ok("open files", str(files))
    locked = limits.get("memlock", RLIM_INFINITY)
    if subject.has_gpus and 0 <= locked < LOCKED_BYTES:
        text = f"limit is {locked >> 20} MiB; pinned host buffers may need more"
        yield report.warning("locked memory", text, "ulimit -l unlimited  # or docker run --ulimit memlock=-1")
    else:
        yield report.ok("locked memory", "unlimited" if locked < 0 else f"{locked >> 10} KiB")
    shared = subject.machine.probe("storage", "shm") or {}
    free = shared.get("free_bytes")
    if free is None or not shared.get("exists"):
        yield report.unseen("shared memory", "/dev/shm does not exist")  # nosec B108  # text
    elif free < SHARED_MEMORY_BYTES and subject.has_gpus:
        yield report.warning("shared memory", f"/dev/shm has {free >> 20} MiB free", "docker run --shm-size=16g")  # nosec B108
    else:
        yield report.ok("shared memory", f"{free / 2**30:.1f} GiB free")
