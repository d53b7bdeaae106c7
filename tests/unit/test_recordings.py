"""What the Python harness leaves for the report page, and that it is what the C++ harness counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from code.harness.python import recordings


def test_intervals_have_every_sample_once_and_grow_with_the_test() -> None:
    requests = np.array([[0.0, 0.2], [0.1, 0.2], [0.14, 0.5]])
    found = recordings.intervals(requests)
    assert found[:, 2].tolist() == [2, 1, 0, 0] and found[:, 3].tolist() == [0, 2, 0, 1]
    assert found[0, 0] == 0 and np.allclose(found[:, 1] - found[:, 0], recordings.NARROWEST_S)
    long = np.column_stack([np.arange(5000.0), np.arange(5000.0) + 0.5])
    found = recordings.intervals(long)
    assert len(found) <= recordings.MOST_INTERVALS and found[:, 2].sum() == found[:, 3].sum() == 5000
    assert (found[1:, 0] == found[:-1, 1]).all()


def test_a_latency_is_below_the_edge_of_its_bucket_by_at_most_a_sixteenth() -> None:
    edges = recordings.edges_ns()
    assert edges[:17].tolist() == [*range(1, 17), 17.0] and (np.diff(edges) > 0).all()
    for ns in (1e3, 123_456.0, 7e9):
        ((edge, count),) = recordings.latencies(np.array([[1.0, 1.0 + ns / 1e9]])).tolist()
        assert ns < edge <= ns * 1.0626 and count == 1
    found = recordings.latencies(np.array([[0, 0.001], [0, 0.001], [0, 1.0]]))
    assert found[:, 1].tolist() == [2, 1]


def test_what_was_not_recorded_leaves_no_file(tmp_path: Path) -> None:
    recordings.write(tmp_path, 100.0, [100.5, 101.0, 4.0, 9.0], [])
    assert [path.name for path in tmp_path.iterdir()] == ["batches.npy"]
    assert np.load(tmp_path / "batches.npy").tolist() == [[0.5, 1.0, 4.0, 9.0]]
    recordings.write(tmp_path, 100.0, [], [100.25, 101.0], [100.25, 0.0, 101.0, 7.0])
    assert np.load(tmp_path / "batches.npy").shape == (0, 4)
    assert np.load(tmp_path / "texts.npy").tolist() == [[0.25, 0.0, 1.0, 7.0]], "a first token that was not reported stays 0"
    assert np.load(tmp_path / "intervals.npy")[:, 2:].sum(axis=0).tolist() == [1, 1]
    edge, count = np.load(tmp_path / "latencies.npy")[0]
    assert 0.75e9 < edge <= 0.8e9 and count == pytest.approx(1)
