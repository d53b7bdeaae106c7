"""Service-time models: what they are made from, and that they are found again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from code.actions import Context, list_models
from code.common.errors import MissingError, UsageError
from code.plan.request import parse
from code.rules.benchmarks import facts_of
from code.run import service_model
from code.systems.prediction import predict
from tests.run_documents import SEQUENCE, SIMULATED, document, engine


def log_of(streams: int, devices: int, fixed: float, unit: float, batches: int = 400) -> np.ndarray:
    """A batch log of devices that share their time among their streams: float64 [batches, 5]."""
    draw = np.random.default_rng(0)
    rows = []
    for device in range(devices):
        free = 0.0
        ends = [0.0] * streams
        for number in range(batches):
            samples, longest = int(draw.integers(1, 17)), int(draw.integers(32, 385))
            begin = ends[number % streams]
            free = max(free, begin) + fixed + unit * samples * longest
            ends[number % streams] = free
            rows.append((begin, free, samples, longest, device))
    return np.array(sorted(rows, key=lambda row: row[1]))


def shared_log(streams: int) -> np.ndarray:
    """A batch log of one processor whose streams compute at once, each at its share of the speed."""
    draw = np.random.default_rng(1)
    rows = []
    for _ in range(streams):
        at = float(draw.uniform(0, 0.01))
        for _ in range(300):
            samples, longest = int(draw.integers(1, 17)), int(draw.integers(32, 385))
            end = at + streams * (0.002 + 1e-5 * samples * longest)
            rows.append((at, end, samples, longest))
            at = end
    return np.array(sorted(rows, key=lambda row: row[1]))


def run_folder(folder: Path, backend: str = "openvino", batches: int = 400) -> Path:
    run = folder / "2026.01.01-00.00.00" / "CPU_x86_64" / "bert-99" / "Offline"
    run.mkdir(parents=True)
    np.save(run / "batches.npy", log_of(1, 1, 0.002, 1e-5, batches))
    content = document(SEQUENCE, engine(backend, SIMULATED if backend == "simulated" else {}))
    content["devices"] = content["devices"][:1]
    (run / "run.json").write_text(json.dumps(content))
    return run


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    return tmp_path


@pytest.mark.parametrize(("streams", "devices"), [(1, 1), (2, 1), (4, 1), (2, 3)])
def test_times_are_found_in_a_batch_log_however_many_streams_overlap(streams: int, devices: int) -> None:
    log = log_of(streams, devices, 0.002, 1e-5)
    times, at_once = service_model.attributed(log, devices, streams)
    assert at_once == 1
    fixed, unit = service_model.fitted(log[:, 2] * log[:, 3], times)
    mean = float(np.mean(log[:, 2] * log[:, 3]))
    assert fixed + unit * mean == pytest.approx(0.002 + 1e-5 * mean, rel=0.02)
    assert unit == pytest.approx(1e-5, rel=0.05)


def test_a_log_without_devices_tells_the_mean_time_of_several() -> None:
    log = log_of(2, 3, 0.002, 1e-5)[:, :4]
    times, at_once = service_model.attributed(log, 3, 2)
    fixed, unit = (value / at_once for value in service_model.fitted(log[:, 2] * log[:, 3], times))
    mean = float(np.mean(log[:, 2] * log[:, 3]))
    assert fixed + unit * mean == pytest.approx(0.002 + 1e-5 * mean, rel=0.02)


@pytest.mark.parametrize("streams", [2, 4])
def test_streams_that_compute_at_once_have_times_of_their_own(streams: int) -> None:
    log = shared_log(streams)
    times, at_once = service_model.attributed(log, 1, streams)
    assert at_once == streams
    fixed, unit = (value / streams for value in service_model.fitted(log[:, 2] * log[:, 3], times))
    mean = float(np.mean(log[:, 2] * log[:, 3]))
    # At the end, where some streams have no more batches, the log's maker does not let the others compute faster.
    assert fixed + unit * mean == pytest.approx(0.002 + 1e-5 * mean, rel=0.08)
    assert unit == pytest.approx(1e-5, rel=0.15)


def test_a_thinned_log_has_the_same_times(build: Path) -> None:
    run = run_folder(build, batches=4000)
    log = np.load(run / "batches.npy")
    np.save(run / "batches.npy", log[::4])
    share = {
        "index": 0,
        "name": "",
        "samples": int(np.sum(log[:, 2])),
        "batches": 4000,
        "busy_s": log[-1, 1],
        "elapsed_s": log[-1, 1],
    }
    (run / "devices.json").write_text(json.dumps([share]))
    assert service_model.of_run(run).time_us(8.5, 208) == pytest.approx(1e6 * (0.002 + 1e-5 * 8.5 * 208), rel=0.03)


def test_times_are_never_below_zero() -> None:
    assert service_model.fitted(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 5.0]))[0] == 0
    assert service_model.fitted(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0]))[1] == 0
    assert service_model.fitted(np.array([4.0, 4.0]), np.array([2.0, 2.0])) == (0.0, 0.5)


def test_full_batches_reach_the_predicted_rate_and_one_sample_takes_longer_than_its_share() -> None:
    found = predict("bert-99", "Offline", "H100_SXM_80GB", 8)
    assert found is not None
    facts = facts_of("bert")
    model = service_model.of_prediction("name", found, 8, 1024, facts, "bert-99")
    lengths = facts.length_spread
    mean = sum(lengths) / len(lengths)
    assert 8 * model.rate(1024, lengths) == pytest.approx(found.rate)
    assert model.time_us(1, mean) > 1.9 * 8e6 / found.rate
    assert model.fast < 1 < model.slow
    table = model.table(1024, lengths, factor=2.0)
    assert table["microseconds"][1][0] == pytest.approx(2 * model.time_us(1024, min(lengths)), rel=1e-6)


def test_nothing_is_learned_of_a_folder_without_a_batch_log(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no batch log"):
        service_model.of_run(tmp_path)


def test_a_run_becomes_a_model_that_is_kept(build: Path) -> None:
    model = service_model.named(str(run_folder(build)))
    assert (model.benchmark, model.kind) == ("bert-99", "run")
    assert model.time_us(8.5, 208) == pytest.approx(1e6 * (0.002 + 1e-5 * 8.5 * 208), rel=0.03)
    assert service_model.kept() == [model]
    assert "400 batches" in model.source
    assert (model.fast, model.slow) == pytest.approx((math.exp(-0.1), math.exp(0.1)))


def in_a_row(lengths: list[int], seconds: list[float]) -> np.ndarray:
    """A log of one lane's batches of 8 samples, one after the other."""
    ends = np.cumsum(seconds)
    return np.array([[end - each, end, 8, length, 0] for end, each, length in zip(ends, seconds, lengths, strict=True)])


