"""`make tune`: the search finds, remembers and goes on; a rate is bracketed; the class is written where it stands."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from code.actions import tune
from code.common.errors import MissingError, RunError, UsageError
from code.common.notices import Notices
from code.plan.request import parse
from code.plan.workload import Workload, build
from code.run.job import Job
from code.run.server_rate import highest_valid, near_prediction
from code.run.settings import user_conf
from code.telemetry import processors
from code.telemetry.source import Source
from code.tuning import config_class, measure
from code.tuning.limits import Limits, TooMuchPowerError, drawn_watts, within
from code.tuning.space import point_of, search_space, values_of
from code.tuning.surrogate import NOISE, Known, Surrogate, noise_of

SPACE = {"cpu_inference_streams": [1, 2], "cpu_batch_size": [1, 2, 4, 8]}


def workload(scenario: str) -> Workload:
    (found,), failed = build(parse(["--action=tune", "--benchmarks=bert", f"--scenarios={scenario}", "--system=CPU_x86_64"], {}))
    assert not failed
    return found


@pytest.mark.parametrize("limit", [3.0, 40.0, 61.0, 99.0])
def test_the_highest_valid_rate_is_found_to_a_fiftieth(limit: float) -> None:
    asked: list[float] = []

    def is_valid(rate: float) -> bool:
        asked.append(rate)
        return rate <= limit

    found = highest_valid(100.0, is_valid)
    assert found is not None and limit - 2.0 <= found <= limit and len(asked) < 14


@pytest.mark.parametrize("limit", [3.0, 40.0, 61.0, 70.0, 72.0, 99.0, 200.0])
def test_a_rate_near_its_prediction_takes_few_runs(limit: float) -> None:
    asked: list[float] = []

    def is_valid(rate: float) -> bool:
        asked.append(rate)
        return rate <= limit

    found = near_prediction(71.0, 100.0, is_valid)
    assert found is not None and min(limit, 100.0) * 0.98 <= found <= limit
    assert len(asked) <= (4 if abs(limit / 71.0 - 1) < 0.04 else 16)


def test_no_rate_below_the_floor_is_tried_from_a_prediction() -> None:
    asked: list[float] = []

    def is_valid(rate: float) -> bool:
        asked.append(rate)
        return False

    assert near_prediction(50.0, 100.0, is_valid, least=20.0) is None
    assert asked[0] == 50.0 and asked[-1] == 20.0 and min(asked) == 20.0


def test_a_search_goes_where_measurements_and_the_model_promise_most() -> None:
    space = {"cpu_inference_streams": [1, 2, 4], "cpu_batch_size": [1, 2, 4, 8, 16, 32]}

    def rate(point: dict[str, Any]) -> float:
        return (
            100.0
            * point["cpu_inference_streams"]
            * (1 if point["cpu_inference_streams"] < 4 else 0.4)
            * point["cpu_batch_size"]
            / (4 + point["cpu_batch_size"] + 0.05 * point["cpu_batch_size"] ** 2)
        )

    best = max(rate(point) for point in Surrogate(space, True).points)
    for predicted, most in ((None, 9), (lambda point: point["cpu_batch_size"] / (4 + point["cpu_batch_size"]), 8)):
        surrogate = Surrogate(space, True, predicted)
        known = [Known(point := surrogate.first(), rate(point))]
        while max(one.value for one in known) < 0.98 * best:
            found = surrogate.next(known, [])
            assert found is not None
            known.append(Known(found.point, rate(found.point)))
        assert len(known) <= most, f"{len(known)} of {len(surrogate.points)} points"


def test_the_smallest_latency_is_found_and_what_failed_is_left_out() -> None:
    space = {"cpu_threads_per_stream": [1, 2, 4, 8]}
    surrogate = Surrogate(space, False)
    values = {1: 8.0, 2: 5.0, 4: 3.0}
    known = [Known({"cpu_threads_per_stream": threads}, value) for threads, value in values.items()]
    found = surrogate.next(known[:2], [])
    assert found is not None and found.point["cpu_threads_per_stream"] in (4, 8) and found.gain > 0
    assert surrogate.next(known, [{"cpu_threads_per_stream": 8}]) is None


def test_a_lucky_probe_among_bad_neighbours_is_not_the_best() -> None:
    surrogate = Surrogate({"cpu_batch_size": [1, 2, 4, 8, 16, 32, 64, 128]}, True)
    values = {1: 90.0, 2: 89.0, 4: 90.5, 8: 104.0, 16: 91.0, 32: 99.0, 64: 103.5, 128: 101.0}
    probes = {8: 1, 64: 3}
    known = [Known({"cpu_batch_size": size}, value, probes.get(size, 1)) for size, value in values.items()]
    assert surrogate.best(known, noise=0.001).point == {"cpu_batch_size": 8}, "without noise every measurement counts"
    assert surrogate.best(known, noise=0.1).point["cpu_batch_size"] > 16
    lowest = Surrogate({"cpu_batch_size": [1, 2, 4, 8, 16, 32, 64, 128]}, False)
    assert lowest.best(known, noise=0.1).point["cpu_batch_size"] < 8


def test_noise_is_learned_from_points_that_were_probed_again() -> None:
    assert noise_of([]) == noise_of([[5.0]]) == pytest.approx(NOISE)
    draw = np.random.default_rng(0)
    repeated = [(100 * np.exp(draw.normal(0, 0.05, 3))).tolist() for _ in range(200)]
    assert noise_of(repeated) == pytest.approx(0.05, rel=0.1)
    assert noise_of([[100.0, 100.0, 100.0]]) < NOISE


def test_with_more_noise_less_is_known_of_the_neighbours() -> None:
    surrogate = Surrogate({"cpu_batch_size": [1, 2, 4, 8]}, True)
    known = [Known({"cpu_batch_size": 2}, 100.0), Known({"cpu_batch_size": 4}, 101.0)]
    quiet, loud = surrogate.next(known, [], 0.001), surrogate.next(known, [], 0.2)
    assert quiet is not None and loud is not None and loud.gain > quiet.gain


@pytest.mark.parametrize(
    ("scenario", "limits", "words"),
    [
        ("offline", {"p99_ms": 20.0}, "no latency to limit"),
        ("singlestream", {"p99_ms": 20.0}, "measure a median"),
        ("offline", {"max_power": 200.0}, "cannot be measured here"),
    ],
)
def test_limits_that_cannot_be_measured_are_refused(
    scenario: str, limits: dict[str, float], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors, "energy", lambda _watched: [])
    job = Job(workload(scenario), Notices())
    with pytest.raises((UsageError, MissingError)) as caught:
        Limits.of({"max_power": None, "p99_ms": None, **limits}, job)
    assert words in caught.value.why and caught.value.next_step


def test_power_is_the_sum_of_what_the_devices_drew() -> None:
    columns = {
        "gpu0/t": np.array([0.0, 1.0]),
        "gpu0/power_w": np.array([90.0, 290.0, 310.0, 110.0]),
        "gpu1/power_w": np.array([np.nan, 200.0]),
        "gpu0/energy_j_total": np.array([0.0, 5.0]),
    }
    assert drawn_watts(columns) == 500.0
    rapl = {"rapl/t": np.array([10.0, 11.0, 13.0]), "rapl/package0_energy_j_total": np.array([0.0, 10.0, 140.0])}
    assert drawn_watts(rapl) == 65.0


def test_more_power_than_allowed_is_an_error_of_the_point(monkeypatch: pytest.MonkeyPatch) -> None:
    joules = iter(range(0, 10**6, 500))
    source = Source("rapl", ("package0_energy_j_total",), lambda: [float(next(joules))])
    monkeypatch.setattr(processors, "energy", lambda _watched: [source])
    job = Job(workload("offline"), Notices())
    with pytest.raises(TooMuchPowerError, match="it drew"), within(Limits(power_w=1.0), job):
        time.sleep(0.02)
    with within(Limits(power_w=1e9), job):
        pass


def test_no_valid_rate_is_no_rate() -> None:
    assert highest_valid(100.0, lambda _rate: False) is None


def test_spaces_fit_their_scenario() -> None:
    offline = search_space(workload("offline"), "cpu")
    assert offline.keys() == {"cpu_inference_streams", "cpu_batch_size", "batch_padding"}
    assert search_space(workload("singlestream"), "cpu").keys() == {"cpu_threads_per_stream"}
    assert max(search_space(workload("multistream"), "cpu")["cpu_batch_size"]) == 8
    assert point_of(workload("offline"), offline) is not None, "the config's own values are in the space"


def measured(point: dict[str, Any]) -> float:
    if point["cpu_batch_size"] == 8:
        raise RunError("too much memory", "", "")
    return float(point["cpu_inference_streams"] * 10 + point["cpu_batch_size"])


def test_a_search_finds_the_best_remembers_and_tells_what_failed(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="Optuna is not installed; run `make tune`")
    from code.tuning.study import TURNS, Study

    told: list[str] = []
    first = {"cpu_inference_streams": 1, "cpu_batch_size": 2}
    seen: list[dict[str, Any]] = []

    def measure(point: dict[str, Any]) -> float:
        seen.append(point)
        return measured(point)

    Study(tmp_path / "s.log", SPACE, True).search(3, first, measure, told.append)
    assert seen[0] == first
    again = Study(tmp_path / "s.log", SPACE, True)
    assert len(again.known()) + len(told) == 3
    why = again.search(8, first, measure, told.append)
    assert again.best() == ({"cpu_inference_streams": 2, "cpu_batch_size": 4}, 24.0)
    assert any("too much memory" in line for line in told)
    assert len(again.known()) == 6 or "expected to gain" in why
    times = Counter(tuple(sorted(point.items())) for point in seen if point["cpu_batch_size"] != 8)
    assert set(times.values()) <= {1, TURNS}, "a point that may be the best is probed again, and none in a later search"
    assert times[("cpu_batch_size", 4), ("cpu_inference_streams", 2)] == TURNS


CONFIG = """from configs.bert.Offline import *


