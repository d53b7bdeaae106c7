"""The state of a campaign: files, each whole or absent, so that it survives a kill, a reboot and preemption.

<folder>/plan.json            what was planned last, for `campaign_status`
<folder>/jobs.json            the Slurm jobs that make its runs
<folder>/writer.lock          held by the process that makes its runs
<folder>/stop                 a request to stop; each has an ID of its own
<folder>/runs/<run>/          lock, attempt-<n>.json and .txt (its output), and result.json or failure.json
<folder>/nodes/<node>/        the same writer.lock and runs/, of one node of a fleet

A lock is flock(2): the kernel releases it when the last process that has it ends. `make run` inherits that of its run, so that a run whose
campaign was killed is over before another attempt begins.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from code.backends.locks import held
from code.common import jsonfile
from code.common.files import storage_error, write_json
from code.common.paths import build_dir
from code.common.typed import Shape, flag, listing, mapping, real, record, whole, words

PLAN, JOBS, STOP, LOCK, WRITER = "plan.json", "jobs.json", "stop", "lock", "writer.lock"
RESULT, FAILURE = "result.json", "failure.json"
POLL_S = 0.2
PATIENCE_S = 2.0
"""A look at a lock takes it for a moment."""
_RUN = record(
    {"name": words(200), "label": words(400), "target": words(100), "words": listing(words(), 1000)}, {"system": words(200)}
)
_PLAN = record(
    {
        "name": words(200),
        "file": words(),
        "runs": listing(_RUN, 200_000),
        "nodes": listing(words(200)),
        "node_count": whole(0, 10**6),
    },
    {"seconds": mapping(real(0, 1e12), 200_000)},
)
_JOBS = record({"jobs": listing(words(100))})
_ENTRY = record(
    {},
    {
        "mode": words(100),
        "value": real(-1e300, 1e300),
        "shown": words(200),
        "verdict": words(200),
        "folder": words(),
        "simulated": flag(),
    },
)
_RESULT = record(
    {"seconds": real(0, 1e12)},
    {"logs": words(), "results": listing(_ENTRY, 100), "host": words(400), "attempts": whole(0, 10**6)},
)
_FAILURE = record({"status": whole(-1000, 1000)}, {"reason": words(), "output": words(), "attempts": whole(0, 10**6)})
_ATTEMPT = record({"begun": real(0, 1e12), "logs": words()}, {"host": words(400)})


class Stage(Enum):
    """How far a run is."""

    DONE = "done"
    RUNNING = "running"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    WAITING = "waiting"


@dataclass(frozen=True)
class Attempt:
    """One attempt at a run.

    Args:
        number: from 1.
        begun: s since the epoch.
        logs: the folder of its logs.
        output: the file of its output.
    """

    number: int
    begun: float
    logs: Path
    output: Path


@dataclass(frozen=True)
class RunState:
    """The files of one run."""

    folder: Path

    @property
    def result(self) -> dict[str, Any] | None:
        """What it made; None until it is done."""
        return _read(self.folder / RESULT, _RESULT)

    @property
    def failure(self) -> dict[str, Any] | None:
        """How it failed; None where it has not."""
        return None if self.result is not None else _read(self.folder / FAILURE, _FAILURE)

    @property
    def stage(self) -> Stage:
        """How far it is."""
        if self.result is not None:
            return Stage.DONE
        if self.folder.is_dir() and held(self.folder / LOCK):
            return Stage.RUNNING
        if self.failure is not None:
            return Stage.FAILED
        return Stage.INTERRUPTED if self.attempts() else Stage.WAITING

    def attempts(self) -> list[Attempt]:
        """Its attempts, oldest first."""
        found = []
        for path in self.folder.glob("attempt-*.json"):
            content, number = _read(path, _ATTEMPT), path.stem.partition("-")[2]
            if content is not None and number.isdigit():
                found.append(Attempt(int(number), content["begun"], Path(content["logs"]), path.with_suffix(".txt")))
        return sorted(found, key=lambda one: one.number)

    def begin(self, logs: Path) -> Attempt:
        """Record a new attempt, whose logs go below `logs`."""
        number = max((one.number for one in self.attempts()), default=0) + 1
        attempt = Attempt(number, time.time(), logs / f"attempt-{number}", self.folder / f"attempt-{number}.txt")
        content = {"begun": attempt.begun, "logs": str(attempt.logs), "host": os.uname().nodename}
        write_json(self.folder / f"attempt-{number}.json", content)
        return attempt

    def succeed(self, content: Mapping[str, Any]) -> None:
        """Record its result."""
        write_json(self.folder / RESULT, {**content, "attempts": len(self.attempts())})
        (self.folder / FAILURE).unlink(missing_ok=True)

    def fail(self, status: int, reason: str, output: Path) -> None:
        """Record that it failed."""
        content = {"status": status, "reason": reason, "output": str(output), "attempts": len(self.attempts())}
        write_json(self.folder / FAILURE, content)


@dataclass(frozen=True)
class Share:
    """The runs that one process makes: all of a campaign, or those of one node."""

    folder: Path
    node: str = ""

    def run(self, name: str) -> RunState:
        """The state of a run."""
        return RunState(self.folder / "runs" / name)


@dataclass(frozen=True)
class CampaignState:
    """The folder of one campaign."""

    folder: Path

    @property
    def plan(self) -> dict[str, Any] | None:
        """What was planned last; None where nothing was."""
        return _read(self.folder / PLAN, _PLAN)

    def share(self, node: str = "") -> Share:
        """The share of a node; '' for that of the campaign."""
        return Share(self.folder / "nodes" / node if node else self.folder, node)

    def shares(self) -> list[Share]:
        """Every share that the plan names or that has begun."""
        plan = self.plan or {"nodes": [], "node_count": 0}
        if not plan["node_count"]:
            return [self.share()]
        begun = {path.name for path in (self.folder / "nodes").glob("*") if path.is_dir()}
        return [self.share(node) for node in sorted({*plan["nodes"], *begun})]

    @property
    def jobs(self) -> list[str]:
        """Its Slurm jobs, oldest first."""
        return list((_read(self.folder / JOBS, _JOBS) or {"jobs": []})["jobs"])

    def add_job(self, job: str) -> None:
        """Record a Slurm job."""
        write_json(self.folder / JOBS, {"jobs": [*self.jobs, job]})

    def running(self) -> bool:
        """Whether a process makes runs of it now."""
        return any(held(share.folder / WRITER) for share in self.shares())

    @property
    def stop_request(self) -> str:
        """The ID of the newest request to stop; '' for none."""
        try:
            return (self.folder / STOP).read_text(encoding="utf-8")[:100]
        except OSError:
            return ""


def campaigns_folder(given: str | None) -> Path:
    """The folder of all campaigns: --campaign_dir, else build/campaigns."""
    return Path(given).absolute() if given else build_dir() / "campaigns"


@contextmanager
def locked(file: Path, shared: bool = False, wait: bool = False) -> Iterator[int | None]:
    """Hold a lock for the block; yields its file descriptor, None where another process has it and `wait` is false."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise storage_error(error, file) from error
    try:
        kind = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        end = time.monotonic() + PATIENCE_S
        while not (mine := _try(handle, kind)) and (wait or time.monotonic() < end):
            time.sleep(POLL_S)  # short, so that a signal ends it
        yield handle if mine else None
    finally:
        os.close(handle)


def _try(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind)
    except BlockingIOError:
        return False
    return True


def _read(path: Path, shape: Shape) -> dict[str, Any] | None:
    try:
        content = jsonfile.read_object(path)
    except (OSError, ValueError):
        return None
    found: dict[str, Any] | None = shape.read(content, path.name, [])
    return found
