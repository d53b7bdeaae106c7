"""Runs over nodes on real local Ray clusters: the answers of one machine, and every way that a node fails. Needs `make cluster`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from code.common.errors import MissingError
from code.run.language import binary
from code.run.nodes import environment
from tests.owned import owned

try:
    INSTALLED = bool(environment.python() and environment.library())
except MissingError:
    INSTALLED = False
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.full,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not INSTALLED, reason="Ray is not installed; run `make cluster`"),
    pytest.mark.skipif(not binary().is_file(), reason="the C++ harness is not built; run `make build`"),
]
FAULT_S = 30.0
"""In this time a run ends after a node was lost."""
PATIENCE_S = 600.0
"""For a run over a whole data set on a machine that does other work."""
TINY = ("--model_variant=tiny", "--share_devices", "--harness_lang=cpp", "--backend=openvino")
SIMULATED = ("--backend=simulated", "--share_devices", "--min_query_count=64", "--system=CPU_x86_64")
LONG = (*SIMULATED, "--min_duration=120000")


class Run:
    """A `python -m code.main` that goes on."""

    def __init__(self, project: Path, folder: Path, *words: str, action: str = "run") -> None:
        self.folder = folder
        where = () if action == "campaign" else (f"--log_dir={folder}",)  # a campaign gives its runs folders of their own
        self.process: subprocess.Popen[str] = owned(
            [sys.executable, "-m", "code.main", f"--action={action}", *where, *words],
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, seconds: float = PATIENCE_S) -> str:
        """Wait for it; returns what it printed."""
        return self.process.communicate(timeout=seconds)[0]

    def processes(self) -> list[psutil.Process]:
        """It and everything that it started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.process.pid)
            return [own, *own.children(recursive=True)]
        return []

    def wait_for(self, found: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
        """What `found` returns once it is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := found():
                return value
            if self.process.poll() is not None:
                pytest.fail(f"it ended: {self.end()}")
            time.sleep(0.2)
        return pytest.fail("it did not come so far")

    def computing(self) -> bool:
        """Whether LoadGen has started."""
        return any(path.stat().st_size > 0 for path in self.folder.rglob("mlperf_log_detail.txt"))

    def named(self, word: str) -> list[psutil.Process]:
        """Its processes whose command line has a word."""
        out = []
        for one in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if word in " ".join(one.cmdline()):
                    out.append(one)
        return out


@pytest.fixture
def running(project: Path, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    started: list[Run] = []

    def start(*words: str, action: str = "run", folder: str = "logs") -> Run:
        started.append(Run(project, tmp_path / folder, *words, action=action))
        return started[-1]

    yield start
    for one in started:
        for process in reversed(one.processes()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def require_nothing_left(processes: list[psutil.Process]) -> None:
    """No process of a run, and no folder of its cluster."""
    alive = psutil.wait_procs(processes, timeout=30)[1]
    assert not [one.cmdline() for one in alive if one.status() != psutil.STATUS_ZOMBIE]
    own = [path for name in ("ray", "sockets") for path in Path("/tmp").glob(f"mlperf-{name}-*")]
    assert not [path for path in own if _is_left(path)], "the folder of a local cluster is left"


def _is_left(folder: Path) -> bool:
    """Whether the process that made a folder, whose number is in its name, is gone: another run here may go on."""
    return not psutil.pid_exists(int(folder.name.split("-")[2]))


def accuracy_log(folder: Path) -> list[str]:
    (log,) = folder.rglob("mlperf_log_accuracy.json")
    return sorted(line.strip(" ,\n") for line in log.read_text().splitlines())


def metadata(folder: Path) -> dict[str, Any]:
    (path,) = folder.rglob("metadata.json")
    return dict(json.loads(path.read_text()))


ACCURACY = ("--benchmarks=bert", "--scenarios=offline", "--test_mode=AccuracyOnly", "--precision=fp32", *TINY)


@pytest.fixture(scope="module")
def answers(project: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The accuracy log of one machine."""
    alone = Run(project, tmp_path_factory.mktemp("alone"), *ACCURACY)
    printed = alone.end()
    assert alone.process.returncode == 0, printed
    return accuracy_log(alone.folder)


@pytest.mark.parametrize("nodes", [2, 4])
def test_the_accuracy_log_is_that_of_one_machine(nodes: int, answers: list[str], running: Callable[..., Run]) -> None:
    """Tiny BERT in fp32: LoadGen's log of all answers is byte for byte the same, but for the order in which they came."""
    over = running(*ACCURACY, f"--ray_address=local:{nodes}", folder="nodes")
    printed = over.end()
    assert over.process.returncode == 0, printed
    assert accuracy_log(over.folder) == answers
    found = metadata(over.folder)["nodes"]
    assert len(found["nodes"]) == nodes and found["number_of_nodes"] == 1
    assert all(one["samples"] > 0 and one["reached"] == "Unix sockets" and one["telemetry"]["readings"] for one in found["nodes"])
    require_nothing_left([])


@pytest.mark.parametrize(("scenario", "nodes"), [("Offline", 2), ("Server", 2), ("SingleStream", 1), ("MultiStream", 2)])
def test_each_scenario_runs_over_two_nodes(scenario: str, nodes: int, running: Callable[..., Run]) -> None:
    run = running("--benchmarks=bert", f"--scenarios={scenario}", "--ray_address=local:2", "--min_duration=3000", *TINY)
    printed = run.end()
    assert run.process.returncode == 0, printed
    found = metadata(run.folder)
    used = [one for one in found["devices"] if one["samples"]]
    assert len(used) == nodes, found["devices"]
    assert all("network_share" in one for one in used)
    require_nothing_left([])


def test_3d_unet_runs_over_two_nodes(running: Callable[..., Run]) -> None:
    words = ("--benchmarks=3d-unet", "--scenarios=offline", "--test_mode=AccuracyOnly", *TINY)
    alone = running(*words, folder="alone")
    printed = alone.end()
    assert alone.process.returncode == 0, printed
    over = running(*words, "--ray_address=local:2", folder="nodes")
    printed = over.end()
    assert over.process.returncode == 0, printed
    assert accuracy_log(over.folder) == accuracy_log(alone.folder)


def test_nodes_are_compared_with_this_machine(running: Callable[..., Run], tmp_path: Path) -> None:
    run = running("--benchmarks=bert", "--scenarios=offline", "--ray_address=local:2", "--json", *TINY, action="nodes")
    text = run.end()
    found = json.loads(text[text.index("[") :])[0]
    assert len(found["nodes"]) == 2 and not [one for one in found["differences"] if one["what"] != "engine"]
    for node in found["nodes"]:
        assert node["commit"] == found["head"]["commit"] and node["data"] == found["head"]["data"]
        assert abs(node["offset_s"]) < 1 and 0 < node["round_trip_s"] < 1 and node["bytes_per_s"] > 1e6
    require_nothing_left([])


def kill(word: str, number: int = signal.SIGKILL) -> Callable[[Run], None]:
    """Sends the last process of a run with a word in its command line a signal."""

    def act(run: Run) -> None:
        os.kill(run.named(word)[-1].pid, number)

    return act


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (kill("--serve"), "harness process ended"),
        (kill("--serve", signal.SIGSTOP), "reported nothing"),
        (kill("ray::Node"), "died"),
        (kill("ray::Node", signal.SIGSTOP), "has not answered"),
        (kill("raylet/raylet"), "died"),
    ],
    ids=["harness killed", "harness stopped", "actor killed", "actor stopped", "raylet killed"],
)
def test_a_node_that_is_lost_ends_the_run_with_its_name(
    fault: Callable[[Run], None], words: str, running: Callable[..., Run]
) -> None:
    run = running("--benchmarks=bert", "--scenarios=server", "--ray_address=local:2", *LONG)
    run.wait_for(run.computing)
    everything = run.processes()
    fault(run)
    start = time.monotonic()
    printed = run.end(FAULT_S + 30)
    assert run.process.returncode == 4, printed
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "node " in errors[0] and "was lost" in errors[0], printed
    assert words in printed
    assert time.monotonic() - start < FAULT_S
    assert list(run.folder.rglob("INCOMPLETE"))
    require_nothing_left(everything)


