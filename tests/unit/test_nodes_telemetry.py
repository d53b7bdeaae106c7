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
from code.results.devices import DeviceShare
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


def recorded_nodes(folder: Path, **changed: Any) -> None:
    content = {"address": "auto", "nodes": [{"name": "n1", "host": "a"}, {"name": "n2", "host": "a"}], **changed}
    (folder / "nodes.json").write_text(json.dumps(content))


def test_a_nodes_share_has_four_digits_and_its_network_is_the_mean_of_its_devices(tmp_path: Path) -> None:
    recorded_nodes(tmp_path)
    devices = [
        DeviceShare(0, "n1/node 0", 1, 1, 0.5, network=0.1),
        DeviceShare(1, "n1/node 1", 1, 1, 0.5, network=0.23333),
        DeviceShare(2, "n2/node 0", 1, 1, 0.5),
    ]
    found = nodes.read(tmp_path, devices)
    assert found is not None and found["number_of_nodes"] == 1, "a local cluster is one machine"
    assert found["nodes"] == [
        {"name": "n1", "host": "a", "devices": 2, "samples": 2, "share": 0.6667, "network_share": 0.1667},
        {"name": "n2", "host": "a", "devices": 1, "samples": 1, "share": 0.3333},
    ]
    assert "lost" not in found and nodes.names(tmp_path) == ["n1", "n2"]


def test_a_run_that_went_on_without_a_node_says_so(tmp_path: Path) -> None:
    assert nodes.departure(None) == "" == nodes.departure({"nodes": []}) == nodes.departure({"lost": []})
    recorded_nodes(tmp_path, lost=[{"name": "n3", "why": "died"}, {"name": "n4", "why": "died"}])
    found = nodes.read(tmp_path, [])
    assert found is not None and found["lost"][1] == {"name": "n4", "why": "died"}
    assert nodes.departure(found) == "it went on without n3, n4"
    assert [one["share"] for one in found["nodes"]] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("key", "most"),
    [("reached", "x" * 40), ("round_trip_s", 1e9), ("bytes_per_s", 1e15), ("offset_s", -1e9), ("host", "h" * 200)],
)
def test_what_is_recorded_of_a_node_has_limits(tmp_path: Path, key: str, most: Any) -> None:
    """A value beyond is not shown; a node without its name or host is none."""
    for value, known in ((most, True), (most + "x" if isinstance(most, str) else most * 1.01, False)):
        recorded_nodes(tmp_path, nodes=[{"name": "n1", "host": "a", key: value}])
        found = nodes.read(tmp_path, [])
        assert (found is None) is (key == "host" and not known)
        assert nodes.names(tmp_path) == ([] if found is None else ["n1"])
        assert found is None or found["nodes"][0].get(key) == (value if known else None)


def test_a_run_on_one_machine_has_no_nodes(tmp_path: Path) -> None:
    assert nodes.names(tmp_path) == [] and nodes.read(tmp_path, []) is None
    recorded_nodes(tmp_path, nodes=[])
    assert nodes.read(tmp_path, []) is None
