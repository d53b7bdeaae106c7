"""What is printed for programs: JSON is one document, numbers have units, and a table in a pipe has a row a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from code import main
from code.common import console
from tests.faults import made

PLAN = ("--benchmarks=bert,gptj", "--scenarios=offline,server,multistream", "--backend=simulated", "--system=H100_SXM_80GBx8")


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """The JSON that a command line prints; nothing else may be on standard output."""
    capsys.readouterr()
    assert main.main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "words", [("--action=run", "--dry_run"), ("--action=explain",), ("--action=generate_engines", "--dry_run")]
)
def test_a_plan_of_several_workloads_is_one_json_list(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    listed = printed(capsys, *words, *PLAN)
    pairs = [(one["benchmark_full"], one["scenario"]) for one in listed]
    assert {("bert-99", "Offline"), ("bert-99", "Server"), ("gptj-99", "Server")} <= set(pairs)
    assert all(one["values"]["gpu_batch_size"]["origin"] for one in listed)
    if "--dry_run" in words:
        first = listed[0]
        assert first["engine"]["key"] and len(first["devices"]) == 8 and first["loadgen"]["target_qps"] > 0


def test_a_workload_that_cannot_be_planned_is_an_entry_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    words = ["--action=run", "--dry_run", "--json", "--benchmarks=bert", "--scenarios=offline", "--system=H100_SXM_80GBx8"]
    status = main.main([*words, "--backend=simulated", "--devices=99"])
    (entry,) = json.loads(capsys.readouterr().out)
    assert status == 2 and entry["benchmark_full"] == "bert-99" and entry["error"][0].startswith("error: ")


def test_json_where_an_action_has_none_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    main.main(["--action=report", "--json", f"--log_dir={tmp_path}", f"--report_dir={tmp_path}/report"])
    assert "report does not read it" in capsys.readouterr().err


def test_runs_have_number_and_unit_and_unfinished_ones_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "2026.01.01-00.00.00" / "My_System"
    made.run_folder(root / "bert-99" / "Offline")
    for name, mode in (("Server", "PerformanceOnly"), ("Server.2", "AccuracyOnly"), ("SingleStream", None)):
        folder = root / "bert-99" / name
        folder.mkdir()
        (folder / "INCOMPLETE").touch()
        if mode:
            (folder / "provenance.json").write_text(json.dumps({"mode": mode}))
    listed = printed(capsys, "--action=list_results", f"--log_dir={tmp_path}")
    by_scenario = {(one["scenario"], one["mode"]): one for one in listed}
    assert len(listed) == 4
    whole = by_scenario["Offline", "PerformanceOnly"]
    assert whole["unit"] == "samples/s" and whole["value"] == pytest.approx(float(made.EVENTS["result_samples_per_second"]))
    for key in (("Server", "PerformanceOnly"), ("Server", "AccuracyOnly"), ("SingleStream", "-")):
        assert not by_scenario[key]["complete"] and by_scenario[key]["verdict"].startswith("incomplete: INCOMPLETE marker")
    assert main.main(["--action=list_results", f"--log_dir={tmp_path}"]) == 0
    assert capsys.readouterr().out.count("incomplete: ") == 3


def test_a_table_in_a_pipe_has_a_row_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("x" * 300, "y " * 200), ("short", "Ü" * 130)]
    console.table("A title that is longer than its table", ("A", "B"), rows)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "A title that is longer than its table"
    found = [line for line in lines if line.lstrip().startswith(("x", "short"))]
    assert [line.split()[0] for line in found] == ["x" * 300, "short"] and found[0].count("y") == 200
    assert not any(line.endswith(" ") for line in lines)
