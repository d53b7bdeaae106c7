"""What no run can have is left out where it is read: the largest number and the longest text of each value that the files of a run hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from code.common.typed import Shape
from code.results import devices
from code.results.devices import DeviceShare, laggards
from code.rules.metrics import METRICS
from code.submission.stage import run_types

DEVICE: dict[str, Any] = {"index": 0, "name": "a", "samples": 1, "batches": 1, "busy_s": 1.0, "elapsed_s": 2.0}
RUN = {"system_name": "s", "benchmark_full": "b", "scenario": "Offline", "test_mode": "PerformanceOnly"}
SCORE = {"name": "F1", "value": 1.0, "threshold": 1.0, "pass": True}


@pytest.mark.parametrize(
    ("key", "most", "above"),
    [
        ("index", 2**16, 2**16 + 1),
        ("name", "a" * 200, "a" * 201),
        ("samples", 2**63, 2**63 + 1),
        ("batches", 2**63, 2**63 + 1),
        ("busy_s", 1e9, 1.001e9),
        ("elapsed_s", 1e9, 1.001e9),
    ],
)
def test_a_device_of_a_run(tmp_path: Path, key: str, most: object, above: object) -> None:
    for value, kept in ((most, 1), (above, 0)):
        (tmp_path / "devices.json").write_text(json.dumps([{**DEVICE, key: value}]))
        assert len(devices.read(tmp_path)) == kept
    for bad in (-1, None, [], "x" if key != "name" else 5):
        (tmp_path / "devices.json").write_text(json.dumps([{**DEVICE, key: bad}, DEVICE]))
        assert len(devices.read(tmp_path)) == 1, "a bad entry costs itself"


def test_no_laggard_without_another_device() -> None:
    one = DeviceShare(0, "a", 0, 0, 0.0)
    assert laggards([]) == [] == laggards([one])
    other = DeviceShare(1, "b", 300, 1, 1.0)
    assert [len(laggards([DeviceShare(0, "a", samples, 1, 1.0), other])) for samples in (199, 201)] == [1, 0]


def kept(shape: Shape, content: dict[str, Any], key: str) -> bool:
    """Whether a value passes its door without a note."""
    notes: list[str] = []
    found = shape.read(content, "x", notes)
    return isinstance(found, dict) and key in found and found[key] == content[key] and not notes


@pytest.mark.parametrize(
    ("key", "most", "above"),
    [
        ("system_name", "a" * 200, "a" * 201),
        ("benchmark_full", "a" * 100, "a" * 101),
        ("system_id", "a" * 200, "a" * 201),
        ("benchmark_short", "a" * 100, "a" * 101),
        ("config_name", "a" * 400, "a" * 401),
        ("model_variant", "a" * 100, "a" * 101),
        ("precision", "a" * 40, "a" * 41),
        ("detected_system", "a" * 65_536, "a" * 65_537),
        ("division_note", "a" * 4096, "a" * 4097),
        ("scenario", "Server", "Serve"),
        ("test_mode", "SubmissionRun", "FindPeakPerformance"),
        ("result_validity", "INVALID", "invalid"),
        ("accuracy_pass", False, 0),
        ("simulated", True, "true"),
        ("accuracy", [SCORE] * 100, [SCORE] * 101),
        ("accuracy", [{**SCORE, "name": "a" * 100}], [{**SCORE, "name": "a" * 101}]),
        ("accuracy", [{**SCORE, "value": 1e300}], [{**SCORE, "value": 1.1e300}]),
        ("accuracy", [{**SCORE, "threshold": -1e300}], [{**SCORE, "threshold": -1.1e300}]),
        ("reasons", [{"what": "a", "field": "f" * 200}], [{"what": "a", "field": "f" * 201}]),
        ("notes", [{"what": "a", "suggestion": "s"}], [{"what": 5}]),
        ("devices", [{"index": 2**16, "name": "a" * 200}], [{"index": 2**16 + 1, "name": "a"}]),
        ("devices", [{"index": 0, "name": "a", "busy_share": 1e6}], [{"index": 0, "name": "a" * 201}]),
        *((metric.key, 1e300, 1.1e300) for metric in METRICS.values()),
        *((metric.submission_key, -1e300, -1.1e300) for metric in METRICS.values()),
    ],
)
def test_metadata(key: str, most: object, above: object) -> None:
    assert kept(run_types.METADATA, {**RUN, key: most}, key)
    assert not kept(run_types.METADATA, {**RUN, key: above}, key)


@pytest.mark.parametrize("key", list(RUN))
def test_metadata_without_what_names_a_run_is_none(key: str) -> None:
    content = {name: value for name, value in RUN.items() if name != key}
    assert run_types.METADATA.read(content, "x", []) is None
    assert run_types.METADATA.read({**RUN, "mine": [1]}, "x", []) == {**RUN, "mine": [1]}, "other keys are kept"


@pytest.mark.parametrize(
    ("shape", "key", "most", "above"),
    [
        (run_types.SPEC, "engines", [{"backend": "b" * 100}], [{"backend": "b" * 101}]),
        (run_types.SPEC, "engines", [{"precision": "p" * 40}], [{"precision": "p" * 41}]),
        (run_types.SPEC, "devices", [{"index": 2**16, "cores": [2**16], "streams": 2**16}], [{"index": 2**16 + 1}]),
        (run_types.SPEC, "devices", [{"index": 0, "streams": 0}], [{"index": 0, "streams": 2**16 + 1}]),
        (run_types.SPEC, "devices", [{"index": 0, "cores": [0]}], [{"index": 0, "cores": [2**16 + 1]}]),
        (run_types.SPEC, "dataset", {"count": 2**63, "input_dtype": "d" * 40}, {"count": 2**63 + 1}),
        (run_types.SPEC, "dataset", {"folder": "f" * 4096}, {"input_dtype": "d" * 41}),
        (run_types.SPEC, "seeds", {"a": 2**64 - 1}, {"a": 2**64}),
        (run_types.SPEC, "seeds", {"a": 0}, {"a": -1}),
        (run_types.SPEC, "record", {"a": [1]}, [1]),
        (run_types.PROVENANCE, "arguments", ["a"], "a"),
        (run_types.PROVENANCE, "commit", "c" * 100, "c" * 101),
        (run_types.PROVENANCE, "harness_version", "v" * 100, "v" * 101),
        (run_types.PROVENANCE, "changed", True, 1),
        (run_types.PROVENANCE, "engine", {"name": "n" * 400}, {"name": "n" * 401}),
        (run_types.PROVENANCE, "engine", {"model": {"sha256": "s" * 200}}, {"model": {"sha256": "s" * 201}}),
        (run_types.PROVENANCE, "plan", {"benchmark": "b" * 100}, {"benchmark": "b" * 101}),
        (run_types.PROVENANCE, "plan", {"scenario": "b" * 100}, {"scenario": "b" * 101}),
        (run_types.PROVENANCE, "plan", {"config_ver": "b" * 100}, {"config_ver": "b" * 101}),
        (run_types.PROVENANCE, "plan", {"values": {"a": {"value": 1, "origin": "o"}}}, {"values": {"a": {"origin": 5}}}),
        (run_types.MEASUREMENTS, "engine", "e" * 400, "e" * 401),
        (run_types.MEASUREMENTS, "accuracy", [SCORE] * 100, [SCORE] * 101),
        (run_types.STAGED, "submitter", "s" * 200, "s" * 201),
        (run_types.STAGED, "files", {"a": "d" * 100}, {"a": "d" * 101}),
    ],
)
def test_other_files_of_a_run(shape: Shape, key: str, most: object, above: object) -> None:
    assert kept(shape, {key: most}, key)
    assert not kept(shape, {key: above}, key)


@pytest.mark.parametrize(
    ("shape", "content"),
    [
        (run_types.SPEC, {"engines": [{"options": 1}]}),
        (run_types.SPEC, {"devices": [{"index": 0, "uuid": "x"}]}),
        (run_types.SPEC, {"dataset": {"kind": "sequence"}}),
        (run_types.SPEC, {"scenario": "Offline"}),
        (run_types.PROVENANCE, {"schema": 1}),
        (run_types.PROVENANCE, {"engine": {"files": {}}}),
        (run_types.PROVENANCE, {"plan": {"system": "x"}}),
        (run_types.PROVENANCE, {"plan": {"values": {"a": {"value": 1}}}}),
        (run_types.MEASUREMENTS, {"retraining": "No"}),
        (run_types.STAGED, {"made_by": "x"}),
    ],
)
def test_what_others_read_of_a_file_is_kept(shape: Shape, content: dict[str, Any]) -> None:
    assert kept(shape, content, *content)


PLACE = {"division": "open", "submitter": "E", "system": "s", "benchmark": "b", "scenario": "Offline", "round": "v6.1"}
STAGED = {**PLACE, "performance_run": "/p", "accuracy_run": "/a"}


@pytest.mark.parametrize(
    ("key", "most"), [("division", 100), ("submitter", 200), ("system", 200), ("benchmark", 100), ("scenario", 100)]
)
def test_a_staged_result(key: str, most: int) -> None:
    assert kept(run_types.STAGED, {"results": [{**STAGED, key: "x" * most}]}, "results")
    assert not kept(run_types.STAGED, {"results": [{**STAGED, key: "x" * (most + 1)}]}, "results")
    for absent in STAGED:
        partial = {name: value for name, value in STAGED.items() if name != absent}
        assert not kept(run_types.STAGED, {"results": [partial]}, "results")
    assert not kept(run_types.STAGED, {"results": [{**STAGED, "round": "v0.1"}]}, "results")
