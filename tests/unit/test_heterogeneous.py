"""Heterogeneous runs: devices of each workload, neighbours in steady state, what ran beside a result, and neighbours that die."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.common.errors import RunError, UsageError
from code.common.notices import Notices
from code.harness.python.background import Load
from code.harness.python.sut import Counts
from code.plan.request import parse
from code.run import device_lock, launch, loadgen_run, mixed
from code.run.company import Companion, Company
from code.run.job import Job
from code.run.neighbours import beside

CAPTURES = Path(__file__).resolve().parents[1] / "captures"


def parts(*words: str) -> list[Job]:
    words = (*words, "--dry_run") if any("capture" in word for word in words) else words
    return mixed.jobs(parse(["--action=run_heterogeneous", "--model_variant=tiny", *words], {}), Notices())


def cores(jobs: Sequence[Job]) -> list[list[tuple[int, ...]]]:
    return [[device.cores for device in job.placement.devices] for job in jobs]


def test_two_workloads_share_the_cores() -> None:
    found = parts("--main=bert:Offline", "--background=3d-unet:Offline", f"--capture={CAPTURES / 'cpu_x86_64.json'}")
    (main,), (other,) = cores(found)
    assert main and other and not set(main) & set(other) and abs(len(main) - len(other)) <= 2
    assert [job.label for job in found] == ["bert-99 Offline", "3d-unet-99 Offline"]


def test_numa_nodes_are_shared_where_there_are_enough() -> None:
    found = parts(
        "--main=bert:Offline",
        "--background=3d-unet:Offline",
        f"--capture={CAPTURES / 'epyc_9755_nps4.json'}",
        "--backend=openvino",
    )
    assert [[device.number for device in job.placement.devices] for job in found] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_gpus_and_slices_are_shared() -> None:
    words = ("--main=bert:Offline", "--background=3d-unet:Offline,bert:Server", "--system=A100_SXM4_40GBx8", "--backend=tensorrt")
    found = parts(*words, f"--capture={CAPTURES / 'standard_nd96asr_v4.json'}")
    assert [[device.number for device in job.placement.devices] for job in found] == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_devices_are_named_for_each() -> None:
    found = parts("--main=bert:Offline@1", "--background=3d-unet:SingleStream@0")
    assert cores(found) == [[(1,)], [(0,)]]
    assert [job.placement.streams for job in found] == [1, 1]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--main=bert:Offline"], "--background is missing"),
        (["--background=bert:Offline"], "--main is missing"),
        (["--main=bert", "--background=bert:Offline"], "--main=bert cannot be read"),
        (["--main=bert:Offline@0", "--background=bert:Offline@0"], "are both on"),
        (["--main=bert:Offline@0", "--background=bert:Offline"], "some workloads have devices"),
        (["--main=bert:Offline@0", "--background=brt:Offline@1"], "unknown benchmark 'brt'"),
        (["--main=bert:Offline@0", "--background=bert:Offline@7777"], "not available"),
        (["--main=bert:Offline@0", "--background=bert:Offline@1", "--backend=simulated"], "cannot run beside"),
        (["--main=bert:Offline@0", "--background=bert:Offline@1", "--use_triton"], "cannot run beside"),
        (
            ["--main=bert:Offline", f"--background={','.join(['bert:Offline'] * 9)}", f"--capture={CAPTURES}/cpu_x86_64.json"],
            "do not fit",
        ),
    ],
)
def test_what_cannot_run_beside_is_refused(words: list[str], what: str) -> None:
    with pytest.raises(UsageError) as caught:
        parts(*words)
    assert what in caught.value.what


# ── the load ─────────────────────────────────────────────────────────────────────────────────


class System:
    """Answers at once, and remembers what it was asked."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.queries: list[list[int]] = []

    def issue(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        assert len(set(ids)) == len(indices)
        if len(self.queries) > 40:
            threading.Event().wait()  # enough for a test; its thread would ask for ever
        self.counts.issued += len(ids)
        self.queries.append(list(indices))
        self.counts.completed += len(ids)


@pytest.mark.parametrize(("scenario", "size"), [("Offline", 40), ("Server", 1), ("SingleStream", 1), ("MultiStream", 8)])
def test_the_load_asks_as_its_scenario_does(scenario: str, size: int) -> None:
    system = System()
    Load(scenario, system.issue, lambda: system.counts, np.arange(100, 140), rate=5000.0, per_query=8).start()
    until = time.monotonic() + 5
    while len(system.queries) < 20 and time.monotonic() < until:
        time.sleep(0.01)
    asked = system.queries[:20]
    assert len(asked) == 20 and all(len(query) == size and set(query) <= set(range(100, 140)) for query in asked)
    if scenario == "Offline":
        assert all(sorted(query) == list(range(100, 140)) for query in asked) and asked[0] != asked[1]


# ── neighbours ───────────────────────────────────────────────────────────────────────────────


Script = Callable[[Callable[[Mapping[str, Any]], None], threading.Event], None]


def answering(take: Callable[[Mapping[str, Any]], None], ended: threading.Event) -> None:
    number = 0
    while not ended.wait(0.01):
        number += 5
        take({"phase": "run", "completed": number, "elapsed_s": 10 + number / 100})


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Neighbours without processes: `script` is what one does until it is ended."""
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    monkeypatch.setenv(device_lock.FOLDER_VARIABLE, str(tmp_path / "locks"))
    setting: dict[str, Any] = {"script": answering, "ended": []}

    def background(spec: Any, take: Any, place: Any) -> None:
        ended = threading.Event()
        process = SimpleNamespace(terminate=ended.set, kill=ended.set)
        place._of = SimpleNamespace(start=lambda *_: process)
        place.start([], None, 0, {})
        try:
            setting["script"](take, ended)
        finally:
            setting["ended"].append(spec)

    monkeypatch.setattr(loadgen_run, "background_spec", lambda job, folder: job.label)
    monkeypatch.setattr(launch, "background", background)
    yield setting


def job(label: str = "3d-unet-99 Offline", device: str = "node 1") -> Any:
    placement = SimpleNamespace(devices=[SimpleNamespace(name=device)], streams=2)
    workload = SimpleNamespace(full_name=label.split()[0], scenario="Offline")
    return SimpleNamespace(label=label, placement=placement, workload=workload, backend=SimpleNamespace(computes=True))


class Main:
    """A main workload whose test takes a while, or fails when its process is ended."""

    def __init__(self, seconds: float = 0.3) -> None:
        self.seconds, self.place, self.company = seconds, SimpleNamespace(start=self._started), None
        self._ended = threading.Event()

    def _started(self, *_: Any) -> Any:
        return SimpleNamespace(terminate=self._ended.set, kill=self._ended.set)

    def test(self, _mode: str, _folder: Path, _label: str) -> Any:
        self.place.start([], None, 0, {})
        if self._ended.wait(self.seconds):
            raise RunError("the harness exited: killed by signal 15")
        return "log"


def test_a_main_test_has_neighbours_for_all_of_its_time(stage: dict[str, Any], tmp_path: Path) -> None:
    main: Any = Main()
    with beside([job(), job("gptj-99 Server", "node 2")], "bert-99 Offline") as found:
        assert all(one.steady for one in found.all)
        log: Any = found.test(main, "PerformanceOnly", tmp_path, "bert-99 Offline")
        assert log == "log"
        assert stage["ended"] == []
    assert len(stage["ended"]) == 2 and list((tmp_path / "neighbours").iterdir()) == []
    company = main.company
    assert [one.label for one in company.companions] == ["3d-unet-99 Offline", "gptj-99 Server"]
    assert all(one.samples > 0 and len(one.devices) == 1 for one in company.companions)


def test_a_neighbour_that_dies_ends_the_main_test_with_its_name(stage: dict[str, Any], tmp_path: Path) -> None:
    died = threading.Event()

    def dying(take: Any, ended: threading.Event) -> None:
        take({"phase": "run", "completed": 100, "elapsed_s": 10.0})
        died.wait(5)
        raise RunError("device node 1: out of memory", "the runtime said so")

    stage["script"] = dying
    main: Any = Main(seconds=20)
    start = time.monotonic()
    with pytest.raises(RunError) as caught, beside([job()], "bert-99 Offline") as found:
        threading.Timer(0.2, died.set).start()
        found.test(main, "PerformanceOnly", tmp_path, "bert-99 Offline")
    assert time.monotonic() - start < 10 and main.company is None
    assert "3d-unet-99 Offline ended during the main test" in caught.value.what and "out of memory" in caught.value.why
    assert list((tmp_path / "neighbours").iterdir())  # its output stays


def test_a_neighbour_that_dies_before_is_named(stage: dict[str, Any]) -> None:
    def failing(_take: Any, _ended: threading.Event) -> None:
        raise RunError("the engine does not load", "no such file")

    stage["script"] = failing
    with (
        pytest.raises(RunError, match="3d-unet-99 Offline ended before it was in steady state") as caught,
        beside([job()], "main"),
    ):
        pass
    assert "no such file" in caught.value.why


def test_a_neighbour_that_hangs_is_no_neighbour(stage: dict[str, Any], tmp_path: Path) -> None:
    def hanging(take: Any, ended: threading.Event) -> None:
        take({"phase": "run", "completed": 100, "elapsed_s": 10.0})
        ended.wait(20)

    stage["script"] = hanging
    with pytest.raises(RunError, match="answered nothing during the main test"), beside([job()], "main") as found:
        found.test(Main(), "PerformanceOnly", tmp_path, "main")  # type: ignore[arg-type]


def test_a_neighbour_in_the_middle_of_a_long_sample_is_one(stage: dict[str, Any], tmp_path: Path) -> None:
    def slow(take: Any, ended: threading.Event) -> None:
        calls = 0
        while not ended.wait(0.01):
            calls += 1
            take({"phase": "run", "completed": 0, "answers": calls, "elapsed_s": 10.0})

    stage["script"] = slow
    main: Any = Main()
    with beside([job()], "main") as found:
        found.test(main, "PerformanceOnly", tmp_path, "main")
    assert [one.samples for one in main.company.companions] == [0]


def test_neighbours_end_when_the_main_workload_fails(stage: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), beside([job()], "main"):
        raise ZeroDivisionError
    assert len(stage["ended"]) == 1


def test_a_steady_state_takes_its_time(stage: dict[str, Any]) -> None:
    seen = []

    def slow(take: Any, ended: threading.Event) -> None:
        for elapsed, completed in ((0.5, 100), (4.9, 100), (6.0, 3)):
            take({"phase": "warmup"})
            take({"phase": "run", "completed": completed, "elapsed_s": elapsed})
            seen.append(elapsed)
            time.sleep(0.1)
        take({"phase": "run", "completed": 4, "elapsed_s": 7.0})
        ended.wait(5)

    stage["script"] = slow
    with beside([job()], "main") as found:
        assert seen == [0.5, 4.9, 6.0] and found.all[0].completed == 4


# ── the price ────────────────────────────────────────────────────────────────────────────────


def company(alone: float | None) -> Company:
    return Company((Companion("3d-unet-99 Offline", ("node 1",), 30, 10.0),), None if alone is None else (alone, "logs"))


def test_the_price_of_neighbours() -> None:
    assert company(100.0).price(90.0, "Offline") == pytest.approx(0.1)
    assert company(1e6).price(1.25e6, "SingleStream") == pytest.approx(0.2)
    assert "its neighbours cost 10.0 %" in company(100.0).price_words(90.0, "Offline")
    assert "cost nothing" in company(100.0).price_words(110.0, "Offline")
    assert company(None).price(90.0, "Offline") is None and company(None).price_words(90.0, "Offline") == ""
    content = company(100.0).as_json(90.0, "Offline")
    assert content["price"] == pytest.approx(0.1) and content["neighbours"][0]["samples_per_second"] == 3.0


def test_a_result_says_what_ran_beside_it() -> None:
    from code.run.identity import run_identity

    workload = parts("--main=bert:Offline@0", "--background=3d-unet:Offline@1")[0].workload
    from code.backends.base import backend

    words = company(None).words()
    found = run_identity(workload, "PerformanceOnly", backend("openvino"), 10833, "", words)
    assert "_HeteroMultiUse" in found.system_name and "beside 3d-unet-99 Offline on node 1" in found.extras["division_note"]
    assert "open division only" in found.extras["division_note"]


def test_the_page_of_a_result_says_it_too() -> None:
    from code.results.page.beside import part

    content = {"scenario": "Offline", "beside": company(100.0).as_json(90.0, "Offline")}
    html = part(json.loads(json.dumps(content)))
    assert "3d-unet-99 Offline" in html and "its neighbours cost 10.0%" in html and "100 samples/s alone" in html
    assert part({"scenario": "Offline"}) == "" == part({"scenario": "Offline", "beside": "x"})


# ── the guides' command ──────────────────────────────────────────────────────────────────────


def words(*options: str) -> list[str]:
    from scripts import launch_heterogeneous_mig as command

    return command.run_args(command.parsed(["--main_benchmark=bert", "--main_scenario=offline", *options]))


def test_the_guides_command_is_translated() -> None:
    assert words() == ["--main=bert:offline", "--background=3d-unet:Offline,gptj:Server"]
    asked = words(
        "--background_benchmarks=3d-unet,gptj", "--start_time_buffer=600000", "--main_benchmark_args=--min_duration=1 --fast"
    )
    assert asked[1:] == ["--background=3d-unet:Offline,gptj:Server", "--start_time_buffer=600000", "--min_duration=1", "--fast"]
    for wrong in ("--main_action=run_audit_test01", "--background_benchmarks=none"):
        with pytest.raises(ValueError, match=r"beside|background"):
            words(wrong)
