"""Telemetry of nodes: on the head's time axis, in the results and on the page; a node that gives none costs only its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.common.errors import RunError
from code.results import nodes
from code.results.page import tracks
from code.run.nodes import telemetry_of_nodes
from tests.unit.test_telemetry import BEGIN, log

NODES = ({"name": "n1", "host": "a", "offset_s": 5.0}, {"name": "n2", "host": "b", "offset_s": -3.0})


class Nodes:
    """A cluster of which one node recorded ten seconds with its own clock, five seconds ahead, and one nothing."""

    recording = 2

    def record(self, gpus: Sequence[Sequence[str]]) -> None:
        self.recording = len(gpus)

    def recorded(self, files: Sequence[Path]) -> list[Path]:
        times = BEGIN + 5.0 + np.arange(10.0)
        used = {"processors/t": times, "processors/cpu0_busy_s_total": np.arange(10.0)}
        with files[0].open("wb") as out:
            np.savez_compressed(out, **{**used, "own/t": times, "own/resident_bytes": np.full(10, 4096.0)})  # type: ignore[arg-type]
        return list(files[:1])


def test_a_nodes_times_are_the_heads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster: Any = Nodes()
    telemetry_of_nodes.end(cluster, tmp_path, NODES)
    assert "node n2 gave no telemetry" in capsys.readouterr().err
    (tmp_path / "nodes.json").write_text(json.dumps({"address": "auto", "nodes": NODES}))
    with np.load(tmp_path / "telemetry-n1.npz") as found:
        assert found["processors/t"][0] == BEGIN and found["own/resident_bytes"][0] == 4096.0
    first, second = (nodes.read(tmp_path, [], log()) or {})["nodes"]
    assert first["telemetry"]["file"] == "telemetry-n1.npz" and first["telemetry"]["resident_bytes_peak"] == 4096
    assert "telemetry" not in second
    assert [title for _, title, _, _ in tracks.drawn(tmp_path, log())] == ["Node n1: Processors"]


def test_a_damaged_record_or_a_driver_that_fails_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Damaged(Nodes):
        def recorded(self, files: Sequence[Path]) -> list[Path]:
            files[0].write_bytes(b"no archive")
            return list(files[:1])

    class Failing(Nodes):
        def recorded(self, files: Sequence[Path]) -> list[Path]:
            raise RunError("Ray's driver ended")

    for cluster, words in ((Damaged(), "node n1 cannot be read"), (Failing(), "Ray's driver ended")):
        given: Any = cluster
        telemetry_of_nodes.end(given, tmp_path, NODES)
        assert words in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_telemetry_that_is_off_asks_no_node(tmp_path: Path) -> None:
    cluster: Any = Nodes()
    cluster.recording = 0
    telemetry_of_nodes.begin(cluster, {"telemetry": False}, [[], []])
    assert cluster.recording == 0
    telemetry_of_nodes.end(cluster, tmp_path, NODES)
    assert not list(tmp_path.iterdir())
    telemetry_of_nodes.begin(cluster, {"telemetry": True}, [[], []])
    assert cluster.recording == 2


def test_names_of_nodes_are_names_of_files() -> None:
    assert nodes.telemetry_file("a/../b c") == "telemetry-a-..-b-c.npz"
