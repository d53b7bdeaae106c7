"""user.conf, batches and devices."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.fields.table import FIELDS
from code.harness.python.batcher import ArrivalQueue, by_length
from code.harness.python.datasets import open_dataset
from code.harness.python.devices import Device, bind_thread, bound, load_devices, usage
from code.harness.python.generation_sut import Generated
from code.harness.python.sut import Sut
from code.harness.schema.run_spec import DeviceEntry, RunSpec
from code.harness.schema.run_spec import parse as parse_run
from code.run.settings import conf_text, user_conf
from tests import run_documents as documents

LENGTHS = np.array([30, 384, 31, 200, 384, 30, 199, 30], dtype=np.int32)


def values(**changed: Any) -> dict[str, Any]:
    return {**{f.name: f.default for f in FIELDS}, **changed}


def test_user_conf_has_loadgens_keys_and_units() -> None:
    conf = user_conf(
        "Server", values(server_target_qps=100.0, server_target_latency_ns=130_000_000, min_duration=60_000), 10833, 10833
    )
    assert conf == {"target_qps": 100.0, "target_latency": 130, "min_duration": 60_000}
    assert "bert.Server.target_latency = 130\n" in conf_text("bert", "Server", conf)


def test_fields_of_another_scenario_stay_out() -> None:
    conf = user_conf("Offline", values(server_target_qps=100.0, offline_expected_qps=5.0), 10833, 10833)
    assert conf == {"target_qps": 5.0}


def test_an_adjustment_factor_scales_the_server_rate() -> None:
    assert user_conf("Server", values(server_target_qps=100.0, server_target_qps_adj_factor=0.5), 1, 1)["target_qps"] == 50.0


def test_a_smaller_data_set_overrides_mlperf_conf() -> None:
    assert user_conf("Offline", values(), 64, 10833) == {"performance_sample_count_override": 64}


def test_a_short_run_has_no_least_duration() -> None:
    conf = user_conf("SingleStream", values(test_query_count=10, min_duration=60_000), 5, 5)
    assert (conf["min_query_count"], conf["min_duration"]) == (10, 0)


@pytest.mark.parametrize("percentile", [0.99, 99])
def test_percentiles_are_understood_as_share_and_as_percent(percentile: float) -> None:
    conf = user_conf("Server", values(server_target_latency_percentile=percentile), 5, 5)
    assert conf["target_latency_percentile"] == 99.0


def test_offline_batches_hold_every_sample_once_longest_first_and_hardly_padded() -> None:
    indices = [0, 1, 2, 3, 4, 5, 6, 7, 1, 1]
    ids = list(range(100, 110))
    batches = list(by_length(ids, indices, LENGTHS, 4, 1 / 16))
    assert sorted(i for b in batches for i in b.ids) == ids
    for batch in batches:
        lengths = LENGTHS[batch.indices]
        assert len(batch.ids) <= 4 and lengths.min() >= lengths.max() * 15 / 16 - 1
        assert [indices[i - 100] for i in batch.ids] == batch.indices.tolist()
    firsts = [int(LENGTHS[b.indices[0]]) for b in batches]
    assert firsts == sorted(firsts, reverse=True)


def test_an_empty_query_gives_no_batch() -> None:
    assert list(by_length([], [], LENGTHS, 4, 0.1)) == []


def test_the_server_queue_takes_the_oldest_and_its_likes_and_ends_when_closed() -> None:
    queue = ArrivalQueue(LENGTHS, 3, 0.1, 0.0)
    queue.put([1, 2, 3, 4, 5], [0, 1, 2, 5, 7])
    first = queue.take()
    assert first is not None and first.ids == [1, 3, 4]
    second = queue.take()
    assert second is not None and second.ids == [2]
    queue.close()
    third = queue.take()
    assert third is not None and third.ids == [5]
    assert queue.take() is None


def sequences(folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        np.save(folder / f"{name}.npy", rng.integers(0, 99, (len(LENGTHS), 384), dtype=np.int32))
    np.save(folder / "lengths.npy", LENGTHS)
    return {
        "kind": "sequence",
        "folder": str(folder),
        "count": len(LENGTHS),
        "arrays": {"a": "a.npy", "b": "b.npy"},
        "lengths": "lengths.npy",
        "outputs": ["s", "e"],
        "input_dtype": "int64",
    }


def test_a_batch_is_as_long_as_its_longest_and_answers_are_as_long_as_their_samples(tmp_path: Path) -> None:
    dataset = open_dataset(sequences(tmp_path))
    indices = np.array([3, 6])
    inputs = dataset.inputs(indices)
    assert inputs["a"].shape == (2, 200) and inputs["a"].dtype == np.int64
    outputs = {"s": np.arange(400, dtype=np.float32).reshape(2, 200), "e": -np.arange(400, dtype=np.float32).reshape(2, 200)}
    first, second = dataset.responses(outputs, indices)
    assert first.shape == (200, 2) and second.shape == (199, 2) and second.flags.c_contiguous
    assert second[5].tolist() == [205.0, -205.0]


def test_a_length_rounded_up_ends_with_the_rows_and_changes_no_answers_length(tmp_path: Path) -> None:
    dataset = open_dataset({**sequences(tmp_path), "pad_to_multiple_of": 16})
    indices = np.array([3, 6])
    assert dataset.inputs(indices)["a"].shape == (2, 208)
    assert dataset.inputs(np.array([int(np.argmax(LENGTHS))]))["a"].shape[1] <= 384
    outputs = {name: np.zeros((2, 208), np.float32) for name in ("s", "e")}
    assert [answer.shape for answer in dataset.responses(outputs, indices)] == [(200, 2), (199, 2)]


def test_a_broken_array_names_the_file_and_the_mend(tmp_path: Path) -> None:
    spec_ = sequences(tmp_path)
    (tmp_path / "b.npy").write_bytes((tmp_path / "b.npy").read_bytes()[:50])
    with pytest.raises(MissingError) as caught:
        open_dataset(spec_)
    assert "b.npy" in caught.value.what and "make preprocess_data" in caught.value.next_step


def test_an_unknown_kind_of_data_set_is_an_error() -> None:
    with pytest.raises(UsageError, match="kind is 'sequenze'"):
        open_dataset({"kind": "sequenze"})
    with pytest.raises(UsageError, match="does not support data sets of kind 'synthetic'"):
        open_dataset(documents.SYNTHETIC)


@pytest.mark.parametrize("short", [{"test_query_count": 10}, {"fast": True}])
def test_a_short_run_makes_no_whole_passes_where_mlperf_conf_would(short: dict[str, object]) -> None:
    for scenario in ("Offline", "Server", "SingleStream"):
        assert user_conf(scenario, values(**short), 13368, 13368, whole_passes=True)["sample_concatenate_permutation"] == 0
        assert "sample_concatenate_permutation" not in user_conf(scenario, values(), 13368, 13368, whole_passes=True)
        assert "sample_concatenate_permutation" not in user_conf(scenario, values(**short), 5, 5)


class SlowStream:
    """Takes `seconds` for a batch, and notes on which processors."""

    def __init__(self, engine: SlowEngine) -> None:
        self._engine = engine

    def infer(self, inputs: Any) -> Any:
        self._engine.cores.add(frozenset(os.sched_getaffinity(0)))
        time.sleep(self._engine.seconds)
        if self._engine.broken:
            raise ValueError("it broke")
        return {name: np.zeros(inputs["a"].shape, np.float32) for name in ("s", "e")}


class SlowEngine:
    inputs, outputs = ("a", "b"), ("s", "e")

    def __init__(self, seconds: float, broken: bool = False) -> None:
        self.seconds, self.broken = seconds, broken
        self.cores: set[frozenset[int]] = set()

    def stream(self) -> SlowStream:
        return SlowStream(self)


CORES = sorted(os.sched_getaffinity(0))


def devices_of(*engines: SlowEngine, streams: int = 1) -> list[Device]:
    return [
        Device(DeviceEntry(number, f"node {number}", 0, (CORES[number % len(CORES)],), streams, 1), engine)
        for number, engine in enumerate(engines)
    ]


def answered(folder: Path, scenario: str, devices: list[Device], queries: list[list[int]]) -> tuple[Sut, list[HarnessError]]:
    """A SUT that has answered the queries, or failed."""
    done, errors = threading.Semaphore(0), []  # type: ignore[var-annotated]

    def failed(error: HarnessError) -> None:
        errors.append(error)
        done.release(1000)

    sut = Sut(
        scenario,
        [lane for device in devices for lane in device.lanes()],
        open_dataset(sequences(folder)),
        limit=2,
        padding=1.0,
        timeout_s=0.0,
        complete=lambda responses: done.release(len(responses)),
        respond=lambda identity, address, size: identity,
        failed=failed,
    )
    for query in queries:
        sut.issue(list(range(len(query))), query)
        for _ in query:
            assert done.acquire(timeout=20)
    sut.close()
    return sut, errors


@pytest.mark.parametrize("scenario", ["Offline", "MultiStream", "Server"])
def test_devices_share_the_work_by_their_speed_on_their_own_cores(scenario: str, tmp_path: Path) -> None:
    fast, slow = SlowEngine(0.01), SlowEngine(0.05)
    devices = devices_of(fast, slow, streams=2)
    start = time.monotonic()
    sut, errors = answered(tmp_path, scenario, devices, [[0, 1, 2, 3, 4, 5, 6, 7] * 8])
    rows = usage([device.entry for device in devices], sut.lanes, time.monotonic() - start)
    assert not errors and sut.counts.completed == 64
    assert sut.counts.share == (0 if scenario == "Server" else 1), "the work that is done, where a query is sorted"
    assert [row["name"] for row in rows] == ["node 0", "node 1"]
    assert sum(row["samples"] for row in rows) == 64 and rows[0]["samples"] > rows[1]["samples"] > 0
    assert sum(row["batches"] for row in rows) == len(sut.batches) / 5
    assert all(0 < row["busy_s"] <= row["elapsed_s"] for row in rows)
    assert [engine.cores for engine in (fast, slow)] == [{frozenset(device.entry.cores)} for device in devices]


def test_a_single_stream_is_the_first_devices(tmp_path: Path) -> None:
    def run() -> None:
        first, second = SlowEngine(0.0), SlowEngine(0.0)
        devices = devices_of(first, second)
        sut, _ = answered(tmp_path, "SingleStream", devices, [[0], [1], [2]])
        rows = usage([device.entry for device in devices], sut.lanes, 1.0)
        assert [row["samples"] for row in rows] == [3, 0] and rows[1]["busy_s"] == 0
        assert first.cores == {frozenset(devices[0].entry.cores)} and not second.cores

    bound([CORES[0]], run)  # the query's own thread is bound to the device's cores, and this one should not be


def test_an_error_names_the_device_that_it_is_of(tmp_path: Path) -> None:
    _, errors = answered(tmp_path, "Offline", devices_of(SlowEngine(0.05), SlowEngine(0.0, broken=True)), [[0, 1, 2, 3]])
    assert isinstance(errors[0], RunError) and errors[0].what.startswith("device node 1: a batch of 2 samples")
    assert "it broke" in errors[0].why


def test_each_device_loads_its_own_engine_on_its_own_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    content = documents.document(documents.SEQUENCE, documents.engine("openvino", {}), documents.engine("openvino", {}))
    content["engines"][1]["folder"] = "/engines/b"
    for number, device in enumerate(content["devices"]):
        device["cores"] = [CORES[number % len(CORES)]]
    spec: RunSpec = parse_run(content, "run.json")
    seen = []

    class Recorder:
        def load(self, folder: Path, how: Any) -> Any:
            seen.append((str(folder), how.cores, how.device, how.streams, tuple(os.sched_getaffinity(0))))
            if how.device == 1:
                raise RunError("it cannot be loaded")

    monkeypatch.setattr("code.harness.python.devices.loader", lambda name: Recorder())
    with pytest.raises(RunError, match="device device 1: it cannot be loaded"):
        load_devices(spec)
    cores = [device.cores for device in spec.devices]
    assert seen == [("/engines/a", cores[0], 0, 2, cores[0]), ("/engines/b", cores[1], 1, 2, cores[1])]


def test_cores_that_are_not_there_leave_a_thread_free() -> None:
    before = os.sched_getaffinity(0)
    bind_thread([65_000])
    assert os.sched_getaffinity(0) == before


def test_the_work_of_text_generation_counts_prompts_and_texts() -> None:
    counts = Generated(issued=4, completed=1, due=400.0, done=250.0, tokens=50)
    assert counts.share == pytest.approx((250 + 50) / (400 + 4 * 50))
    assert Generated().share == 0 and Generated(issued=4, due=400.0).share == 0
