"""Text generators over nodes of real local Ray clusters: one machine's texts, and every way that a node fails. Needs `make cluster`."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from code.benchmarks.gptj import tiny as gptj
from code.benchmarks.llama3_1_8b import tiny as llama
from code.run.nodes import environment
from tests.e2e import two_machines
from tests.e2e.test_nodes import FAULT_S, INSTALLED, Run, accuracy_log, kill, metadata, require_nothing_left, running
from tests.e2e.test_nodes_of_two_machines import empty_engines, require_another
from tests.e2e.two_machines import SECOND

__all__ = ["running"]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.full,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not INSTALLED, reason="Ray is not installed; run `make cluster`"),
]
COUNT = 150
TINY: dict[str, Any] = {"gptj": gptj, "llama3.1-8b": llama}
"""Benchmark → its tiny model and the maker of its articles."""


def words_of(benchmark: str, folder: Path) -> tuple[str, ...]:
    """The options of a run of the tiny model with few articles."""
    articles, model = folder / f"{benchmark}.json", TINY[benchmark].MODEL
    if not articles.exists():
        TINY[benchmark].generate_eval(articles, COUNT)
    given = (f"--cnndm_source={articles}", f"--model_path={model}", f"--vocab_path={model}", "--accuracy_reference=0.0")
    return (f"--benchmarks={benchmark}", "--share_devices", "--backend=openvino_genai", "--precision=fp32", *given)


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("articles")


@pytest.fixture(scope="module")
def long(articles: Path) -> tuple[str, ...]:
    """The options of an Offline run that goes on for minutes."""
    return (*words_of("gptj", articles), "--scenarios=offline", "--offline_expected_qps=60", "--min_duration=180000")


@pytest.mark.parametrize(
    ("benchmark", "nodes", "words"),
    [("gptj", 2, ("--num_beams=4",)), ("gptj", 4, ("--num_beams=1",)), ("llama3.1-8b", 2, ())],
    ids=["GPT-J, four beams", "GPT-J, greedy, four nodes", "Llama"],
)
def test_the_texts_are_those_of_one_machine(
    benchmark: str, nodes: int, words: tuple[str, ...], articles: Path, running: Callable[..., Run]
) -> None:
    """LoadGen's log of all answers is byte for byte the same, but for the order in which they came, and so are the scores."""
    asked = (*words_of(benchmark, articles), "--scenarios=offline", "--test_mode=AccuracyOnly", *words)
    logs, scores = [], []
    for name, more in (("alone", ()), ("nodes", (f"--ray_address=local:{nodes}",))):
        run = running(*asked, *more, folder=name)
        printed = run.end()
        assert run.process.returncode == 0, printed
        logs.append(accuracy_log(run.folder))
        (file,) = run.folder.rglob("accuracy.json")
        scores.append(json.loads(file.read_text()))
    assert logs[0] == logs[1] and len([line for line in logs[0] if "qsl_idx" in line]) == COUNT
    assert scores[0] == scores[1] and scores[0]["ROUGE1"] > 50
    found = metadata(run.folder)["nodes"]
    assert len(found["nodes"]) == nodes and sum(one["samples"] for one in found["nodes"]) == COUNT
    for one in found["nodes"]:
        assert one["samples"] > 0 and one["reached"] == "Unix sockets" and 0 <= one["network_share"] < 0.5
        assert one["telemetry"]["readings"]
    require_nothing_left([])


def test_first_tokens_come_from_the_nodes(articles: Path, running: Callable[..., Run]) -> None:
    words = ("--scenarios=server", "--server_target_qps=5", "--test_query_count=40", "--ray_address=local:2")
    run = running(*words_of("llama3.1-8b", articles), *words)
    printed = run.end()
    assert run.process.returncode == 0, printed
    assert all(one["samples"] > 5 for one in metadata(run.folder)["nodes"]["nodes"])
    (log,) = run.folder.rglob("mlperf_log_detail.txt")
    ttft = [line for line in log.read_text().splitlines() if '"result_first_token_99.00_percentile_latency_ns"' in line]
    assert len(ttft) == 1 and 0 < json.loads(ttft[0].partition(" ")[2])["value"] < 60e9
    require_nothing_left([])


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
    fault: Callable[[Run], None], words: str, long: tuple[str, ...], running: Callable[..., Run]
) -> None:
    run = running(*long, "--ray_address=local:2")
    run.wait_for(run.computing)
    everything = run.processes()
    fault(run)
    start = time.monotonic()
    printed = run.end(FAULT_S + 30)
    assert run.process.returncode == 4, printed
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "node " in errors[0] and "was lost" in errors[0] and words in printed, printed
    assert time.monotonic() - start < FAULT_S
    assert list(run.folder.rglob("INCOMPLETE"))
    require_nothing_left(everything)


def test_an_interrupted_run_leaves_nothing(long: tuple[str, ...], running: Callable[..., Run]) -> None:
    run = running(*long, "--ray_address=local:2")
    run.wait_for(run.computing)
    everything = run.processes()
    run.process.send_signal(signal.SIGINT)
    run.end(FAULT_S)
    assert run.process.returncode == 130
    require_nothing_left(everything)


def test_another_model_on_a_machine_is_named_and_texts_travel_encrypted(
    project: Path, tmp_path: Path, articles: Path, running: Callable[..., Run]
) -> None:
    python = environment.python()
    if why := two_machines.missing(project, python):
        pytest.skip(why)
    first, second = tmp_path / "first", tmp_path / "second"  # of each cluster's words
    first.mkdir()
    second.mkdir()
    asked = (*words_of("gptj", articles), "--scenarios=offline", "--test_mode=AccuracyOnly")
    with two_machines.machines(python, first, empty_engines()) as found:
        run = running(*asked, f"--ray_address={found.address}", "--nodes=2", folder="equal")
        printed = run.end()
        assert run.process.returncode == 0 and "copying 1 engine to 1 of 2 nodes" in printed, printed
    reached = {one["host"] == SECOND: one["reached"] for one in metadata(run.folder)["nodes"]["nodes"]}
    assert reached == {True: "TCP, encrypted", False: "Unix sockets"}
    with two_machines.machines(python, second, empty_engines(), gptj.MODEL / "config.json") as found:
        run = running(*asked, f"--ray_address={found.address}", "--nodes=2", folder="changed")
        printed = run.end()
    require_another(printed, run.process.returncode)
