"""The harness's side of Ray's driver (ray_driver.py): starts it, asks it, and hears of nodes that are lost."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.common import jsonfile, paths
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.common.signals import SIGNALS
from code.harness.schema import node_variables
from code.run.nodes import environment
from code.run.nodes.wanted import Wanted

PROGRAM = Path(__file__).with_name("ray_driver.py")
OPENING_S, PROVING_S = 180.0, 400.0
ENDING_S = 25.0
RECORDED_S = 20.0
COPYING_S = 1900.0
POLL_S = 0.2
BY_STATUS: dict[int, type[HarnessError]] = {2: UsageError, 3: MissingError}


@dataclass(frozen=True)
class Member:
    """A node.

    Args:
        name: in messages and results: its host, numbered where several nodes have one.
        host, ip: of the machine.
        cores: processors that it may use, on a local cluster; () for all.
        near: whether it is on the head's machine, and reached through Unix sockets; else over TCP.
    """

    name: str
    host: str
    ip: str
    cores: tuple[int, ...]
    near: bool = False


@dataclass(frozen=True)
class Lost:
    """A node that is gone: its number in the run, its name, and why."""

    number: int
    name: str
    why: str

    def error(self) -> RunError:
        """The error that ends a run."""
        return RunError(
            f"node {self.name} was lost",
            self.why,
            "see that the machine and its Ray processes run, then run again; `make nodes` compares the nodes",
        )


@dataclass(frozen=True)
class Ended:
    """A command that a node carried out.

    Args:
        task: its name.
        status: its exit status, negative for a signal; None: the node is lost.
        why: the node is lost; '' where it is not.
    """

    task: str
    status: int | None
    why: str


@dataclass
class Cluster:
    """The nodes of a run.

    Args:
        members: in the order of their numbers.
        keys: the head's CURVE keys, 'public secret'.
        ray: Ray's version.
        lost: the nodes that were lost, in order.
        recording: how many of the first nodes record telemetry.
        on_loss: called with each of these, on a thread of its own.
    """

    process: subprocess.Popen[bytes]
    members: tuple[Member, ...] = ()
    keys: str = ""
    ray: str = ""
    lost: list[Lost] = field(default_factory=list)
    on_loss: Callable[[Lost], None] = lambda _: None

    def __post_init__(self) -> None:
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._folder = ""
        self.recording = 0
        threading.Thread(target=self._hear, name="nodes", daemon=True).start()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            with contextlib.suppress(ValueError):
                line = jsonfile.parse(text)
                if isinstance(line, dict) and isinstance(line.get("lost"), dict):
                    self._lose(Lost(**line["lost"]))
                elif isinstance(line, dict) and isinstance(line.get("ended"), dict):
                    self._ended.put(Ended(**line["ended"]))
                elif isinstance(line, dict):
                    self._answers.put(line)
        self._answers.put({"error": {"what": "Ray's driver ended", "why": self._words()}})

    def _lose(self, one: Lost) -> None:
        self.lost.append(one)
        self.on_loss(one)

    def _words(self) -> str:
        status = self.process.poll()
        return "" if status is None else f"its exit status is {status}"

    def ask(self, wait_s: float, /, despite_losses: bool = False, **command: Any) -> dict[str, Any]:
        """A command's answer. Raises the error that the driver reports, RunError where it does not answer in time, or a node is lost."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(command, default=str).encode() + b"\n")
            self.process.stdin.flush()
        waited = 0.0
        while waited < wait_s:
            with contextlib.suppress(queue.Empty):
                answer = self._answers.get(timeout=POLL_S)
                if "error" in answer:
                    raise _error(answer["error"])
                return answer
            SIGNALS.check()
            if self.lost and not despite_losses:
                raise self.lost[0].error()
            waited += POLL_S
        raise RunError(f"Ray did not answer in {wait_s:.0f} s", f"it was to {command['do']}", "run `ray status`, and run again")

    def open(self, wanted: Wanted, gpus: int) -> None:
        """Connect, or start a local cluster, and place the nodes."""
        found = self.ask(
            OPENING_S,
            do="open",
            address=wanted.address,
            nodes=wanted.count,
            root=str(paths.project_root()),
            python=sys.executable,
            gpus=gpus,
        )
        self.members = tuple(Member(o["name"], o["host"], o["ip"], tuple(o["cores"]), o["near"]) for o in found["opened"])
        self.keys, self.ray, self._folder = found["keys"], found["ray"], found["folder"]

    def prove(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What each node has (prove.py), with offset_s, round_trip_s and bytes_per_s."""
        return list(self.ask(PROVING_S, do="prove", asked=dict(asked))["proofs"])

    def copy(self, folders: Sequence[str], nodes: Sequence[int]) -> None:
        """Copy folders of this machine to the same paths of nodes, by number; one that is there is left as it is."""
        self.ask(COPYING_S, do="copy", folders=list(folders), nodes=list(nodes))

    def serve(
        self, command: Sequence[str], runs: Sequence[Mapping[str, Any]], library: str, patience_s: float
    ) -> list[dict[str, Any]]:
        """Start the harness processes of the first nodes, one for each run.json. Returns the endpoints and the key of each."""
        more: dict[str, Any] = {"command": list(command), "runs": list(runs), "library": library, "names": node_variables.NAMES}
        found = self.ask(patience_s + 60, do="serve", patience_s=patience_s, **more)
        return list(found["serving"])

    def record(self, gpus: Sequence[Sequence[str]]) -> None:
        """Record telemetry on the first nodes; `gpus` are the names of those that each watches."""
        self.ask(OPENING_S, do="record", gpus=[list(names) for names in gpus])
        self.recording = len(gpus)

    def recorded(self, files: Sequence[Path]) -> list[Path]:
        """End the recordings, and write each node's into its file. Returns the files that are there."""
        found = self.ask(RECORDED_S, despite_losses=True, do="recorded", files=[str(file) for file in files])
        return [Path(name) for name in found["written"]]

    def begin(self, number: int, task: str, command: Sequence[str], variables: Mapping[str, str], output: Path) -> None:
        """Have a node carry out a command in the project's folder; `ended` tells of it later.

        Args:
            variables: beside those of the node.
            output: a file there, to which its output is appended.
        """
        more: dict[str, Any] = {"command": list(command), "variables": dict(variables), "output": str(output)}
        self.ask(OPENING_S, do="begin", number=number, task=task, **more)

    def ended(self) -> Ended | None:
        """The next command that has ended; None where none did for a moment. RunError where Ray's driver is gone."""
        with contextlib.suppress(queue.Empty):
            return self._ended.get(timeout=POLL_S)
        if self.process.poll() is not None:
            raise RunError("Ray's driver ended", self._words(), "run the same command again")
        return None

    def close(self, patience_s: float = ENDING_S) -> None:
        """End the driver, which ends everything else; after `patience_s` it is killed with all that it started here."""
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            end_session(self.process.pid)  # what it had no time to end
            self.process.wait()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def end_session(leader: int) -> None:
    """Kill every process of a session but its leader, which this process has started and not waited for yet."""
    for path in Path("/proc").glob("[0-9]*"):
        pid = int(path.name)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if pid != leader and os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)


