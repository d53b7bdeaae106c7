"""What people rely on when runs become a submission tree."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import MissingError, UsageError
from code.common.files import sha256
from code.rules.rounds import ROUNDS, round_named
from code.run.settings import seeds
from code.submission.audit import audit_run
from code.submission.check import report_columns
from code.submission.check.tree_checks import preflight
from code.submission.pack import truncation
from code.submission.stage import candidates, inference, staging
from code.submission.stage.layout import LAYOUTS
from tests.unit.submission import made as helpers


def stage(logs: Path, **who: str) -> staging.Staged:
    """Stage what `logs` holds."""
    found, findings = candidates.from_logs(logs)
    return staging.stage(found, findings, helpers.who(**who), staging.submission_dir())


@pytest.mark.parametrize(
    ("round_", "expected"),
    [
        ("v6.1", ("results/{s}/bert-99/Offline/measurements.json", "results/{s}/bert-99/Offline/user.conf", "src")),
        (
            "v5.0",
            ("measurements/{s}/bert-99/Offline/{s}_openvino_Offline.json", "measurements/{s}/bert-99/Offline/README.md", "code"),
        ),
    ],
)
def test_each_round_gets_its_layout(logs: Path, round_: str, expected: tuple[str, ...]) -> None:
    if round_ != "v6.1":
        for path in logs.rglob("mlperf_log_*.txt"):
            text = path.read_text()
            for name, seed in ROUNDS["v6.1"].seeds.items():
                text = text.replace(str(seed), str(ROUNDS[round_].seeds[name]))
            path.write_text(text)
            helpers.sealed(path.parent)
    done = stage(logs, round_=round_)
    base = done.root / "open" / "Example"
    for name in expected:
        assert (base / name.format(s=helpers.SYSTEM)).exists(), name
    assert (base / "systems" / f"{helpers.SYSTEM}.json").is_file()
    assert (base / "documentation" / "calibration.md").is_file()
    assert {(p.benchmark, p.scenario) for p, *_ in done.results} == {("bert-99", s) for s in helpers.SETTINGS}
    truncation.truncate(done.root)
    assert [f.what for f in preflight(done.root, round_named(round_), "Example") if f.error] == []


def test_the_staged_system_and_measurements_say_who_and_what(staged: Path) -> None:
    base = staged / "open" / "Example"
    system = json.loads((base / "systems" / f"{helpers.SYSTEM}.json").read_text())
    assert (system["submitter"], system["division"], system["system_type"], system["status"]) == (
        "Example",
        "open",
        "edge",
        "available",
    )
    assert "tiny" in system["sw_notes"]
    measured = json.loads((base / "results" / helpers.SYSTEM / "bert-99" / "Offline" / "measurements.json").read_text())
    assert measured["engine"] == helpers.ENGINE
    assert measured["division_note"].startswith("open division only")
    assert measured["retraining"].startswith("Yes")


def test_the_readme_tells_how_to_reproduce_the_result(staged: Path) -> None:
    text = (staged / "open/Example/results" / helpers.SYSTEM / "bert-99/SingleStream/README.md").read_text()
    assert "git checkout abc1234" in text
    assert "--scenarios=SingleStream --config_ver=default --test_mode=PerformanceOnly --max_query_count=1100" in text
    assert "--test_mode=AccuracyOnly" in text
    assert "ab" * 32 in text and helpers.ENGINE in text
    assert "INVALID" in text, "a shortened run says so"


def test_the_newest_complete_run_wins_and_an_incomplete_one_does_not_count(logs: Path) -> None:
    newer = run = helpers.run_folder(logs, "Offline")
    newer = logs / "2026.02.02-00.00.00" / Path(*run.parts[-3:])
    shutil.copytree(run, newer)
    detail = newer / "mlperf_log_detail.txt"
    started = next(line for line in detail.read_text().splitlines() if "test_datetime" in line)
    year = started.split('"value": "')[1][:4]
    detail.write_text(detail.read_text().replace(f'"value": "{year}-', f'"value": "{int(year) + 1}-'))
    assert {c.performance for c in candidates.from_logs(logs)[0] if c.scenario == "Offline"} == {newer}
    (newer / "INCOMPLETE").write_text("x")
    assert {c.performance for c in candidates.from_logs(logs)[0] if c.scenario == "Offline"} == {run}
    (newer / "INCOMPLETE").unlink()
    assert {c.performance for c in candidates.from_logs(logs, [str(run)])[0] if c.scenario == "Offline"} == {run}


def test_newer_runs_for_another_round_do_not_hide_those_of_the_round(logs: Path) -> None:
    for mode in ("PerformanceOnly", "AccuracyOnly"):
        run = helpers.run_folder(logs, "Offline", mode)
        newer = logs / "2026.02.02-00.00.00" / Path(*run.parts[-3:])
        shutil.copytree(run, newer)
        detail = newer / "mlperf_log_detail.txt"
        detail.write_text(re.sub(r'("test_datetime", "value": ")\d{4}', r"\g<1>2099", detail.read_text()))
        spec = json.loads((newer / "run.json").read_text())
        spec["seeds"] = dict(ROUNDS["v5.0"].seeds)
        (newer / "run.json").write_text(json.dumps(spec))

    def folder(round_: str | None) -> Path:
        found, _ = candidates.from_logs(logs, round_=round_named(round_) if round_ else None)
        (one,) = [c for c in found if c.scenario == "Offline"]
        assert one.performance.parents[2] == one.accuracy.parents[2]
        return one.performance.parents[2]

    found, findings = candidates.from_logs(logs, round_=round_named("v5.0"))
    assert [one.scenario for one in found] == ["Offline"], "those of v6.1 are left out, and it is said"
    assert {(f.check, f.error) for f in findings} == {("round", False)} and "run for v6.1" in findings[0].what
    found, findings = candidates.from_logs(logs, round_=round_named("v6.0"))
    assert len(found) == len(helpers.SETTINGS) and not findings, "where there is nothing else, the checks say what is wrong"
    key = (helpers.SYSTEM, "bert-99", "Offline")
    assert folder("v5.0").name == "2026.02.02-00.00.00"
    assert folder("v6.1") == folder(None) != folder("v5.0")
    for name in ("v5.0", "v6.1"):
        performance, _ = audit_run.find_pair(logs, key, "bert", round_named(name))
        assert performance.folder.parents[2] == folder(name), "an audit repeats the run of its round"


def test_a_workload_without_an_accuracy_run_is_named_with_its_command(logs: Path) -> None:
    shutil.rmtree(helpers.run_folder(logs, "Server", "AccuracyOnly"))
    done = stage(logs)
    (finding,) = [f for f in done.findings if f.check == "pair"]
    assert "no AccuracyOnly run of bert-99 Server" in finding.what
    assert "--scenarios=Server --test_mode=AccuracyOnly" in finding.next_step
    assert "Server" not in {p.scenario for p, *_ in done.results}


def test_a_tiny_result_cannot_go_to_closed(logs: Path) -> None:
    with pytest.raises(UsageError, match="nothing could be staged") as caught:
        stage(logs, division="closed")
    assert "open division only" in caught.value.why
    assert not staging.submission_dir().exists()


def test_another_engine_or_setting_in_the_accuracy_run_is_refused(logs: Path) -> None:
    for scenario, part, name, value in (("Offline", "engines", "folder", "/engines/other"), ("Server", "devices", "streams", 7)):
        path = helpers.run_folder(logs, scenario, "AccuracyOnly") / "run.json"
        content = json.loads(path.read_text())
        content[part][0][name] = value
        path.write_text(json.dumps(content))
        helpers.sealed(path.parent)
    done = stage(logs, round_="v6.1")
    assert {f.check for f in done.findings if f.error} == {"engine", "config"}
    assert {p.scenario for p, _, one in done.results if not one.measured} == {"SingleStream", "MultiStream"}
    assert any("devices.0.streams is 7" in f.what for f in done.findings)


@pytest.mark.parametrize(
    ("mode", "name", "old", "new"),
    [
        ("PerformanceOnly", "user.conf", "17", "18"),
        ("PerformanceOnly", "metadata.json", '"fp32"', '"int8"'),
        ("PerformanceOnly", "mlperf_log_detail.txt", "POINT_IN_TIME", "POINT_IN_TIMe"),
        ("PerformanceOnly", "run.json", '"padding": 0.1', '"padding": 0.2'),
        ("AccuracyOnly", "accuracy.txt", "95.5", "99.5"),
        ("AccuracyOnly", "mlperf_log_accuracy.json", '"seq_id"', '"seq_iD"'),
        ("AccuracyOnly", "metadata.json", "95.5", "99.5"),
    ],
)
def test_a_run_whose_files_were_edited_is_left_out(logs: Path, mode: str, name: str, old: str, new: str) -> None:
    path = helpers.run_folder(logs, "Offline", mode) / name
    text = path.read_text()
    path.write_text(text.replace(old, new) if old in text else text + "\n")
    done = stage(logs)
    (finding,) = [f for f in done.findings if f.check == "sealed"]
    assert (
        finding.error and name in finding.what and "Offline" not in {p.scenario for p, _, one in done.results if not one.measured}
    )


def test_single_stream_stands_for_offline_on_edge_and_says_so(logs: Path) -> None:
    for mode in ("PerformanceOnly", "AccuracyOnly"):
        shutil.rmtree(helpers.run_folder(logs, "Offline", mode))
    done = stage(logs)
    inferred = next(one for place, _, one in done.results if place.scenario == "Offline")
    assert inferred.measured == "SingleStream"
    folder = done.root / "open/Example/results" / helpers.SYSTEM / "bert-99/Offline"
    assert "the SingleStream run is used for Offline" in (folder / "README.md").read_text()
    assert "SingleStream" in json.loads((folder / "measurements.json").read_text())["inferred"]
    rows = {row["Scenario"]: row for row in report_columns.rows(done.root, round_named("v6.1"))}
    assert rows["Offline"]["inferred"] == 1 and rows["SingleStream"]["inferred"] == 0
    without = staging.stage(candidates.from_logs(logs)[0], [], helpers.who(), staging.submission_dir(), infer=False)
    assert "Offline" not in {p.scenario for p, *_ in without.results}


def test_single_stream_stands_for_an_offline_result_that_the_checker_trips_on(logs: Path) -> None:
    found, _ = candidates.from_logs(logs)
    gptj = [replace(one, benchmark="gptj-99") for one in found if one.scenario in ("Offline", "SingleStream")]
    rounds = {"gptj-99": round_named("v5.0")}

    def measured(given: list[candidates.Candidate], category: str) -> dict[str, str]:
        return {one.scenario: one.measured for one in inference.inferred(given, rounds, lambda one: category)}

    assert measured(gptj, "edge") == {"Offline": "SingleStream", "SingleStream": ""}
    assert measured(gptj, "datacenter") == {"Offline": "", "SingleStream": ""}
    assert measured(gptj[:1], "edge") == {"Offline": ""}, "there is nothing to stand for it"
    of_a_tree = [replace(one, performance_run=None) for one in gptj]
    assert measured(of_a_tree, "edge") == {"Offline": "", "SingleStream": ""}


def test_a_high_accuracy_result_stands_for_the_lower_target(logs: Path) -> None:
    for path in logs.rglob("metadata.json"):
        helpers.sealed(path.parent, benchmark_full="bert-99.9")
    done = stage(logs)
    assert {p.benchmark for p, *_ in done.results} == {"bert-99", "bert-99.9"}
    folder = done.root / "open/Example/results" / helpers.SYSTEM / "bert-99/Server"
    assert "the bert-99.9 result is also used for bert-99" in (folder / "README.md").read_text()


def test_missing_system_fields_are_asked_for_by_name(logs: Path, tmp_path: Path) -> None:
    content = helpers.description()
    content["cooling"] = content["host_networking"] = ""
    (tmp_path / "systems" / f"{helpers.SYSTEM_ID}.json").write_text(json.dumps(content))
    with pytest.raises(MissingError, match="lacks host_networking, cooling") as caught:
        stage(logs)
    assert "[system]" in caught.value.next_step
    assert not staging.submission_dir().exists(), "no half-made tree"


def test_truncation_keeps_the_whole_log_and_changes_nothing_the_second_time(logs: Path) -> None:
    done = stage(logs)
    log = LAYOUTS["inside"].accuracy_dir(done.root, done.results[0][0]) / "mlperf_log_accuracy.json"
    whole = log.read_bytes()
    cut = truncation.truncate(done.root)
    assert len(cut) == 4
    assert log.read_bytes() == whole[:4096] + b"\n\n...\n\n" + whole[-4096:]
    kept = next(one for one in cut if one.log == log)
    assert kept.kept.read_bytes() == whole and kept.digest == sha256(kept.kept)
    assert log.with_name("accuracy.txt").read_text().rstrip().endswith(f"hash={kept.digest}")
    before = {path: path.read_bytes() for path in done.root.rglob("*") if path.is_file()}
    assert truncation.truncate(done.root) == []
    assert before == {path: path.read_bytes() for path in done.root.rglob("*") if path.is_file()}


def test_trees_of_two_rounds_share_the_folder_of_whole_logs(logs: Path, tmp_path: Path) -> None:
    first = stage(logs).root
    truncation.truncate(first)
    for path in logs.rglob("mlperf_log_accuracy.json"):
        path.write_text(path.read_text() + "\n")
        helpers.sealed(path.parent)
    found, findings = candidates.from_logs(logs)
    second = staging.stage(found, findings, helpers.who(), tmp_path / "second").root
    truncation.truncate(second)
    for tree in (first, second):
        assert [f.what for f in preflight(tree, round_named("v6.1"), "Example") if f.error] == []
    text = first / "open/Example/results" / helpers.SYSTEM / "bert-99/Offline/accuracy/accuracy.txt"
    before = text.read_text()
    text.write_text(before.replace("hash=", "hash=00"))
    assert [f.check for f in preflight(first, round_named("v6.1"), "Example") if f.error] == ["hash"]


def test_truncation_goes_on_after_it_was_interrupted(logs: Path) -> None:
    done = stage(logs)
    log = LAYOUTS["inside"].accuracy_dir(done.root, done.results[0][0]) / "mlperf_log_accuracy.json"
    text = log.with_name("accuracy.txt")
    text.write_text(text.read_text() + f"\nhash={sha256(log)}\n")
    truncation.truncate(done.root)
    assert text.read_text().count("hash=") == 1
    assert truncation.is_truncated(log)


def test_public_results_of_a_past_round_stage_without_loss(shared: Path, tmp_path: Path) -> None:
    found, findings = candidates.from_tree(shared / "data" / "mlperf_logs")
    done = staging.stage(found, findings, helpers.who("v4.1", category="datacenter", submitter="NVIDIA"), tmp_path / "tree")
    places = {(p.benchmark, p.scenario) for p, *_ in done.results}
    assert places >= {("bert-99", "Offline"), ("bert-99", "Server"), ("3d-unet-99", "Offline"), ("gptj-99", "SingleStream")}
    assert [f.what for f in preflight(done.root, round_named("v4.1"), "NVIDIA") if f.error] == []
    for one in found:
        place = next(p for p, _, c in done.results if c.key == one.key)
        for name in ("mlperf_log_detail.txt", "mlperf_log_summary.txt"):
            copied = LAYOUTS["beside"].performance_dir(done.root, place) / name
            assert copied.read_bytes() == (one.performance / name).read_bytes()
    rows = {(row["Model"], row["Scenario"]): row for row in report_columns.rows(done.root, round_named("v4.1"))}
    assert rows["bert-99", "Offline"]["Result"] == 73309.5
    assert rows["gptj-99", "SingleStream"]["Result"] == pytest.approx(4176.62608)


def test_the_harness_runs_with_the_seeds_of_the_round() -> None:
    assert seeds({}, "bert") == dict(ROUNDS["v6.1"].seeds)
    assert seeds({}, "gptj") == dict(ROUNDS["v5.0"].seeds), "the newest round that has it"
    assert seeds({"round": "v5.1"}, "bert") == dict(ROUNDS["v5.1"].seeds)
    assert seeds({"round": "v5.1", "qsl_rng_seed": 7}, "bert")["qsl_rng_seed"] == 7


def newer(logs: Path, scenario: str, mode: str, edit: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a run that started a day later, with its metadata edited."""
    source = helpers.run_folder(logs, scenario, mode)
    folder = logs / "2026.01.02-00.00.00" / source.relative_to(logs).relative_to("2026.01.01-00.00.00")
    shutil.copytree(source, folder)
    for path in folder.glob("mlperf_log_*.txt"):
        path.write_text(re.sub(r'("test_datetime", "value": ")\d{4}', r"\g<1>2999", path.read_text()))
    content = json.loads((folder / "metadata.json").read_text())
    edit(content)
    (folder / "metadata.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("mode", ["PerformanceOnly", "AccuracyOnly"])
def test_the_newest_pair_that_can_be_staged_is_staged(logs: Path, mode: str) -> None:
    """A newer accuracy run below its target, or a newer performance run of another engine, does not hide the good pair."""
    old = helpers.run_folder(logs, "Offline")
    folder = newer(logs, "Offline", mode, lambda content: content.update(accuracy_pass=False))
    if mode == "PerformanceOnly":
        spec = json.loads((folder / "run.json").read_text())
        spec["engines"][0]["folder"] = "/engines/another"
        (folder / "run.json").write_text(json.dumps(spec))
    done = stage(logs)
    (offline,) = [one for place, _, one in done.results if place.scenario == "Offline"]
    assert offline.performance == old and folder not in (offline.performance, offline.accuracy)
    (note,) = [finding for finding in done.findings if "passed over" in finding.what]
    assert not note.error and "--runs=" in note.next_step and str(folder) in note.next_step


def test_a_named_run_is_never_passed_over(logs: Path) -> None:
    folder = newer(logs, "Offline", "AccuracyOnly", lambda content: content.update(accuracy_pass=False))
    found, findings = candidates.from_logs(logs, [str(folder)])
    done = staging.stage(found, findings, helpers.who(), staging.submission_dir())
    assert all(place.scenario != "Offline" for place, *_ in done.results)
    assert any("did not pass" in finding.what and finding.error for finding in done.findings)
