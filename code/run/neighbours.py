"""The neighbours of a heterogeneous run: workloads that load other devices while the main one is measured.

Each is a harness process of its own. All have to be in steady state before the main test begins, and to answer until it has ended: one that
ends earlier ends the main test, which then has no result.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from code.common import console, paths
from code.common.errors import HarnessError, Interrupted, RunError
from code.common.signals import SIGNALS
from code.results.loadgen_log import LoadGenLog
from code.run import device_lock, launch, loadgen_run
from code.run.company import Companion, Company
from code.run.job import Job
from code.run.places import THIS_MACHINE, Ended, Place

STEADY_S = 5.0
"""A neighbour is in steady state when it has answered on every stream and has run so long."""
PATIENCE_S = 3600.0
"""Longest time in which a neighbour has to reach it."""
GRACE_S = 10.0
EVERY_S = 0.05


class Neighbour:
    """A workload that loads its devices on a harness process of its own.

    Args:
        job: ready to run: its engine is built and its open values are measured.
        folder: of its logs.
    """

    def __init__(self, job: Job, folder: Path, place: Place = THIS_MACHINE) -> None:
        self.job = job
        self.label = job.label
        self.error: HarnessError | None = None
        self.completed = 0
        self.answers = 0
        """Calls that its engine has answered: a long sample takes many."""
        self.elapsed_s = 0.0
        self.moved = time.monotonic()
        """When its engine last answered."""
        self._folder = folder
        self._place = Ended(place)
        self._ended = threading.Event()
        self._asked = False
        self._died: list[Any] = []
        self._thread = threading.Thread(target=self._work, name=self.label, daemon=True)

    @property
    def dead(self) -> bool:
        """Whether it has ended although nobody asked it to."""
        return self._ended.is_set() and not self._asked

    @property
    def steady(self) -> bool:
        """Whether it is in steady state."""
        return self.elapsed_s >= STEADY_S and self.answers >= 2 * self.job.placement.streams

    def start(self) -> None:
        """Start its process."""
        spec = loadgen_run.background_spec(self.job, self._folder)
        self._spec = spec
        self._thread.start()

    def on_death(self, call: Any) -> None:
        """Have something called, on another thread, if it ends unasked."""
        self._died.append(call)

    def end(self) -> None:
        """Ask it to end."""
        self._asked = True
        self._place.end()

    def join(self) -> None:
        """Wait until it has ended; it is killed where it does not."""
        if self._thread.ident is None:
            return
        self._thread.join(GRACE_S)
        if self._thread.is_alive():
            self._place.kill()
            self._thread.join()

    def failure(self, when: str) -> RunError:
        """The error for a neighbour that ended by itself."""
        found = self.error
        why = f"{found.what}{': ' + found.why if found.why else ''}" if found else "its process ended by itself"
        return RunError(
            f"the neighbour {self.label} ended {when}",
            why,
            f"run it alone to see why; its output is in {paths.shown(self._folder / launch.STDOUT_FILE)}",
        )

    def _work(self) -> None:
        try:
            launch.background(self._spec, self._take, self._place)
        except HarnessError as error:
            self.error = error
        except Exception as error:
            self.error = RunError(f"{type(error).__name__}: {error}")
        self._ended.set()
        if self.dead:
            for call in self._died:
                call()

    def _take(self, line: Mapping[str, Any]) -> None:
        if line.get("phase") != "run":
            return
        completed = int(line["completed"])
        answers = int(line.get("answers", completed))
        if answers > self.answers:
            self.moved = time.monotonic()
        self.completed, self.answers, self.elapsed_s = completed, answers, float(line["elapsed_s"])


class Neighbours:
    """All neighbours of a main workload, running."""

    def __init__(self, all_of: Sequence[Neighbour]) -> None:
        self.all = all_of

    def require_alive(self, when: str) -> None:
        """RunError for one that has ended by itself; KeyboardInterrupt after a signal, which reaches all processes."""
        SIGNALS.check()
        for one in self.all:
            if one.dead:
                raise one.failure(when)

    def await_steady(self, label: str, least_s: float = 0.0) -> None:
        """Wait until all are in steady state, and have run `least_s` seconds. RunError for one that ends or does not get there."""
        start = time.monotonic()
        while not all(one.steady and one.elapsed_s >= least_s for one in self.all):
            self.require_alive("before it was in steady state")
            if time.monotonic() - start > PATIENCE_S + least_s:
                slow = next(one for one in self.all if not one.steady)
                raise RunError(
                    f"the neighbour {slow.label} did not reach steady state within {PATIENCE_S:,.0f} s",
                    f"it answered {slow.completed} samples",
                    "run it alone to see how fast it is",
                )
            time.sleep(EVERY_S)
        for one in self.all:
            rate = one.completed / one.elapsed_s
            console.say(f"{label}: {one.label} is in steady state on {_devices(one.job)}: {rate:,.3g} samples/s")

    def test(self, main: Job, mode: str, folder: Path, label: str) -> LoadGenLog:
        """The main workload's LoadGen test while all neighbours run; `main.company` says what they did.

        RunError, with its name, for a neighbour that ends before the test has: then the test ends too.
        """
        self.require_alive("before the main test")
        place = Ended(main.place or THIS_MACHINE)
        for one in self.all:
            one.on_death(place.end)
        self.require_alive("before the main test")
        before, start = [one.completed for one in self.all], time.monotonic()
        usual, main.place = main.place, place
        try:
            log = main.test(mode, folder, label)
        except HarnessError:
            self.require_alive("during the main test, which was ended")
            raise
        finally:
            main.place = usual
        seconds = time.monotonic() - start
        self.require_alive("during the main test, which has no result")
        companions = []
        for one, earlier in zip(self.all, before, strict=True):
            if one.moved < start:
                raise RunError(
                    f"the neighbour {one.label} answered nothing during the main test",
                    f"its last answer is {time.monotonic() - one.moved:,.0f} s old",
                    "run longer, or choose a neighbour with shorter samples",
                )
            companion = Companion(one.label, tuple(d.name for d in one.job.placement.devices), one.completed - earlier, seconds)
            console.say(f"{label}: beside it {companion.label} answered {companion.rate:,.3g} samples/s")
            companions.append(companion)
        main.company = Company(companions, main.company.alone if main.company else None)
        return log


@contextlib.contextmanager
def beside(jobs: Sequence[Job], label: str, least_s: float = 0.0) -> Iterator[Neighbours]:
    """Run workloads as neighbours for the block, from steady state on.

    Args:
        jobs: prepared; their devices are nobody else's.
        label: of the main workload, for messages.
        least_s: how long they run before the block at least.

    Raises RunError for a neighbour that ends before the block does.
    """
    parent = paths.build_dir() / "neighbours"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    with contextlib.ExitStack() as stack:
        all_of = []
        for number, job in enumerate(jobs):
            names = [device.name for device in job.placement.devices] if job.backend.computes else []
            stack.enter_context(device_lock.held(names, f"{job.label}, beside {label}"))
            own = folder / f"{number}-{job.workload.full_name}-{job.workload.scenario}"
            own.mkdir()
            all_of.append(Neighbour(job, own))
        try:
            for one in all_of:
                console.say(f"{label}: starting {one.label} beside it on {_devices(one.job)}")
                one.start()
            found = Neighbours(all_of)
            found.await_steady(label, least_s)
            yield found
        finally:
            for one in all_of:
                one.end()
            for one in all_of:
                one.join()
    if not any(one.error is not None and not isinstance(one.error, Interrupted) for one in all_of):
        shutil.rmtree(folder, ignore_errors=True)


def _devices(job: Job) -> str:
    return ", ".join(device.name for device in job.placement.devices)