@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
class CPU_x86_64(OfflineCPUBaseConfig):
    system = KnownSystem.CPU_x86_64
    cpu_batch_size = {
        "bert": 16,
    }
    precision: str = "fp32"  # kept


AFTER = 1
"""


def test_values_are_written_into_the_class_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "custom.py"
    path.write_text(CONFIG, encoding="utf-8")
    found = workload("offline")
    found = replace(found, config=replace(found.config, file=str(path), line=4))
    values = values_of(found, {"cpu_inference_streams": 2, "cpu_batch_size": 32})
    assert config_class.write_class(found, values) == path
    text = path.read_text(encoding="utf-8")
    assert text == CONFIG.replace('cpu_batch_size = {\n        "bert": 16,\n    }', "cpu_batch_size = {'bert': 32}").replace(
        "# kept\n", "# kept\n    cpu_inference_streams = 2\n"
    )
    pasted = config_class.class_text(found, values, "Tuned.")
    assert "class CPU_x86_64(OfflineCPUBaseConfig):" in pasted and "cpu_batch_size = {'bert': 32}" in pasted


def test_a_class_that_is_gone_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "custom.py"
    path.write_text("AFTER = 1\n", encoding="utf-8")
    found = workload("offline")
    with pytest.raises(RunError, match="not found"):
        config_class.write_class(replace(found, config=replace(found.config, file=str(path))), {"precision": "fp32"})


def test_a_rate_gets_the_queries_that_it_needs_to_be_valid() -> None:
    server = workload("server")
    assert measure.queries_needed(server) == 689, "459 without a late one, and half as many again"
    at = measure.at_rate(server, 20.0, 10.0)
    assert (at["min_query_count"], at["min_duration"], at["max_query_count"], at["fast"]) == (689, 10_000, 0, True)
    assert measure.at_rate(server, 5000.0, 10.0)["min_query_count"] == 5000
    conf = user_conf("Server", at.plain(), 100, 100, whole_passes=True)
    assert conf["sample_concatenate_permutation"] == 0, "whole passes over GPT-J's data take half an hour"
    assert conf["target_qps"] == 20.0, "server_target_qps_adj_factor is no part of a search"
    assert measure.lowest_rate(server) == pytest.approx(689 / measure.LONGEST_S)


def test_no_rate_is_tried_that_takes_too_long() -> None:
    asked: list[float] = []

    def is_valid(rate: float) -> bool:
        asked.append(rate)
        return False

    assert highest_valid(100.0, is_valid, least=20.0) is None
    assert asked == [75.0, 37.5, 20.0], "the floor is tried, and nothing below"


def test_an_engine_that_is_too_slow_to_search_is_an_error_before_any_run() -> None:
    context: Any = SimpleNamespace(request={"tune_duration": 10.0}, job=lambda _workload: pytest.fail("a run was made"))
    with pytest.raises(RunError, match="too few to search a Server rate") as caught:
        tune._server_rate(context, workload("server"), 1.0, 0.7, Limits(), Path("/none"))
    assert "689 queries" in caught.value.why


def test_the_logs_of_a_rate_are_kept(tmp_path: Path) -> None:
    seen: list[Path] = []

    def test(mode: str, folder: Path, label: str) -> Any:
        assert mode == "PerformanceOnly" and folder.is_dir() and "at 20.0 queries/s" in label
        seen.append(folder)
        raise RunError("the harness failed")

    job: Any = SimpleNamespace(test=test, label="bert-99 Server")
    for _ in range(2):
        with pytest.raises(RunError, match="failed"):
            measure.server_is_valid(job, 20.0, tmp_path / "runs")
    assert [folder.name for folder in seen] == ["20-queries-per-second", "20-queries-per-second.2"]
    assert all(folder.is_dir() for folder in seen)