def test_the_interval_is_of_how_even_a_log_is_not_of_the_order_of_its_lengths(build: Path) -> None:
    run, lengths = run_folder(build), [*range(384, 34, -1)]
    curved = [1e-5 * 8 * length * (1 + length / 400) for length in lengths]  # that no model has, and longest first
    np.save(run / "batches.npy", in_a_row(lengths, curved))
    assert service_model.of_run(run).slow == pytest.approx(math.exp(0.1))
    uneven = [1e-5 * 8 * length * (1.0 if number // 5 % 2 else 1.5) for number, length in enumerate(lengths)]
    np.save(run / "batches.npy", in_a_row(lengths, uneven))
    model = service_model.of_run(run)
    assert model.slow == pytest.approx(1.5, rel=0.05) and model.fast == pytest.approx(1 / 1.5, rel=0.05)


def test_single_samples_take_what_the_probe_measured_of_them(build: Path) -> None:
    run = run_folder(build)
    (run / "metadata.json").write_text(json.dumps({"engine_alone": {"singles_per_second": 50.0}}))
    model = service_model.of_run(run)
    log = np.load(run / "batches.npy")
    samples, work = float(np.sum(log[:, 2])), float(np.sum(log[:, 2] * log[:, 3]))
    assert model.time_us(1, work / samples) == pytest.approx(1e6 / 50)
    assert model.time_us(float(np.mean(log[:, 2])), work / samples) == pytest.approx(1e6 * (0.002 + 1e-5 * work / 400), rel=0.01)


@pytest.mark.parametrize("odd", [{}, {"engine_alone": []}, {"engine_alone": {"singles_per_second": "5"}}, {"engine_alone": {}}])
def test_what_a_run_does_not_tell_of_single_samples_is_taken_from_its_batches(build: Path, odd: object) -> None:
    run = run_folder(build)
    alone = service_model.of_run(run)
    (run / "metadata.json").write_text(json.dumps(odd))
    assert service_model.of_run(run) == alone


@pytest.mark.parametrize(("backend", "batches", "words"), [("simulated", 400, "was simulated"), ("openvino", 3, "has 3 batches")])
def test_runs_that_show_nothing_are_refused(build: Path, backend: str, batches: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        service_model.of_run(run_folder(build, backend, batches))


def test_a_kept_model_is_found_by_its_name_and_listed(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = predict("bert-99", "Offline", "L4", 1)
    assert found is not None
    model = service_model.of_prediction("L4x1-bert-99", found, 1, 16, facts_of("bert"), "bert-99")
    service_model.keep(model)
    assert service_model.named("L4x1-bert-99") == model
    assert list_models.run(Context(parse(["--action=list_models"], {}))) == 0
    assert "public results" in capsys.readouterr().out
    with pytest.raises(UsageError, match="L4x1-bert-9'"):
        service_model.named("L4x1-bert-9")


def test_a_file_that_is_no_model_costs_itself(build: Path) -> None:
    folder = build / "build" / "service_models"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text('{"name": "b"}')
    said: list[str] = []
    assert service_model.kept(said.append) == []
    assert len(said) == 2 and "b.json has no benchmark" in said[1]
