"""`python -m tests.soak --minutes=60 --seed=1`: run commands, kill each at a random moment, and run it again to its end.

After a kill no process of the command may be left, and no file or folder may have its final name but not all of its content. The next
run of the same command ends as it did when nobody killed it. `--stress` loads the machine with stress-ng meanwhile. The exit status is 1
where anything of this does not hold; each fault is printed with the phase, the moment and the seed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.download_server import Handler, Server, whole
from tests.owned import owned
from tests.soak import state
from tests.soak.phases import PHASES, ROOT, Phase, Place, prepare

HOW = ("KILL the harness", "KILL make", "KILL all", "TERM all", "INT all")
PATIENCE_S = 60.0
"""In which everything of a killed command has ended, on a machine under load."""
LONGEST_S = 1800.0


class Soak:
    """The commands of one soak, how long each takes, and what was wrong."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place = place
        self.random = random.Random(seed)
        self.seconds = {phase.name: phase.seconds for phase in PHASES}
        self.expected: dict[str, int] = {}
        self.faults: list[str] = []
        self.kills: Counter[str] = Counter()
        self.reruns = 0
        self.log = (place.root / "commands.log").open("ab")

    def start(self, phase: Phase) -> tuple[subprocess.Popen[bytes], str]:
        mark = uuid.uuid4().hex
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "LOG_DIR"))}
        environment.update({state.MARK: mark, "MLPERF_SCRATCH_PATH": str(self.place.scratch), "VENV": str(self.place.venv)})
        environment.pop("BUILD_DIR", None)
        words = phase.words(self.place)
        self.log.write(f"\n== {phase.name}: {words}\n".encode())
        self.log.flush()
        child = owned(
            words,
            cwd=self.place.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        return child, mark

    def complete(self, phase: Phase) -> int:
        """Run a phase to its end."""
        child, mark = self.start(phase)
        began = time.monotonic()
        try:
            status = child.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            self.fault(phase, f"it did not end in {LONGEST_S:.0f} s")
            self.end_all(mark)
            return -1
        self.seconds[phase.name] = max(1.0, time.monotonic() - began)
        if left := self.left(mark, 10.0):
            self.fault(phase, f"it ended, but left {left}")
            self.end_all(mark)
        return status

    def turn(self, phase: Phase) -> None:
        """Kill a phase at a random moment, look around, run it again."""
        phase.anew(self.place)
        if phase.name not in self.expected:
            self.expected[phase.name] = self.complete(phase)
            say(f"{phase.name}: {self.seconds[phase.name]:.0f} s, status {self.expected[phase.name]}")
            self.whole(phase, "without a kill")
            phase.anew(self.place)
        child, mark = self.start(phase)
        moment = self.random.uniform(0.0, self.seconds[phase.name])
        how = self.random.choice(HOW)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(moment)
        alive = child.poll() is None
        self.kill(child, mark, how)
        child.wait(PATIENCE_S)
        when = f"{how} after {moment:.1f} of {self.seconds[phase.name]:.1f} s" + ("" if alive else ", when it had ended")
        self.kills[how if alive else "too late"] += 1
        if left := self.left(mark, PATIENCE_S):
            self.fault(phase, f"{when}: processes are left: {left}")
            self.end_all(mark)
        self.whole(phase, when)
        status = self.complete(phase)
        self.reruns += 1
        if status != self.expected[phase.name]:
            self.fault(phase, f"{when}: run again it ended with {status}, not {self.expected[phase.name]}")
        self.whole(phase, f"{when}, run again")
        say(
            f"{phase.name}: {when}; again in {self.seconds[phase.name]:.0f} s: {status}; {len(state.remnants(self.place))} remnants"
        )

    def kill(self, child: subprocess.Popen[bytes], mark: str, how: str) -> None:
        name, _, whom = how.partition(" ")
        number = getattr(signal, f"SIG{name}")
        there = state.processes(mark)
        inner = [
            pid for pid, words in there.items() if "code.main" in words or "tests.soak.download" in words or " pip " in words
        ]
        targets = {"all": list(there), "make": [child.pid], "the harness": inner or [child.pid]}[whom]
        for pid in targets:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def left(self, mark: str, patience_s: float) -> str:
        """Processes that have not ended in time."""
        end = time.monotonic() + patience_s
        while found := state.processes(mark):
            if time.monotonic() > end:
                return "; ".join(f"{pid} {words[:100]}" for pid, words in found.items())
            time.sleep(0.2)
        return ""

    def end_all(self, mark: str) -> None:
        for pid in state.processes(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def whole(self, phase: Phase, when: str) -> None:
        for found in state.half_written(self.place):
            self.fault(phase, f"{when}: half-written: {found}")

    def fault(self, phase: Phase, what: str) -> None:
        self.faults.append(f"{phase.name}: {what}")
        say(f"FAULT in {self.faults[-1]}")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


@contextlib.contextmanager
def slow_server() -> Iterator[str]:
    """Sends the file of tests/download_server.py in some five seconds."""

    class Slow(Handler):
        def setup(self) -> None:
            super().setup()
            write = self.wfile.write

            def slowly(data: bytes) -> int:
                for at in range(0, len(data), 1 << 15):
                    write(data[at : at + (1 << 15)])
                    time.sleep(0.15 if len(data) > 1 << 15 else 0.0)
                return len(data)

            self.wfile.write = slowly  # type: ignore[method-assign,assignment]

    server = Server()
    server.RequestHandlerClass = Slow
    server.script = [whole()]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.url
    finally:
        server.shutdown()


@contextlib.contextmanager
def stress(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    words = f"stress-ng --cpu {os.cpu_count() or 1} --vm 1 --vm-bytes 256M --hdd 1 --hdd-bytes 64M --quiet".split()
    with tempfile.TemporaryDirectory() as folder, owned(words, cwd=folder) as child:
        try:
            yield
        finally:
            os.killpg(child.pid, signal.SIGTERM)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=120.0, help="seconds from one kill to the next at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stress", action="store_true", help="load the machine with stress-ng")
    parser.add_argument("--phases", default="", help="parts of names, separated by commas; all where none is given")
    parser.add_argument("--dir", default="", help="folder for everything; a temporary one where none is given")
    arguments = parser.parse_args(sys.argv[1:] or shlex.split(os.environ.get("TEST_ARGS", "")))
    if arguments.stress and not shutil.which("stress-ng"):
        parser.error("stress-ng is not installed (Debian: apt-get install stress-ng)")
    wanted = [part.strip() for part in arguments.phases.split(",") if part.strip()]
    phases = [phase for phase in PHASES if not wanted or any(part in phase.name for part in wanted)]
    if not phases:
        parser.error(f"--phases={arguments.phases} names none of: {', '.join(phase.name for phase in PHASES)}")
    folder = Path(arguments.dir or tempfile.mkdtemp(prefix="soak-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    venv = Path(os.environ.get("VENV") or ROOT / ".venv").absolute()
    with slow_server() as url, stress(arguments.stress):
        place = Place(folder, venv, url)
        prepare(place)
        soak = Soak(place, arguments.seed)
        end = time.monotonic() + 60 * arguments.minutes
        order: list[Phase] = []
        while time.monotonic() < end:
            order = order or soak.random.sample(phases, len(phases))
            began = time.monotonic()
            soak.turn(order.pop())
            time.sleep(max(0.0, min(end, began + arguments.every) - time.monotonic()))
    kills = ", ".join(f"{count} × {how}" for how, count in soak.kills.most_common())
    say(f"seed {arguments.seed}: {soak.reruns} turns ({kills}), {len(state.remnants(place))} remnants, {len(soak.faults)} faults")
    for fault in soak.faults:
        print(f"  {fault}")
    if not soak.faults and not arguments.dir:
        shutil.rmtree(folder)
    else:
        print(f"  {folder} has everything, and commands.log what was printed")
    return 1 if soak.faults else 0


if __name__ == "__main__":
    sys.exit(main())
