"""Runs over a Ray cluster of two machines, one of them behind a virtual cable: TCP with keys, host names, and a cable that is cut."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from code.common.paths import engine_dir
from code.run.nodes import environment
from tests.e2e import two_machines
from tests.e2e.test_nodes import FAULT_S, INSTALLED, LONG, SIMULATED, TINY, Run, metadata, running
from tests.e2e.two_machines import SECOND, Machines
from tests.unit.test_nodes import job

__all__ = ["running"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.full,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not INSTALLED, reason="Ray is not installed; run `make cluster`"),
]


def empty_engines() -> Path:
    """The folder of engines, which the second machine has empty."""
    engine_dir().mkdir(parents=True, exist_ok=True)
    return engine_dir()


@pytest.fixture
def machines(project: Path, tmp_path: Path) -> Iterator[Machines]:
    python = environment.python()
    why = two_machines.missing(project, python)
    if why:
        pytest.skip(why)
    with two_machines.machines(python, tmp_path, empty_engines()) as found:
        yield found


def test_a_node_on_this_machine_and_one_on_another_make_one_result(machines: Machines, running: Callable[..., Run]) -> None:
    words = ("--benchmarks=bert", "--scenarios=offline", f"--ray_address={machines.address}", "--nodes=2", *SIMULATED)
    run = running(*words, "--min_duration=5000")
    printed = run.end()
    assert run.process.returncode == 0, printed
    found = metadata(run.folder)["nodes"]
    assert found["number_of_nodes"] == 2
    reached = {one["host"] == SECOND: one["reached"] for one in found["nodes"]}
    assert reached == {True: "TCP, encrypted", False: "Unix sockets"}
    assert all(one["samples"] > 0 and "network_share" in one for one in found["nodes"])
    telemetry = [one["telemetry"] for one in found["nodes"]]
    assert all(one["readings"] > 10 and (run.folder.rglob(one["file"])) for one in telemetry)
    assert not machines.left("--serve") and not list(Path("/tmp").glob("mlperf-sockets-*"))


def test_an_engine_that_the_other_machine_lacks_is_copied_there(machines: Machines, running: Callable[..., Run]) -> None:
    words = ("--benchmarks=bert", "--scenarios=offline", f"--ray_address={machines.address}", "--nodes=2", *TINY)
    asked = running(*words, action="nodes", folder="asked")
    printed = asked.end()
    assert asked.process.returncode == 0 and f"node {SECOND}: a run copies bert-" in printed, printed
    run = running(*words, "--min_duration=1000", "--offline_expected_qps=500")
    printed = run.end()
    assert run.process.returncode == 0 and "copying 1 engine to 1 of 2 nodes" in printed, printed
    assert all(one["samples"] > 0 for one in metadata(run.folder)["nodes"]["nodes"])


def model_difference(asked: Run) -> str:
    """How the model of the second machine differs, by `make nodes --json`."""
    text = asked.end()
    (found,) = json.loads(text[text.index("[") :])
    return str(next(one["how"] for one in found["differences"] if (one["node"], one["what"]) == (SECOND, "model")))


def require_another(printed: str, status: int | None) -> None:
    """A run ends with one line. The tiny models are files of the checkout: where it has no other changes, the commit is named first."""
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert status == 3 and errors in ([f"error: node {SECOND}: another {what}"] for what in ("model", "commit")), printed


def test_another_model_on_a_machine_is_named_with_both_digests(
    project: Path, tmp_path: Path, running: Callable[..., Run]
) -> None:
    python = environment.python()
    if why := two_machines.missing(project, python):
        pytest.skip(why)
    words = ("--benchmarks=bert", "--scenarios=offline", *TINY)
    built = running(*words, action="generate_engines", folder="built")
    assert built.end() is not None and built.process.returncode == 0
    model = job("--precision=fp32", "--backend=openvino").graph
    with two_machines.machines(python, tmp_path, empty_engines(), Path(model)) as found:
        run = running(*words, f"--ray_address={found.address}", "--nodes=2")
        printed = run.end()
        how = model_difference(
            running(*words, f"--ray_address={found.address}", "--nodes=2", "--json", action="nodes", folder="asked")
        )
    require_another(printed, run.process.returncode)
    digest = hashlib.sha256(b"other").hexdigest()[:16]
    assert how.startswith(f"it is {digest}, here ") and "here none" not in how


def test_a_machine_that_is_cut_off_ends_the_run_with_its_name(machines: Machines, running: Callable[..., Run]) -> None:
    words = ("--benchmarks=bert", "--scenarios=server", f"--ray_address={machines.address}", "--nodes=2", *LONG)
    run = running(*words)
    run.wait_for(run.computing)
    machines.cut()
    start = time.monotonic()
    printed = run.end(FAULT_S + 60)
    took = time.monotonic() - start
    machines.join()
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert run.process.returncode == 4 and errors == [f"error: node {SECOND} was lost"], printed
    assert "has not answered" in printed and took < FAULT_S, (took, printed)
    assert list(run.folder.rglob("INCOMPLETE"))
    end = time.monotonic() + 60
    while machines.left("--serve") and time.monotonic() < end:
        time.sleep(0.5)
    assert not machines.left("--serve"), "a harness process of a node is left"
