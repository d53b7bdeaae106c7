"""Runs and trees of strangers: what cannot be packed, files of other types, and what is no file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from code.benchmarks.unet3d import nifti
from code.common.errors import MissingError, RunError, UsageError
from code.results.loadgen_log import read_detail
from code.rules.rounds import round_named
from code.submission.pack import packing
from code.submission.stage import runs
from tests.faults import made
from tests.faults.wrong import WRONG, changed, places

# ── packing ──────────────────────────────────────────────────────────────────────────────────


def fifo(root: Path) -> None:
    os.mkfifo(root / "closed" / "pipe")


def link(root: Path) -> None:
    (root / "closed" / "link").symlink_to("/etc/passwd")


def long_name(root: Path) -> None:
    folder = root / "closed" / ("d" * 100)
    folder.mkdir()
    (folder / ("f" * 120)).write_text("x")


def deep(root: Path) -> None:
    folder = root.joinpath("closed", *["d" * 60] * 5)
    folder.mkdir(parents=True)
    (folder / "file").write_text("x")


def not_utf8(root: Path) -> None:
    os.close(os.open(bytes(root) + b"/closed/\xff", os.O_CREAT | os.O_WRONLY))


def line_break(root: Path) -> None:
    (root / "closed" / "a\nb").write_text("x")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (fifo, "neither a file nor a directory"),
        (link, "symbolic link"),
        (long_name, "USTAR"),
        (deep, "USTAR"),
        (not_utf8, "not UTF-8"),
        (line_break, "control characters"),
    ],
)
def test_what_cannot_be_packed(harm: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "closed").mkdir(parents=True)
    (root / "closed" / "file").write_text("x")
    harm(root)
    with pytest.raises(UsageError) as caught:
        packing.pack(root, tmp_path)
    assert words in caught.value.what and not list(tmp_path.glob("*.tar.gz*")) and str(caught.value).encode()


# ── everything that reads a run ──────────────────────────────────────────────────────────────

METADATA = {
    "accuracy": [{"name": "F1", "value": 1.0, "threshold": 1.0, "pass": True}],
    "devices": [{"index": 0, "name": "a", "samples": 1, "batches": 1, "busy_share": 0.5}],
}
SPEC = {
    "engines": [{"backend": "x", "folder": "y", "precision": "z"}],
    "devices": [{"index": 0, "cores": [1], "streams": 1}],
    "dataset": {"folder": "x", "lengths": "y"},
    "record": {"device_kind": "CPU"},
}
PROVENANCE = {
    "engine": {"model": {"file": "m", "sha256": "s"}, "settings": {"a": {"b": 1}}},
    "plan": {"values": {"precision": {"value": 1, "origin": "x"}}, "benchmark": "bert", "scenario": "Offline"},
    "arguments": ["--a"],
    "commit": "abc",
}


@pytest.mark.parametrize("name", ["metadata.json", "run.json", "provenance.json"])
def test_pages_lists_comparisons_and_readmes_stand_other_types(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from code.actions import list_results
    from code.results.page import write
    from code.submission import pages
    from code.submission.audit import comparison
    from code.submission.stage import candidates, measurements

    monkeypatch.setattr(write, "_charts", lambda run, log: "")  # slow, and of other files
    folder = made.run_folder(tmp_path / "logs" / "X" / "bert-99" / "Offline")
    usual = json.loads((folder / "metadata.json").read_text())
    content = {"metadata.json": {**usual, **METADATA}, "run.json": SPEC, "provenance.json": PROVENANCE}
    v61 = round_named("v6.1")
    for turn, at in enumerate(places(content[name])):
        for other, whole in content.items():
            (folder / other).write_text(json.dumps(whole))
        for value in WRONG[turn % 5 :: 5]:
            (folder / name).write_text(json.dumps(changed(content[name], at, value)))
            run = runs.read_run(folder)
            if run is None:
                continue
            comparison.of_run(run)
            list_results.listing([run])
            one = candidates.Candidate("X", "bert-99", "Offline", folder, folder, run, run)
            for found in (candidates.pair_findings(one), candidates.sealed_findings(one), candidates.power_findings(one)):
                assert all(finding.what for finding in found)
            measurements.content(one, v61)
            measurements.readme(one, None, v61)  # type: ignore[arg-type]
            measurements.calibration_page([one])
            page = pages.page_of(run)
            write.write_run(page, tmp_path / "report")


@pytest.mark.parametrize("key", ["seq_id", "qsl_idx", "data"])
def test_an_accuracy_log_with_other_types_is_read_or_refused(key: str, tmp_path: Path) -> None:
    from code.results import accuracy_log

    path = tmp_path / accuracy_log.LOG_NAME
    for value in WRONG:
        path.write_text("[" + json.dumps({"seq_id": 0, "qsl_idx": 0, "data": "00", key: value}) + "]\n")
        for read in (accuracy_log.entries, accuracy_log.records):
            try:
                assert all(entry for entry in read(path))  # type: ignore[operator]
            except RunError as error:
                assert error.next_step


@pytest.mark.parametrize(
    "content", [b"", b"[", b"[]", b"{", b"[" * 50_000, b"[5]", b"[null]", b"\xff", b"[\n{}\n]", b"\0" * 99], ids=str
)
def test_what_is_not_an_accuracy_log(content: bytes, tmp_path: Path) -> None:
    from code.results import accuracy_log

    path = tmp_path / accuracy_log.LOG_NAME
    path.write_bytes(content)
    if content == b"[]":
        assert list(accuracy_log.entries(path)) == []
        return
    with pytest.raises(RunError):
        list(accuracy_log.entries(path))


@pytest.mark.parametrize("content", [b"", b"x", b"\x93NUMPY", b"PK\x03\x04", b"\x80\x04."], ids=str)
def test_arrays_of_a_run_that_are_none_leave_their_chart_out(content: bytes, tmp_path: Path) -> None:
    import numpy as np

    from code.results.page import measured

    path = tmp_path / measured.BATCHES_FILE
    path.write_bytes(content)
    assert measured.batches(tmp_path) is None
    for odd in (
        np.array(["a"]),
        np.array([object()]),
        np.full((2, 4), np.nan),
        np.full((2, 4), -1.0),
        np.zeros((2, 3)),
        np.zeros((0, 4)),
    ):
        np.save(path, odd, allow_pickle=True)
        assert measured.batches(tmp_path) is None
    np.save(path, np.ones((2, 4)))
    assert measured.batches(tmp_path) is not None


# ── what is no file ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name", ["mlperf_log_detail.txt", "mlperf_log_accuracy.json", "metadata.json", "run.json", "provenance.json"]
)
def test_a_pipe_in_the_folder_of_a_run_is_not_waited_for(name: str, tmp_path: Path) -> None:
    from code.results import accuracy_log
    from code.results.page import measured

    folder = made.run_folder(tmp_path / "logs" / "X" / "bert-99" / "Offline")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    for _ in runs.find_runs(tmp_path / "logs"):
        pass
    run = runs.read_run(folder)
    if run is not None:
        assert run.config is not None and run.provenance is not None
    if name == "mlperf_log_detail.txt":
        with pytest.raises(RunError, match="cannot read"):
            read_detail(folder)
    with pytest.raises(MissingError):
        list(accuracy_log.entries(folder / accuracy_log.LOG_NAME))
    assert measured.batches(folder) is None


def test_a_pipe_is_not_a_volume(tmp_path: Path) -> None:
    for name in ("a.nii", "a.nii.gz"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(UsageError, match="cannot be read"):
            nifti.read_image(tmp_path / name)
        assert nifti.voxel_count(tmp_path / name) == 0


@pytest.mark.parametrize(
    "content",
    [b"\xff", b"[", b"a=", b"a=" + b"[" * 100_000, b"system = 5", b"division = 5", b"rund = 1"],
    ids=lambda c: str(c[:8]),
)
def test_a_submission_file_that_is_none(content: bytes, tmp_path: Path) -> None:
    from code.plan.request import parse
    from code.submission.stage import identity

    (tmp_path / "s.toml").write_bytes(content)
    with pytest.raises(UsageError):
        identity.read(parse(["--action=stage_results", f"--submission_file={tmp_path}/s.toml"], {}))


@pytest.mark.parametrize(
    "text", ["", "zz", "a" * 64 + "  f\n# size=" + "9" * 5000 + " mtime_ns=1\n", "\0" * 99], ids=lambda t: t[:4]
)
def test_a_damaged_record_of_a_download_is_made_anew(text: str, tmp_path: Path) -> None:
    from code.common.download import record as download_record

    (tmp_path / "f").write_text("content")
    download_record.record_path(tmp_path / "f").write_text(text)
    pinned = download_record.Pinned()
    if text.startswith("a"):
        with pytest.raises(MissingError, match="is not the expected file"):
            download_record.check_existing(tmp_path / "f", pinned)
    else:
        assert download_record.check_existing(tmp_path / "f", pinned)
