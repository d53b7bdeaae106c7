"""Campaigns: the file at the door, and the state that survives whatever ends the process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from code.actions import Context, plan_submission
from code.campaign import plan as plans
from code.campaign import progress
from code.campaign.opened import opened
from code.campaign.state import LOCK, CampaignState, RunState, Stage, locked
from code.common.errors import HarnessError, MissingError, UsageError
from code.plan.request import parse
from tests.e2e.in_process import called

GOOD = """
name = "night"
args = "--model_variant=tiny --fast"
repeats = 2
systems = ["L4x1", "ND_H100_v5"]

[[workload]]
benchmarks = ["bert"]
scenarios = ["offline", "server"]

[[workload]]
benchmarks = "bert"
scenarios = ["singlestream"]
systems = ["L4x1"]
repeats = 1
args = "--gpu_batch_size=8"
"""


def file(folder: Path, text: str) -> Path:
    path = folder / "campaign.toml"
    path.write_text(text)
    return path


def test_a_plan_is_workloads_times_systems_times_repeats_and_repeats_come_in_turn(tmp_path: Path) -> None:
    plan = plans.read(file(tmp_path, GOOD))
    labels = [run.label for run in plan.runs]
    assert len(labels) == 2 * 2 * 2 + 1 and len({run.name for run in plan.runs}) == 9
    assert labels.index("bert offline L4x1 (2)") > labels.index("bert server ND_H100_v5 (1)")
    (last,) = [run for run in plan.runs if run.label == "bert singlestream L4x1"]
    assert last.words[:3] == ("--benchmarks=bert", "--scenarios=singlestream", "--system=L4x1")
    assert "--gpu_batch_size=8" in last.words and "--fast" in last.words
    assert {run.system for run in plan.of(("l4X1",)).runs} == {"L4x1"}


def test_a_changed_file_keeps_the_runs_that_it_still_has(tmp_path: Path) -> None:
    before = {run.name for run in plans.read(file(tmp_path, GOOD)).runs}
    after = {run.name for run in plans.read(file(tmp_path, GOOD.replace("repeats = 2", "repeats = 3"))).runs}
    assert before < after and len(after) == 13
    assert not before & {run.name for run in plans.read(file(tmp_path, GOOD.replace("--fast", ""))).runs}


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('name = "night"', 'nmae = "night"', 2, "'name'"),
        ('name = "night"', 'name = "../x"', 2, "names a folder"),
        ("repeats = 2", "repeats = 0", 4, "from 1 to 1,000"),
        ("repeats = 2", "repeats = true", 4, "a whole number"),
        ("--fast", "--fsat", 3, "'fast'"),
        ("--fast", "--log_dir=/x", 3, "log folder of its own"),
        ("--fast", "--fast '", 3, "close the quote"),
        ('benchmarks = "bert"', 'benchmarks = "brt"', 12, "'bert'"),
        ('"server"', '"sever"', 9, "Server"),
        ('args = "--gpu_batch_size=8"', 'args = "--gpu_batch_size=x"', 16, "whole number"),
        ('benchmarks = "bert"', 'benchmarks = "bert"\ntarget = "rum"', 13, "'run'"),
        ('["singlestream"]', '["singlestream"', 14, "not valid TOML"),
        ('scenarios = ["singlestream"]', "", 11, "without scenarios"),
        ('benchmarks = "bert"\nscenarios = ["singlestream"]', 'benchmarks = "3d-unet"\nscenarios = ["server"]', 13, "Server"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, line: int, words: str, tmp_path: Path) -> None:
    assert old in GOOD
    path = file(tmp_path, GOOD.replace(old, new, 1) if old != "--fast" else GOOD.replace(old, new))
    with pytest.raises(HarnessError) as caught:
        plans.read(path)
    assert f"{path}:{line}:" in caught.value.lines()[0] and words in str(caught.value)


def test_a_workload_that_stands_twice_and_a_file_that_is_absent_are_errors(tmp_path: Path) -> None:
    text = GOOD + '\n[[workload]]\nbenchmarks = ["bert"]\nscenarios = ["offline"]\n'
    with pytest.raises(UsageError, match="asked for twice"):
        plans.read(file(tmp_path, text))
    with pytest.raises(MissingError):
        plans.read(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="no workload"):
        plans.read(file(tmp_path, 'name = "x"'))
    with pytest.raises(UsageError, match="no system 'L40'"):
        plans.read(file(tmp_path, GOOD)).of(("L40",))


def test_options_of_runs_beside_the_file_are_refused_not_ignored(tmp_path: Path) -> None:
    path, where = file(tmp_path, GOOD), f"--campaign_dir={tmp_path / 'state'}"
    done = called("--action=campaign", f"--campaign_file={path}", where, "--gpu_batch_size=4", "--dry_run")
    assert done.returncode == 2 and "args" in done.stderr
    assert called("--action=campaign", where).returncode == 2
    done = called("--action=campaign", f"--campaign_file={path}", where, "--node=n1", "--dry_run")
    assert done.returncode == 2 and "has no nodes" in done.stderr
    for word, said in (
        ("10", "asks for 9"),
        ("0", "no run 0"),
        ("bert-offline-L4x1-1-0", "nearest known run is 'bert-offline-L4x1"),
    ):
        done = called("--action=campaign", f"--campaign_file={path}", where, f"--campaign_run={word}")
        assert done.returncode == 2 and said in done.stderr, done.stderr


def test_the_plan_shows_hours_and_what_they_are_estimated_by(tmp_path: Path) -> None:
    path, where = file(tmp_path, GOOD), f"--campaign_dir={tmp_path / 'state'}"
    done = called("--action=campaign", f"--campaign_file={path}", where, "--dry_run", "--json")
    found = json.loads(done.stdout)
    assert len(found["runs"]) == 9 and found["hours"] == pytest.approx(9 * (60 + 10) / 3600)
    assert {run["source"] for run in found["runs"]} == {"LoadGen's least duration"}
    for words, run_s in (("--min_duration=100", 0.1 + 10), ("--min_duration=600000 --model_variant=tiny", 600 + 60)):
        path.write_text(f'name = "x"\n[[workload]]\nbenchmarks = "bert"\nscenarios = ["offline"]\nargs = "{words}"\n')
        found = json.loads(called("--action=campaign", f"--campaign_file={path}", where, "--dry_run", "--json").stdout)
        assert found["hours"] == pytest.approx(run_s / 3600), "a shortened run has less before it, too"
    path.write_text(GOOD.replace(" --fast", "").replace("--model_variant=tiny", ""))
    found = json.loads(called("--action=campaign", f"--campaign_file={path}", where, "--dry_run", "--json").stdout)
    assert {run["source"] for run in found["runs"]} == {"predicted rates"}
    assert not (tmp_path / "state").exists(), "a dry run writes nothing"


def test_stages_follow_from_files_and_locks(tmp_path: Path) -> None:
    run = RunState(tmp_path / "run")
    assert run.stage is Stage.WAITING
    attempt = run.begin(tmp_path / "logs")
    assert attempt.number == 1 and run.stage is Stage.INTERRUPTED
    with locked(run.folder / LOCK) as mine:
        assert mine is not None and run.stage is Stage.RUNNING
    run.fail(4, "it broke", attempt.output)
    assert run.stage is Stage.FAILED and run.failure == {
        "status": 4,
        "reason": "it broke",
        "output": str(attempt.output),
        "attempts": 1,
    }
    assert run.begin(tmp_path / "logs").number == 2
    run.succeed({"seconds": 3.0, "results": []})
    assert run.stage is Stage.DONE and run.failure is None and not (run.folder / "failure.json").exists()
    (run.folder / "result.json").write_text("{")
    assert run.result is None, "a damaged file is none"


def test_a_lock_is_held_by_the_processes_that_inherit_it(tmp_path: Path) -> None:
    run = RunState(tmp_path / "run")
    run.folder.mkdir()
    with locked(run.folder / LOCK) as mine:
        assert mine is not None
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(mine,))
    try:
        assert run.stage is Stage.RUNNING, "the process that took the lock has let go, the run goes on"
    finally:
        child.communicate(b"\n")
    assert run.stage is Stage.WAITING


def test_progress_counts_the_runs_of_every_node_and_of_those_that_have_not_begun(tmp_path: Path) -> None:
    path = file(tmp_path, 'nodes = 3\nargs = "--fast"\n[[workload]]\nbenchmarks = "bert"\nscenarios = ["offline"]\n')
    request = parse(["--action=campaign", f"--campaign_file={path}", f"--campaign_dir={tmp_path / 'state'}"], {})
    campaign = opened(request)
    campaign.record()
    share = campaign.share("n1")
    share.run(campaign.plan.runs[0].name).succeed({"seconds": 70.0, "results": [{"shown": "5 samples/s", "verdict": "VALID"}]})
    share = campaign.share("n2")
    run = share.run(campaign.plan.runs[0].name)
    run.fail(4, "no memory", run.begin(tmp_path / "logs").output)
    found = progress.read(CampaignState(tmp_path / "state" / "campaign"))
    assert found is not None and (found.count(Stage.DONE), found.count(Stage.FAILED), found.absent) == (1, 1, 1)
    assert [(one.node, one.outcome) for one in found.entries] == [("n1", "5 samples/s VALID"), ("n2", "no memory")]
    done = called("--action=campaign_status", f"--campaign_file={path}", f"--campaign_dir={tmp_path / 'state'}")
    assert "1 nodes have not begun" in done.stdout and "failed: bert offline on n2: no memory" in done.stdout
    (as_json,) = json.loads(called("--action=campaign_status", f"--campaign_dir={tmp_path / 'state'}", "--json").stdout)
    assert as_json["done"] == as_json["failed"] == 1 and as_json["active"] is False


def test_two_files_of_one_name_do_not_share_a_state(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    where = f"--campaign_dir={tmp_path / 'state'}"
    opened(parse(["--action=campaign", f"--campaign_file={file(tmp_path / 'a', GOOD)}", where], {})).record()
    request = parse(["--action=campaign", f"--campaign_file={file(tmp_path / 'b', GOOD)}", where], {})
    with pytest.raises(UsageError, match=r"a/campaign\.toml"):
        opened(request)
    (tmp_path / "a" / "campaign.toml").unlink()
    assert opened(request).plan.name == "night", "a file that was moved keeps its state"


def test_what_a_submission_is_missing_becomes_a_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "logs"))
    to = tmp_path / "needed.toml"
    words = [
        "--action=plan_submission",
        "--systems=L4x1,ND_H100_v5",
        "--category=edge",
        "--round=v6.1",
        "--benchmarks=bert",
        f"--to={to}",
    ]
    assert plan_submission.run(Context(parse(words, {}))) == 0
    plan = plans.read(to)
    assert len(plan.runs) == 12 and {run.system for run in plan.runs} == {"L4x1", "ND_H100_v5"}
    assert [run.label for run in plan.of(("L4x1",)).runs][-3:] == [
        "bert Offline L4x1 PerformanceOnly",
        "bert Offline L4x1 AccuracyOnly",
        "bert Offline L4x1 audit TEST01",
    ]
    assert all(run.minutes >= 1 and "--round=v6.1" in run.words for run in plan.runs)
    assert plan_submission.run(Context(parse(words, {}))) == 0, "what it wrote itself is replaced"
    to.write_text("# mine\n")
    with pytest.raises(UsageError, match="was not written by plan_submission"):
        plan_submission.run(Context(parse(words, {})))