def test_offline_goes_on_without_a_node_where_that_is_asked_for(running: Callable[..., Run]) -> None:
    words = ("--benchmarks=bert", "--scenarios=offline", "--ray_address=local:2", "--tolerate_node_loss", *SIMULATED)
    run = running(*words, "--min_duration=20000")  # some 800 samples
    run.wait_for(run.computing)
    kill("--serve")(run)
    printed = run.end()
    assert run.process.returncode == 0 and "its batches go to the others" in printed, printed
    found = metadata(run.folder)
    (lost,) = found["nodes"]["lost"]
    assert lost["name"] in found["division_note"] or "simulated" in found["division_note"]
    assert not list(run.folder.rglob("lost-node-*"))


def test_a_head_that_dies_leaves_no_actor(running: Callable[..., Run]) -> None:
    run = running("--benchmarks=bert", "--scenarios=server", "--ray_address=local:2", *LONG)
    run.wait_for(run.computing)
    everything = run.processes()
    assert any("raylet" in one.name() for one in everything)
    run.process.kill()
    require_nothing_left(everything)


def test_an_interrupted_run_leaves_nothing(running: Callable[..., Run]) -> None:
    run = running("--benchmarks=bert", "--scenarios=server", "--ray_address=local:2", *LONG)
    run.wait_for(run.computing)
    everything = run.processes()
    run.process.send_signal(signal.SIGINT)
    run.end(FAULT_S)
    assert run.process.returncode == 130
    require_nothing_left(everything)
