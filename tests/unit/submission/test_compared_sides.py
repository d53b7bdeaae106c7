"""Two sides of a comparison: which number is better, per what, and when a percentage would mean nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.actions import compare
from code.common.errors import UsageError
from code.submission.audit import comparison
from code.submission.audit.comparison import Side
from code.submission.stage import record, runs
from code.submission.stage.layout import VIEWABLE
from code.submission.stage.runs import ACCURACY
from code.systems.data.published import PUBLISHED
from tests.unit.submission import light

SIDE = Side(
    "A", "bert-99", "Offline", 100.0, "samples/s", 4, True, "VALID", config={"x": 1}, model="m", precision="fp8", devices="d"
)
SLOW = replace(SIDE, scenario="SingleStream", value=8.0, unit="ms", higher_is_better=False)


def test_throughput_is_compared_per_accelerator_and_latency_is_not() -> None:
    assert SIDE.per_accelerator == 25.0 and SLOW.per_accelerator == 8.0 and replace(SIDE, value=None).per_accelerator is None
    assert comparison.change_percent(SIDE, replace(SIDE, value=120.0)) == pytest.approx(20.0)
    assert comparison.change_percent(SIDE, replace(SIDE, accelerators=8)) == pytest.approx(-50.0)
    assert comparison.change_percent(SLOW, replace(SLOW, value=6.0, accelerators=1)) == pytest.approx(-25.0)
    assert comparison.change_percent(SIDE, replace(SIDE, value=None)) is None
    assert comparison.change_percent(replace(SIDE, value=0.0), SIDE) is None
    assert comparison.change_percent(SIDE, replace(SIDE, value=0.0)) == -100


def test_better_and_worse_follow_the_metric() -> None:
    assert compare.in_words(SIDE, 12.34) == "B is 12.3 % better than A per accelerator"
    assert compare.in_words(SIDE, -12.34) == "B is 12.3 % worse than A per accelerator"
    assert compare.in_words(SLOW, 12.34) == "B's latency is 12.3 % higher than A's (worse)"
    assert compare.in_words(SLOW, -12.34) == "B's latency is 12.3 % lower than A's (better)"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": "n"}, "model: A is m, B is n"),
        ({"benchmark": "bert-99.9"}, "accuracy target: A is bert-99, B is bert-99.9"),
        ({"precision": "int8"}, "precision: A is fp8, B is int8"),
        ({"devices": "simulated"}, "devices: A is d, B is simulated"),
    ],
)
def test_results_that_differ_in_kind_have_no_percentage(changed: dict[str, Any], words: str) -> None:
    assert comparison.obstacles(SIDE, replace(SIDE, **changed)) == [words]
    assert comparison.obstacles(SIDE, replace(SIDE, **dict.fromkeys(changed, ""))) == [], "what is unknown is no obstacle"


def test_differences_of_settings() -> None:
    assert comparison.differences(SIDE, replace(SIDE, config={"x": 2, "a": 1})) == [("a", None, 1), ("x", 1, 2)]
    assert comparison.differences(SIDE, SIDE) == []
    assert comparison.differences(SIDE, replace(SIDE, config={})) == [] == comparison.differences(replace(SIDE, config={}), SIDE)


def test_noise_is_judged_per_accelerator() -> None:
    few = replace(SIDE, repeats=(100.0, 102.0, 98.0))
    many = replace(SIDE, accelerators=8, repeats=(200.0, 204.0, 196.0))
    assert comparison.noise(few, many).startswith("within the noise of 3 and 3 runs")
    assert comparison.noise(few, replace(many, accelerators=4)).startswith("more than the noise")
    assert comparison.noise(few, SIDE) == "" == comparison.noise(SIDE, few)
    slow = replace(SLOW, repeats=(8.0, 8.1, 7.9))
    assert comparison.noise(slow, replace(slow, accelerators=1)).startswith("within the noise")


def run(folder: Path, mode: str = "PerformanceOnly", provenance: dict[str, Any] | None = None, **metadata: Any) -> runs.Run:
    found = light.run(folder, mode, **metadata)
    if provenance is not None:
        (folder / "provenance.json").write_text(json.dumps(provenance))
    return found


def test_the_side_of_a_run(tmp_path: Path) -> None:
    values = {"precision": {"value": "fp32"}, "log_dir": {"value": "/x"}, "unset": {"value": None}}
    content = {"plan": {"values": values}, "commit": "abc", "engine": {"model": {"sha256": "ab" * 32}}}
    one = run(
        tmp_path / "Server", provenance=content, scenario="Server", result_completed_samples_per_sec=5.0, openvino_version="1"
    )
    side = comparison.of_run(one)
    assert (side.value, side.unit, side.higher_is_better, side.accelerators) == (5.0, "queries/s", True, 1)
    assert side.name == "DGX_openvino 2026-01-01T00:00:00Z" and side.config == {"precision": "fp32"}
    assert side.facts["openvino_version"] == "1" and side.facts["harness commit"] == "abc" and side.facts["engine"] == one.engine
    assert side.model == "the reference model" and side.devices == "accelerators" and side.validity == "INVALID"
    assert side.repeats == (5.0,)
    stream = {"scenario": "SingleStream", "result_90.00_percentile_latency_ns": 2_500_000, "result_validity": "VALID"}
    slow = comparison.of_run(run(tmp_path / "b" / "SingleStream", **stream))
    assert (
        slow.value == pytest.approx(2.5) and slow.unit.startswith("ms") and not slow.higher_is_better and slow.validity == "VALID"
    )
    scored = run(tmp_path / "c" / "Offline", ACCURACY, accuracy=[{"name": "F1", "value": 90.5, "threshold": 1, "pass": True}])
    accuracy = comparison.of_run(scored)
    assert accuracy.value is None and accuracy.accuracy == {"F1": 90.5} and accuracy.validity == "PASSED"
    failed = comparison.of_run(run(tmp_path / "d" / "Offline", ACCURACY, accuracy_pass=False))
    assert failed.validity == "FAILED"


def test_a_custom_model_has_its_digest_and_a_processor_is_told_apart(tmp_path: Path) -> None:
    content = {"engine": {"model": {"sha256": "0123456789abcdef"}}}
    side = comparison.of_run(run(tmp_path / "Offline", provenance=content, model_variant="custom"))
    assert side.model == "the custom model 0123456789ab"
    for name, kind, simulated, devices in (
        ("a", "CPU", False, "processors"),
        ("b", "GPU", False, "accelerators"),
        ("c", "CPU", True, "simulated"),
    ):
        one = light.write_run(tmp_path / name / "Offline", simulated=simulated)
        spec = json.loads((one / "run.json").read_text())
        (one / "run.json").write_text(json.dumps({**spec, "record": {"device_kind": kind}}))
        found = runs.read_run(one)
        assert found is not None and comparison.of_run(found).devices == devices


def test_repeats_are_complete_runs_beside_it_with_the_same_settings(tmp_path: Path) -> None:
    def write(name: str, value: float, **given: Any) -> Path:
        return light.write_run(tmp_path / name, result_samples_per_second=value, **given)

    first = write("Offline", 1.0)
    write("Offline.2", 2.0)
    write("Offline.3", 3.0, batch=8)
    write("Offline.4", 4.0, engine="/engines/other")
    write("Server", 5.0, scenario="Server")
    (write("Offline.6", 6.0) / "INCOMPLETE").write_text("")
    light.write_run(tmp_path / "Offline.7", ACCURACY)
    (tmp_path / "file").write_text("")
    found = runs.read_run(first)
    assert found is not None and comparison.of_run(found).repeats == (1.0, 2.0)


def test_a_pair_is_read_from_folders_and_names(tmp_path: Path) -> None:
    one = light.write_run(tmp_path / "Offline", result_samples_per_second=1.0)
    public = next(each for each in PUBLISHED if each.benchmark == "bert-99" and each.scenario == "Offline")
    name = f"{public.accelerator}x{public.accelerators}"
    a, b = comparison.read_pair(str(one), name.lower())
    assert a.value == 1.0 and b.value == public.samples_per_second and b.validity == f"VALID (median of {public.submissions})"
    assert b.accelerators == public.accelerators and b.higher_is_better and b.name == f"{name}, public {public.round}"
    first, second = comparison.read_pair(name, str(one))
    assert first.value == public.samples_per_second and second.value == 1.0
    assert name in comparison.public_names() and len(set(comparison.public_names())) == len(comparison.public_names())
    (tmp_path / "empty").mkdir()
    for pair, words in (
        ((str(one), str(tmp_path / "empty")), "is not a run folder"),
        ((name, name), "neither"),
        ((str(one), "Nothing"), "is neither a run folder nor a public result"),
    ):
        with pytest.raises(UsageError, match=words):
            comparison.read_pair(*pair)
    high = light.write_run(tmp_path / "high" / "Offline", benchmark_full="bert-99.9")
    assert comparison.read_pair(str(one), str(high))[1].benchmark == "bert-99.9", "the same benchmark at another target"
    other = light.write_run(tmp_path / "gptj" / "Offline", benchmark_full="gptj-99")
    with pytest.raises(UsageError, match="different workloads"):
        comparison.read_pair(str(one), str(other))


# ── the record of a staged tree ────────────────────────────────────────


def test_a_digest_is_the_same_before_and_after_truncation(tmp_path: Path) -> None:
    log = tmp_path / "mlperf_log_accuracy.json"
    data = bytes(range(256)) * 64
    log.write_bytes(data)
    whole = record.digest(log)
    log.write_bytes(data[:VIEWABLE] + data[-VIEWABLE:])
    assert record.digest(log) == whole
    log.write_bytes(data[:VIEWABLE] + b"x" + data[-VIEWABLE + 1 :])
    assert record.digest(log) != whole
    for size in (VIEWABLE - 1, VIEWABLE):
        log.write_bytes(data[:size])
        before = record.digest(log)
        log.write_bytes(data[: size - 1] + b"\x01")
        assert record.digest(log) != before
    text = tmp_path / "accuracy.txt"
    text.write_text('{"f1": 90}\n')
    before = record.digest(text)
    text.write_text('{"f1": 90}\nhash=abc\n')
    assert record.digest(text) == before
    text.write_text('{"f1": 91}\nhash=abc\n')
    assert record.digest(text) != before


def test_files_that_changed_after_staging_are_named(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for folder in record.FOLDERS:
        (root / "open" / "Example" / folder / "s").mkdir(parents=True)
        (root / "open" / "Example" / folder / "s" / "a.txt").write_text("a")
        (root / "open" / "Example" / folder / "s" / "README.md").write_text("a")
    (root / "open" / "Example" / "systems").mkdir()
    (root / "open" / "Example" / "systems" / "s.json").write_text("{}")
    files = record.digests(root)
    assert sorted(files) == [f"open/Example/{folder}/s/a.txt" for folder in sorted(record.FOLDERS)]
    assert list(record.changed(root)) == [] and record.read_record(root) == {}, "without a record nothing is known"
    record.record_path(root).write_text(json.dumps({"files": files}))
    assert record.record_path(root) == tmp_path / "tree.staged.json" and list(record.changed(root)) == []
    (root / "open/Example/results/s/a.txt").write_text("b")
    (root / "open/Example/compliance/s/a.txt").unlink()
    (root / "open/Example/results/s/README.md").write_text("b")
    assert sorted((path.parent.parent.name, what) for path, what in record.changed(root)) == [
        ("compliance", "deleted after staging"),
        ("results", "changed after staging: its digest differs"),
    ]
