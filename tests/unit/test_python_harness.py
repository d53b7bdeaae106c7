"""run.json, user.conf and batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.common.errors import MissingError, UsageError
from code.fields.table import FIELDS
from code.harness.python.batcher import ArrivalQueue, by_length
from code.harness.python.datasets import open_dataset
from code.harness.schema import run_spec as contract
from code.harness.schema.run_spec import RunSpec
from code.run.settings import conf_text, user_conf

LENGTHS = np.array([30, 384, 31, 200, 384, 30, 199, 30], dtype=np.int32)


def values(**changed: Any) -> dict[str, Any]:
    return {**{f.name: f.default for f in FIELDS}, **changed}


def spec(folder: Path) -> RunSpec:
    return RunSpec("bert", "Offline", "PerformanceOnly", str(folder), "u", "", {}, {}, {}, {}, {}, 0, 0.5)


def test_run_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    spec(tmp_path).write(tmp_path / "run.json")
    assert contract.read(tmp_path / "run.json") == spec(tmp_path)


@pytest.mark.parametrize(
    "change", [{"surprise": 1}, {"schema": 99}, {"scenario": 3}, {"engine": "openvino"}], ids=lambda c: str(next(iter(c)))
)
def test_run_json_that_does_not_fit_is_an_error(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "run.json"
    spec(tmp_path).write(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError):
        contract.read(path)


def test_run_json_with_a_missing_key_names_it(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    spec(tmp_path).write(path)
    content = json.loads(path.read_text())
    del content["seeds"]
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match="seeds"):
        contract.read(path)


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
    with pytest.raises(UsageError, match="kind of data set"):
        open_dataset({"kind": "sequenze"})


@pytest.mark.parametrize("short", [{"test_query_count": 10}, {"fast": True}])
def test_a_short_run_makes_no_whole_passes_where_mlperf_conf_would(short: dict[str, object]) -> None:
    for scenario in ("Offline", "Server", "SingleStream"):
        assert user_conf(scenario, values(**short), 13368, 13368, whole_passes=True)["sample_concatenate_permutation"] == 0
        assert "sample_concatenate_permutation" not in user_conf(scenario, values(), 13368, 13368, whole_passes=True)
        assert "sample_concatenate_permutation" not in user_conf(scenario, values(**short), 5, 5)