def _error(content: Mapping[str, Any]) -> HarnessError:
    kind = BY_STATUS.get(int(content.get("status", 4)), RunError)
    return kind(str(content.get("what", "")), str(content.get("why", "")), str(content.get("next_step", "")))


@contextlib.contextmanager
def opened(wanted: Wanted, gpus: int = 0, log: Path | None = None) -> Iterator[Cluster]:
    """The nodes, for the block; nothing of them is left after it.

    Args:
        gpus: of each node.
        log: a file for what Ray prints.

    Raises:
        MissingError: Ray is not installed, or the cluster is not there or too small.
        RunError: Ray failed.
    """
    python = environment.python()
    with log.open("ab") if log else open(os.devnull, "ab") as output:  # noqa: PTH123
        process = subprocess.Popen(
            [str(python), str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env=ray_environment(os.environ),
            start_new_session=True,
        )
    cluster = Cluster(process)
    try:
        cluster.open(wanted, gpus)
        yield cluster
    finally:
        cluster.close()


def ray_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of Ray's processes: nothing of the harness's Python, no usage reports."""
    kept = {name: value for name, value in given.items() if name not in ("PYTHONPATH", "PYTHONHOME", "HARNESS_PARENT_PID")}
    return {**kept, "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "PYTHONUNBUFFERED": "1"}
