"""Making the runs of a campaign: one after another by `make run`, each until it is done or has failed too often."""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from code.campaign import measures, surroundings
from code.campaign.plan import RUN, Plan, PlannedRun
from code.campaign.state import LOCK, WRITER, Attempt, CampaignState, RunState, Share, Stage, locked
from code.common import console, paths
from code.common.errors import Interrupted, RunError
from code.common.parent import PR_SET_PDEATHSIG
from code.submission.stage import outcome, runs

POLL_S = 0.2
GRACE_S = 90.0
"""For `make run` to end its harness process, put power limits back, and go."""
FINAL = (2, 3)
"""Exit statuses that another attempt would repeat: a wrong request, and something missing."""
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)
"""None where this is not Linux."""


@dataclass
class Tally:
    """What an invocation did: runs by how they ended, and those that were done before."""

    before: int = 0
    done: int = 0
    failed: int = 0


def log_root(plan: Plan, share: Share) -> Path:
    """The folder of the logs of a share's runs, among all others, so that reports and staging find them."""
    return runs.log_folder(None) / f"campaign-{plan.name}" / share.node


def make_runs(plan: Plan, state: CampaignState, share: Share, only: PlannedRun | None = None) -> Tally:
    """Make every run of a share that is not done.

    Args:
        only: one run, as an element of a Slurm array; others may be made beside it.

    Raises:
        RunError: another process makes runs of this share.
        Interrupted: `campaign_stop`.
    """
    tally, asked = Tally(), state.stop_request
    with locked(share.folder / WRITER, shared=only is not None) as mine:
        if mine is None:
            raise RunError(
                f"the campaign {plan.name} is running already",
                f"another process holds {share.folder / WRITER}",
                f"see it with: make campaign_status FILE={plan.file}; end it with: make campaign_stop FILE={plan.file}",
            )
        if share.node:
            measures.record_node(share)
        wanted = [only] if only is not None else list(plan.runs)
        for number, one in enumerate(wanted, start=1):
            head = f"[{number}/{len(wanted)}] {one.label}" if only is None else one.label
            _make(one, head, _Making(plan, state, share, asked), tally)
    return tally


@dataclass(frozen=True)
class _Making:
    """What all runs of one invocation share.

    Args:
        asked: the request to stop that stood before it began.
    """

    plan: Plan
    state: CampaignState
    share: Share
    asked: str

    def stopped(self) -> bool:
        """Whether `campaign_stop` was called meanwhile."""
        return self.state.stop_request != self.asked

    def require_going(self) -> None:
        """Interrupted where it was stopped."""
        if self.stopped():
            raise Interrupted(
                f"the campaign {self.plan.name} was stopped", "", f"go on with: make campaign FILE={self.plan.file}"
            )


def _make(one: PlannedRun, head: str, making: _Making, tally: Tally) -> None:
    """Make one run, unless it is done; a failure is recorded, and the campaign goes on."""
    found = making.share.run(one.name)
    if found.result is not None:
        tally.before += 1
        return
    making.require_going()
    if found.folder.is_dir() and found.stage is Stage.RUNNING:
        console.say(f"{head}: waits for an attempt that has not ended")
    with locked(found.folder / LOCK, wait=True) as lock:
        assert lock is not None
        if found.result is not None or _adopted(one, found):
            console.say(f"{head}: done by an earlier attempt, {_words(found)}")
            tally.before += 1
            return
        for left in reversed(range(making.plan.attempts)):
            making.require_going()
            attempt = found.begin(log_root(making.plan, making.share) / one.name)
            status = _execute(one, attempt, lock, making)
            if status == 0 and _recorded(one, found, attempt, time.time() - attempt.begun):
                console.say(f"{head}: {_words(found)}")
                tally.done += 1
                return
            reason = _reason(attempt.output, status)
            found.fail(status, reason, attempt.output)
            console.fail([f"error: {head}: {reason}", f"  why:  its output is in {paths.shown(attempt.output)}"])
            if status in FINAL or not left:
                tally.failed += 1
                return


def _execute(one: PlannedRun, attempt: Attempt, lock: int, making: _Making) -> int:
    """Run make, and return its exit status. It ends with this process, also where that is killed, and holds the run's lock until then."""
    environment = surroundings.clean()
    where = (f"--log_dir={attempt.logs}",) if one.target == RUN else ()
    environment["RUN_ARGS"] = shlex.join([*one.words, *where])
    command = ["make", "--no-print-directory", "-C", str(paths.project_root()), one.target]
    with attempt.output.open("wb") as output:
        process = _started(command, output, lock, environment)
        try:
            while True:
                try:
                    return _status(process.wait(POLL_S), attempt.output)
                except subprocess.TimeoutExpired:
                    making.require_going()
        finally:
            _end(process)


def _started(command: Sequence[str], output: IO[bytes], lock: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    mine = os.getpid()

    def end_with_campaign() -> None:  # between fork and exec: only calls that are safe there
        if _PRCTL is not None:
            _PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != mine:
            os._exit(130)

    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=(lock,),
        env=environment,
        start_new_session=True,  # Ctrl-C reaches the campaign, which ends it
        preexec_fn=end_with_campaign,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End make and what it started."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _status(status: int, output: Path) -> int:
    """The harness's exit status: make ends with 2 whatever a command of it ended with, and says which in its last line."""
    if status != 2:
        return status
    _, found, number = _tail(output).rpartition("] Error ")
    return int(number.split()[0]) if found and number.split()[0].isdigit() else status


def _tail(output: Path, most: int = 20_000) -> str:
    with output.open("rb") as source:
        source.seek(max(0, output.stat().st_size - most))
        return source.read().decode("utf-8", "replace")


def _reason(output: Path, status: int) -> str:
    """The last error that the run printed."""
    errors = [line.removeprefix("error: ") for line in _tail(output).splitlines() if line.startswith("error: ")]
    if errors:
        return errors[-1]
    return "it ended without a complete result" if status == 0 else f"it ended with status {status}"


def _adopted(one: PlannedRun, found: RunState) -> bool:
    """Whether an attempt that was killed had made the whole result: it is recorded, and not made again."""
    return one.target == RUN and any(_recorded(one, found, attempt, _took(attempt)) for attempt in found.attempts())


def _took(attempt: Attempt) -> float:
    ended = [path.stat().st_mtime for path in attempt.logs.rglob(runs.METADATA)]
    return max(0.0, max(ended, default=attempt.begun) - attempt.begun)


def _recorded(one: PlannedRun, found: RunState, attempt: Attempt, seconds: float) -> bool:
    """Record an attempt's results; false where they are not complete."""
    made = [run for run in runs.find_runs(attempt.logs) if run.complete] if one.target == RUN else []
    if one.target == RUN and len(made) < one.results:
        return False
    entries = [
        {
            "mode": run.mode,
            "value": outcome.value(run).get("value"),
            "shown": outcome.result(run),
            "verdict": outcome.verdict(run),
            "folder": str(run.folder),
            "simulated": run.simulated,
        }
        for run in made
    ]
    found.succeed({"seconds": seconds, "logs": str(attempt.logs), "host": os.uname().nodename, "results": entries})
    return True


def _words(found: RunState) -> str:
    """'3,054 samples/s VALID, in 14 s'."""
    result = found.result or {"seconds": 0.0}
    shown = ", ".join(f"{entry.get('shown', '-')} {entry.get('verdict', '')}" for entry in result.get("results", []))
    return f"{shown or 'passed'}, in {console.duration(result['seconds'])}"
