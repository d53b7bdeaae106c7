"""What strangers write: one bad item costs itself, and nothing is an unforeseen exception."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from code import main
from code.benchmarks.unet3d import nifti
from code.common import jsonfile
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.machine.detect import detect, forget
from code.preflight import run_checks
from code.results.departures import departures
from code.results.loadgen_log import read_detail
from code.results.verdict import judge
from code.rules.rounds import round_named
from code.submission.stage import runs
from code.systems import matching
from code.systems.matching import match
from tests.faults import made
from tests.faults.wrong import CAPTURES, WRONG, changed, places

# ── captures ─────────────────────────────────────────────────────────────────────────────────


def examined(path: Path) -> None:
    """All that a capture is read for."""
    forget()
    detected = detect(path)
    run_checks(detected.machine, detected)
    match(detected)


@pytest.mark.parametrize("name", ["h100_sxm_80gbx1", "a100_mig_1g_5gb", "cpu_x86_64"])
def test_a_capture_with_other_types_is_read_or_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "KnownSystem", list(matching.KnownSystem)[::7])  # to compare with all takes most of the time
    content = json.loads((CAPTURES / f"{name}.json").read_text(encoding="utf-8"))
    path = tmp_path / "capture.json"
    tried = 0
    for at in places(content):
        for value in WRONG[tried % 7 :: 7]:  # a seventh of the values in each place, all of them somewhere
            path.write_text(json.dumps(changed(content, at, value)), encoding="utf-8")
            tried += 1
            try:
                examined(path)
            except HarnessError as error:
                assert error.what and error.exit_status in (2, 3)
    forget()
    assert tried > 150


def test_a_value_that_cannot_be_right_is_left_out_with_a_note(tmp_path: Path) -> None:
    content = json.loads((CAPTURES / "h100_sxm_80gbx1.json").read_text(encoding="utf-8"))
    gpu = content["probes"]["nvml"]["gpus"][0]
    gpu["power_limit_max_w"], gpu["name"] = float("nan"), "NVIDIA H100\nimport os"
    (tmp_path / "c.json").write_text(json.dumps(content))
    forget()
    found = detect(tmp_path / "c.json")
    assert found.gpus[0].kind.max_power_limit is None and found.gpus[0].kind.name == "NVIDIA H100 import os"
    assert any("nvml.gpus[0].power_limit_max_w is nan" in note for note in found.notes)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not valid JSON"),
        (b"[", "not valid JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[]", '"format"'),
        (b'{"format": 5}', '"format"'),
        (b"1e999", '"format"'),
        (b"9" * 6000, "not valid JSON"),
    ],
    ids=lambda value: str(value[:12]),
)
def test_what_is_not_a_capture(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        detect(tmp_path / "c.json")
    assert words in caught.value.why and caught.value.next_step


def test_a_pipe_is_not_a_capture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.json")
    with pytest.raises(UsageError, match="not a capture"):
        detect(tmp_path / "c.json")
    with pytest.raises(jsonfile.DamagedError, match="at most 10 are read"):
        (tmp_path / "long.json").write_text("[" + "1," * 20 + "1]")
        jsonfile.read(tmp_path / "long.json", 10)


# ── detail logs ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", sorted(made.EVENTS))
def test_a_detail_log_with_other_types_is_read_or_refused(key: str, tmp_path: Path) -> None:
    for value in WRONG:
        made.detail(tmp_path, **{key: value})
        try:
            log = read_detail(tmp_path)
            verdict = judge(log, departures(log, "bert-99", round_named("v6.1")))
            assert verdict.word in ("VALID", "INVALID")
        except RunError as error:
            assert error.next_step


def test_the_line_of_a_wrong_value_is_named(tmp_path: Path) -> None:
    made.detail(tmp_path, effective_min_duration_ms="600000")
    with pytest.raises(RunError, match="not a line of LoadGen's detail log") as caught:
        read_detail(tmp_path)
    row = 1 + list(made.EVENTS).index("effective_min_duration_ms")
    assert (
        caught.value.where.endswith(f":{row}") and "effective_min_duration_ms is '600000', not a whole number" in caught.value.why
    )


# ── metadata.json ────────────────────────────────────────────────────────────────────────────


def listed(logs: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main.main(["--action=list_results", f"--log_dir={logs}"])
    printed = capsys.readouterr()
    assert "internal error" not in printed.err and "Traceback" not in printed.err
    return status, printed.out, printed.err


def test_metadata_with_other_types_costs_that_run_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.run_folder(tmp_path / "logs" / "X" / "bert-99" / "Offline")
    bad = made.run_folder(tmp_path / "logs" / "X" / "bert-99" / "Offline.2") / "metadata.json"
    content = json.loads(bad.read_text())
    for key in [*content, "accuracy", "devices", "simulated"]:
        for value in WRONG:
            bad.write_text(json.dumps({**content, key: value}))
            status, out, _ = listed(tmp_path / "logs", capsys)
            assert status == 0 and "40.25 samples/s" in out


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 200_000, b"\xff", b"5", b'{"system_name": 5}'], ids=lambda value: str(value[:8])
)
def test_damaged_metadata_is_named_and_costs_that_run_only(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.run_folder(tmp_path / "logs" / "X" / "bert-99" / "Offline")
    bad = made.run_folder(tmp_path / "logs" / "X" / "bert-99" / "Offline.2") / "metadata.json"
    bad.write_bytes(content)
    _, out, err = listed(tmp_path / "logs", capsys)
    assert out.count("40.25 samples/s") == 1 and "Offline.2 is left out: " in err


@pytest.mark.parametrize("name", ["run.json", "provenance.json"])
def test_other_files_of_a_run_with_other_types(name: str, tmp_path: Path) -> None:
    folder = made.run_folder(tmp_path / "logs" / "X" / "bert-99" / "Offline")
    full = {
        "engines": [{"backend": "x", "folder": "y"}],
        "devices": [{"index": 0, "cores": [1], "streams": 1}],
        "dataset": {"folder": "x", "lengths": "y"},
        "batch": {},
        "record": {},
        "seeds": {},
        "engine": {"model": {"file": "m"}, "settings": {}},
        "plan": {"values": {"precision": {"value": 1, "origin": "default"}}},
        "arguments": ["--a"],
    }
    for at in places(full):
        for value in WRONG:
            (folder / name).write_text(json.dumps(changed(full, at, value)))
            run = runs.read_run(folder)
            assert run is not None
            assert run.engine is not None and run.config is not None and run.provenance is not None


# ── NIfTI ────────────────────────────────────────────────────────────────────────────────────

HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "negative extent": ({"shape": (-5, 8, 8)}, "no voxels"),
    "no extent": ({"shape": (0, 8, 8)}, "no voxels"),
    "four dimensions": ({"shape": (8, 8, 8, 2)}, "4 dimensions"),
    "two dimensions": ({"shape": (8, 8)}, "2 dimensions"),
    "huge": ({"shape": (32767, 32767, 32767), "voxels": 100}, "voxels"),
    "RGB": ({"kind": 128}, "not numbers: RGB"),
    "RGBA": ({"kind": 2304}, "not numbers: RGBA"),
    "complex": ({"kind": 32}, "not numbers: complex"),
    "unknown type": ({"kind": 9999}, "not numbers: of type 9999"),
    "no type": ({"kind": 0}, "not numbers"),
    "spacing of zero": ({"spacing": (0.0, 1.2, 1.2)}, "spacing of 0"),
    "negative spacing": ({"spacing": (-1.6, 1.2, 1.2)}, "spacing of -1.6"),
    "spacing that is not a number": ({"spacing": (float("nan"), 1.2, 1.2)}, "spacing of nan"),
    "endless spacing": ({"spacing": (float("inf"), 1.2, 1.2)}, "spacing of inf"),
    "tiny spacing": ({"spacing": (1e-6, 1e-6, 1e-6)}, "spacing of 1e-06"),
    "huge spacing": ({"spacing": (1e9, 1e9, 1e9)}, "spacing of 1e+09"),
    "large after resampling": ({"shape": (600, 600, 600), "spacing": (50.0, 50.0, 50.0), "voxels": 0}, "after resampling"),
    "voxels before the header": ({"offset": 10.0}, "at byte 10"),
    "voxels nowhere": ({"offset": float("nan")}, "at byte nan"),
    "voxels far away": ({"offset": 3e9}, "at byte 3e+09"),
    "cut off": ({"voxels": 100}, "cannot be read"),
    "another format": ({"size": 5, "magic": b"abc\0"}, "cannot be read"),
}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("name", HEADERS)
def test_a_nifti_header_that_cannot_be_right(name: str, suffix: str, tmp_path: Path) -> None:
    given, words = HEADERS[name]
    path = made.nifti(tmp_path / f"imaging{suffix}", **given)
    with pytest.raises(UsageError) as caught:
        nifti.read_image(path)
    assert words in caught.value.what and caught.value.next_step
    with pytest.raises(UsageError):
        nifti.read_labels(path, (8, 8, 8))
    assert nifti.voxel_count(path) >= 0


def test_a_right_header_is_read(tmp_path: Path) -> None:
    for name in ("a.nii", "a.nii.gz"):
        assert nifti.read_image(made.nifti(tmp_path / name)).voxels.shape == (8, 8, 8)


def test_a_gzip_bomb_is_inflated_no_further_than_its_header_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made.nifti(tmp_path / "bomb.nii.gz", trailing=b"\0" * (64 << 20))
    assert path.stat().st_size < 1 << 20
    seen: list[int] = []
    real = nifti._inflated

    def inflated(data: bytes, most: int) -> bytes:
        out = real(data, most)
        seen.append(len(out))
        return out

    monkeypatch.setattr(nifti, "_inflated", inflated)
    assert nifti.read_image(path).voxels.shape == (8, 8, 8) and seen == [352 + 2 * 8**3]


@pytest.mark.parametrize("harm", ["cut", "flip", "not gzip", "empty"])
def test_a_damaged_gzip_file(harm: str, tmp_path: Path) -> None:
    path = made.nifti(tmp_path / "a.nii.gz", shape=(20, 20, 20))
    data = bytearray(path.read_bytes())
    if harm == "cut":
        data = data[: len(data) - 9]
    elif harm == "flip":
        data[-6] ^= 1  # the check sum
    elif harm == "not gzip":
        data = bytearray(gzip.decompress(bytes(data)))
    else:
        data = bytearray()
    path.write_bytes(bytes(data))
    with pytest.raises(UsageError):
        nifti.read_image(path)
    with pytest.raises(MissingError):
        nifti.read_image(tmp_path / "none.nii.gz")
