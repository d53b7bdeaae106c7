"""What stands beside a staged result: measurements, README, truncated logs, the tarball, its audits, its row in the summary."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import MissingError, RunError, UsageError
from code.rules.rounds import round_named
from code.submission.audit import compliance
from code.submission.check import report_columns
from code.submission.pack import packing, truncation
from code.submission.stage import measurements, runs
from code.submission.stage.candidates import Candidate
from code.submission.stage.identity import Identity
from code.submission.stage.layout import ACCURACY_LOG, LAYOUTS, VIEWABLE, Place
from code.submission.stage.runs import ACCURACY
from tests.unit.submission import light

V61, V50 = round_named("v6.1"), round_named("v5.0")
WHO = Identity("Example", "open", "edge", "available", V61)
PROVENANCE: dict[str, Any] = {
    "commit": "abc123",
    "harness_version": "0.1.0",
    "mode": "PerformanceOnly",
    "arguments": ["--action=run", "--fast"],
    "engine": {"name": "e", "model": {"file": "model.onnx", "sha256": "ab" * 32}, "settings": {"precision": "fp32"}},
    "plan": {
        "benchmark": "bert",
        "scenario": "Offline",
        "values": {
            "b": {"value": [1], "origin": "command line"},
            "a": {"value": 2, "origin": "config x"},
            "log_dir": {"value": "/x", "origin": "command line"},
            "c": {"value": 3, "origin": "default"},
            "d": {"value": None, "origin": "config x"},
        },
    },
}


def candidate(
    tmp_path: Path, provenance: dict[str, Any] | None = None, accuracy_commit: str = "abc123", **metadata: Any
) -> Candidate:
    given = {"summary_string": "samples_per_second: 5", "loadgen_version": "6.0", "openvino_version": "2026.4", **metadata}
    two = [
        light.write_run(tmp_path / "p" / "Offline", **given),
        light.write_run(tmp_path / "a" / "Offline", ACCURACY, **metadata, accuracy=[], started="2026-01-02T00:00:00Z"),
    ]
    content = PROVENANCE if provenance is None else provenance
    for folder, commit in zip(two, (content.get("commit"), accuracy_commit), strict=True):
        mode = "AccuracyOnly" if folder == two[1] else "PerformanceOnly"
        (folder / "provenance.json").write_text(json.dumps({**content, "commit": commit, "mode": mode}))
    one, other = (runs.read_run(folder) for folder in two)
    assert one is not None and other is not None
    return Candidate(*one.key, one.folder, other.folder, one, other)


# ── measurements and README ────────────────────────────────────────────


def test_the_measurements_of_a_result(tmp_path: Path) -> None:
    found = measurements.content(candidate(tmp_path, precision="fp32"), V61)
    wanted = {
        "input_data_types": "int32",
        "retraining": "No",
        "starting_weights_filename": "model.onnx",
        "weight_data_types": "fp32",
        "weight_transformations": "ONNX weights compiled by openvino to fp32",
        "engine": "bert-model-openvino-fp32-0123",
        "accuracy_run_engine": "bert-model-openvino-fp32-0123",
        "engine_settings": {"precision": "fp32"},
        "harness_commit": "abc123",
        "harness_version": "0.1.0",
        "loadgen_version": "6.0",
        "model_sha256": "ab" * 32,
        "model_variant": "reference",
        "round": "v6.1",
        "run_started": "2026-01-01T00:00:00Z",
        "accuracy_run_started": "2026-01-02T00:00:00Z",
    }
    assert {name: found[name] for name in wanted} == wanted and "division_note" not in found and "inferred" not in found
    assert set(measurements.REQUIRED) <= set(found) and all(found[name] for name in measurements.REQUIRED)


def test_the_measurements_of_other_models(tmp_path: Path) -> None:
    tiny = measurements.content(candidate(tmp_path / "t", model_variant="tiny"), V61)
    assert tiny["retraining"].startswith("Yes: ") and tiny["division_note"].startswith("open division only")
    own = candidate(tmp_path / "o", {**PROVENANCE, "engine": {"model": {"file": "folder"}}})
    path = own.performance / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "record": {"model_path": "/mine"}, "engines": [{}]}))
    run = runs.read_run(own.performance)
    found = measurements.content(replace(own, performance_run=run, measured="SingleStream"), V61)
    assert found["retraining"] == "Unknown: the submitter's own model /mine"
    assert found["weight_transformations"] == "Weights compiled by the runtime to fp32"
    assert found["inferred"] == "the SingleStream run is used for Offline"
    bare = measurements.content(candidate(tmp_path / "b", {"mode": "x"}, accuracy_commit=""), V61)
    assert bare["starting_weights_filename"] == "unknown" and bare["harness_commit"] == "" == bare["model_sha256"]
    assert measurements.implementation(run) == "custom"  # type: ignore[arg-type]
    assert measurements.implementation(light.run(tmp_path / "l")) == "openvino"


def test_the_readme_has_the_commands_the_inputs_and_what_was_set(tmp_path: Path) -> None:
    text = measurements.readme(candidate(tmp_path), WHO, V61)
    lines = text.splitlines()
    assert lines[:4] == ["# bert-99 Offline on DGX_openvino", "", "Result: samples_per_second: 5", "Accuracy: [PASSED] F1"]
    steps = lines[lines.index("```") + 1 : lines.index("```", lines.index("```") + 1)]
    assert steps == [
        "git checkout abc123",
        "make download_data BENCHMARKS=bert",
        "make download_model BENCHMARKS=bert",
        'make run RUN_ARGS="--benchmarks=bert --scenarios=Offline --test_mode=PerformanceOnly --fast"',
        'make run RUN_ARGS="--benchmarks=bert --scenarios=Offline --test_mode=AccuracyOnly --fast"',
    ]
    assert (
        "| Runtime | openvino 2026.4 |" in lines and "| LoadGen | 6.0 |" in lines and "| Round | v6.1, with its seeds |" in lines
    )
    assert f"| Model | model.onnx, SHA-256 {'ab' * 32} |" in lines and '| Engine settings | {"precision": "fp32"} |' in lines
    assert lines[-2:] == ["| a | `2` | config x |", "| b | `[1]` | command line |"]
    assert "**" not in text and "uncommitted" not in text and "accuracy run was made at" not in text and text.endswith("|\n")


def test_the_readme_says_what_is_unusual(tmp_path: Path) -> None:
    text = measurements.readme(
        candidate(tmp_path / "a", {**PROVENANCE, "changed": True}, "def456", division_note="open only: x"), WHO, V61
    )
    assert "**Open only: x.**" in text and "uncommitted changes to that commit" in text
    assert "The accuracy run was made at commit def456." in text
    bare = measurements.readme(candidate(tmp_path / "b", {"mode": "x"}, ""), WHO, V61)
    assert "made outside a git checkout" in bare and "git checkout " not in bare.replace("git checkout,", "")
    assert bare.rstrip().endswith("The run recorded none.") and "accuracy run was made at" not in bare
    inferred = measurements.readme(replace(candidate(tmp_path / "c"), stands_for="bert-99.9"), WHO, V61)
    assert "**Inferred:** the bert-99.9 result is also used for bert-99" in inferred


def test_calibration_is_told_for_each_precision_once(tmp_path: Path) -> None:
    plain = candidate(tmp_path / "a", precision="fp16")
    calibrated = {**PROVENANCE, "engine": {"settings": {"calibration_sha256": "cafe"}}}
    int8 = candidate(tmp_path / "b", calibrated, precision="int8")
    page = measurements.calibration_page([plain, plain, int8])
    assert page.count("fp16, not quantised. No calibration was used.") == 1
    assert page.count("int8. The ranges come from the calibration recorded in the engine: cafe.") == 1
    assert "taken over from another tree" not in page
    other = Candidate("s", "b", "o", tmp_path, tmp_path)
    assert "taken over from another tree" in measurements.calibration_page([other])
    assert "the engine: cafe." in measurements.calibration_page([other, int8]), "what comes after it is told, too"


# ── truncation ─────────────────────────────────────────────────────────

PLACE = Place("open", "Example", "DGX", "bert-99", "Offline")


def staged(tmp_path: Path, data: bytes, audit: str = "") -> Path:
    """The accuracy log of a result in a tree."""
    shape = LAYOUTS["inside"]
    shape.results_dir(tmp_path / "tree", PLACE).mkdir(parents=True, exist_ok=True)
    folder = shape.accuracy_dir(tmp_path / "tree", PLACE)
    folder = shape.compliance_dir(tmp_path / "tree", PLACE) / audit / "accuracy" if audit else folder
    folder.mkdir(parents=True)
    (folder / ACCURACY_LOG).write_bytes(data)
    (folder / "accuracy.txt").write_text("score\n")
    return folder / ACCURACY_LOG


@pytest.mark.parametrize("size", [VIEWABLE - 1, VIEWABLE, 20_000])
def test_a_log_keeps_both_ends_and_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    data = bytes(range(1, 251)) * (size // 250 + 1)
    log = staged(tmp_path, data[:size])
    assert not truncation.is_truncated(log)
    [done] = truncation.truncate(tmp_path / "tree")
    digest = hashlib.sha256(data[:size]).hexdigest()
    assert done.log == log and done.digest == digest and done.kept.read_bytes() == data[:size]
    cut = data[:size][:VIEWABLE] + b"\n\n...\n\n" + data[:size][-VIEWABLE:]
    assert log.read_bytes() == (cut if size >= VIEWABLE else data[:size])
    assert log.with_name("accuracy.txt").read_text() == f"score\n\nhash={digest}\n" and truncation.is_truncated(log)
    assert truncation.truncate(tmp_path / "tree") == []
    known = json.loads((truncation.full_results_dir() / "digests.json").read_text())
    assert known == {str(done.kept.relative_to(truncation.full_results_dir())): digest}


def test_only_the_logs_with_a_limit_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    logs = {name: staged(tmp_path, b"x" * 20_000, name) for name in ("", "TEST01", "TEST06")}
    assert set(truncation.accuracy_logs(tmp_path / "tree")) == {logs[""], logs["TEST01"]}
    assert len(truncation.truncate(tmp_path / "tree")) == 2 and logs["TEST06"].stat().st_size == 20_000
    with pytest.raises(MissingError, match="no submission tree at"):
        truncation.truncate(tmp_path / "none")


def test_a_cut_log_without_its_hash_cannot_be_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    log = staged(tmp_path, b"a" * VIEWABLE + b"\n\n...\n\n" + b"b" * VIEWABLE)
    with pytest.raises(RunError, match=r"is truncated, but its accuracy\.txt has no hash"):
        truncation.truncate(tmp_path / "tree")
    log.write_bytes(b"a" * (2 * VIEWABLE + 7))
    assert len(truncation.truncate(tmp_path / "tree")) == 1, "of the same size, and whole"


def test_the_whole_log_of_another_tree_is_kept_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    staged(tmp_path, b"x" * 20_000)
    [first] = truncation.truncate(tmp_path / "tree")
    shutil.rmtree(tmp_path / "tree")
    staged(tmp_path, b"y" * 20_000)
    [second] = truncation.truncate(tmp_path / "tree")
    assert second.kept == first.kept and second.kept.read_bytes()[:1] == b"y"
    assert truncation.set_aside(first.kept, first.digest).read_bytes()[:1] == b"x"
    assert truncation.set_aside(Path("/a/b.json"), "0123456789abcdef") == Path("/a/b.0123456789ab.json")


# ── the tarball ────────────────────────────────────────────────────────


def test_a_tarball_has_no_trace_of_the_machine(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "b").mkdir(parents=True)
    (tree / "b" / "two.txt").write_text("2")
    (tree / "a.txt").write_text("1")
    (tree / "a.txt").chmod(0o600)
    done = packing.pack(tree, tmp_path)
    assert done.files == 2 and done.tarball.name == "mlperf_submission.tar.gz"
    with tarfile.open(done.tarball) as archive:
        entries = archive.getmembers()
    assert [(e.name, e.mode, e.mtime, e.uid, e.gid, e.uname, e.gname) for e in entries] == [
        ("a.txt", 0o644, 0, 0, 0, "", ""),
        ("b", 0o755, 0, 0, 0, "", ""),
        ("b/two.txt", 0o644, 0, 0, 0, "", ""),
    ]
    assert [line.split("  ")[1] for line in done.manifest.read_text().splitlines()] == ["a.txt", "b/two.txt"]
    with gzip.open(done.tarball) as raw:
        raw.read(1)
        assert raw.mtime == 0  # type: ignore[attr-defined]
    before = done.tarball.read_bytes()
    os.utime(tree / "a.txt", (5, 5))
    assert packing.pack(tree, tmp_path).tarball.read_bytes() == before


@pytest.mark.parametrize("fault", ["link", "pipe", "control", "long", "nothing"])
def test_what_a_tarball_cannot_hold_is_refused(tmp_path: Path, fault: str) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    error, words = UsageError, ""
    if fault == "link":
        (tree / "x").symlink_to("/etc/passwd")
        words = "is a symbolic link"
    elif fault == "pipe":
        os.mkfifo(tree / "x")
        words = "is neither a file nor a directory"
    elif fault == "control":
        (tree / "x\n").write_text("")
        words = "control characters"
    elif fault == "long":
        (tree / ("x" * 101)).write_text("")
        words = "does not fit into a USTAR archive"
    else:
        error, words = MissingError, "nothing to pack"  # type: ignore[assignment]
    with pytest.raises(error, match=words):
        packing.pack(tree, tmp_path)
    assert not (tmp_path / "mlperf_submission.tar.gz").exists()


def test_encryption_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tarball = tmp_path / packing.TARBALL
    with pytest.raises(MissingError, match="does not exist"):
        packing.encrypt(tarball, "")
    tarball.write_text("x")
    with pytest.raises(MissingError, match="passphrase file"):
        packing.encrypt(tarball, str(tmp_path / "none"))
    for text in ("", "\nsecret\n"):
        (tmp_path / "pass").write_text(text)
        with pytest.raises(UsageError, match="the first line of"):
            packing.encrypt(tarball, str(tmp_path / "pass"))
    monkeypatch.setattr(packing.shutil, "which", lambda _: None)
    with pytest.raises(MissingError, match="openssl is not installed"):
        packing.encrypt(tarball, "")
    command = packing.decryption_command(tmp_path / "x.enc")
    assert command == "openssl enc -d -aes-256-cbc -pbkdf2 -iter 600000 -in x.enc -out mlperf_submission.tar.gz"


# ── audits of a result ─────────────────────────────────────────────────


def audit(run: runs.Run, test: str, **changed: Any) -> Path:
    folder = compliance.test_dir(run, test)
    folder.mkdir(parents=True)
    record = {"test": test, "passed": True, "engine": run.engine, "seeds": dict(V61.seeds), **changed}
    (folder / "audit.json").write_text(json.dumps(record))
    return folder


def test_only_passed_audits_of_the_same_engine_and_round_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    one = candidate(tmp_path)
    run = one.performance_run
    assert run is not None and compliance.stored_tests(one, V61) == {}
    good = audit(run, "TEST01")
    audit(run, "TEST04", passed=False)
    audit(run, "TEST05", engine="other")
    audit(run, "TEST06", seeds={})
    assert compliance.stored_tests(one, V61) == {"TEST01": good} and compliance.stored_tests(one, V50) == {}
    assert good == tmp_path / "build/compliance_logs/DGX_openvino/bert-99/Offline/TEST01"
    assert compliance.stored_tests(replace(one, scenario="Server", measured="Offline"), V61) == {"TEST01": good}
    assert compliance.stored_tests(replace(one, benchmark="x", stands_for="bert-99"), V61) == {"TEST01": good}
    assert compliance.stored_tests(replace(one, performance_run=None), V61) == {}
    tree = replace(one, tree_files={"compliance": good.parent})
    assert list(compliance.stored_tests(tree, V50)) == ["TEST01", "TEST04", "TEST05", "TEST06"]
    older = light.run(tmp_path / "older", round_="v5.0")
    assert compliance.test_dir(older, "TEST01").name == "TEST01.v5.0"
    assert compliance.read_record(good)["passed"] is True and compliance.read_record(tmp_path) == {}
    with pytest.raises(MissingError, match="engine none no longer exists"):
        compliance.require_engines([tmp_path / "none"])
    compliance.require_engines([])


# ── the summary ────────────────────────────────────────────────────────


def test_the_summary_as_csv_and_json(tmp_path: Path) -> None:
    row = {**dict.fromkeys(report_columns.COLUMNS, ""), "Result": 1.5, "notes": "+1", "Platform": "a,b"}
    table, data = report_columns.write(tmp_path, [row])
    assert (table.name, data.name) == ("summary.csv", "summary.json") and json.loads(data.read_text()) == [row]
    head, line = table.read_text().splitlines()
    assert head.count(",") == len(report_columns.COLUMNS) - 1 and '"1.5"' in line and '"\'+1"' in line and '"a,b"' in line
    assert [report_columns._no_formula(text) for text in ("=1", "-x", "@x", "\tx", "\rx", "x=1", 5)] == [
        "'=1",
        "'-x",
        "'@x",
        "'\tx",
        "'\rx",
        "x=1",
        5,
    ]
