"""The official checker's checkout, its command line and the reading of its output, on a script that answers as it does."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from code.common import checkout
from code.common.errors import MissingError, RunError
from code.rules.rounds import CURRENT, V50, round_named
from code.submission.check import official

V61 = round_named("v6.1")
SOURCE = checkout.Source("the official checker", official.REPOSITORY, "MLPERF_INFERENCE_DIR", official.NEEDED)
ECHO = """import os, sys
print("INFO:main:Results open/Example/results/s/bert-99/Offline 5.0")
print("arguments", *sys.argv[1:])
print("folder", os.getcwd())
print("path", os.environ["PYTHONPATH"])
print("ERROR:main:loud", file=sys.stderr) if os.path.exists("broken") else None
sys.exit(3 if os.path.exists("failed") else 0)
"""


def place(tmp_path: Path, checker: official.OfficialChecker) -> Path:
    """A checkout whose checker prints how it was called."""
    script = tmp_path / "checkout" / checker.script
    script.parent.mkdir(parents=True)
    script.write_text(ECHO)
    return tmp_path / "checkout"


@pytest.mark.parametrize("checker", [CURRENT, V50], ids=["modern", "older"])
@pytest.mark.parametrize("submitter", ["", "Example"])
def test_the_checker_is_called_in_the_tree_with_round_summary_and_submitter(
    tmp_path: Path, checker: official.OfficialChecker, submitter: str
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    where = place(tmp_path, checker)
    found = official.check(tree, V61, submitter, tmp_path / "out" / "summary.csv", where, checker)
    lines = dict(line.partition(" ")[::2] for line in found.output.splitlines())
    end = ["--submitter", "Example"] if submitter else []
    assert lines["arguments"].split() == [
        "--input",
        ".",
        "--version",
        "v6.1",
        "--csv",
        str(tmp_path / "out" / "summary.csv"),
        *end,
    ]
    assert lines["folder"] == str(tree) and (tmp_path / "out").is_dir()
    assert lines["path"] == str(where / "tools/submission")
    assert found.passed and found.errors == () and found.commit == ""
    assert found.results == ("Results open/Example/results/s/bert-99/Offline 5.0",)


def test_a_status_or_an_error_line_is_no_pass(tmp_path: Path) -> None:
    where = place(tmp_path, V50)
    (tmp_path / "failed").write_text("")
    found = official.check(tmp_path, V61, "", tmp_path / "x.csv", where, V50)
    assert not found.passed and found.errors and "INFO" not in found.errors[-1]
    (tmp_path / "failed").unlink()
    (tmp_path / "broken").write_text("")
    found = official.check(tmp_path, V61, "", tmp_path / "x.csv", where, V50)
    assert not found.passed and found.errors == ("ERROR:main:loud",)


def test_a_checker_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        official.check(tmp_path / "none", V61, "", tmp_path / "x.csv", tmp_path, V50)
    assert "could not be run" in caught.value.what and "run it by hand: " in caught.value.next_step


OUTPUT = """[2026-01-01 00:00:00,000 submission_checker.py:10 INFO] Results closed/A/results/s/bert-99/Offline 10
[2026-01-01 00:00:00,000 x.py:10 ERROR] bad size
INFO:main:NoResults closed/A/results/s
CRITICAL:main:very bad
WARNING:main:only a warning
[2026-01-01 00:00:00,000 x.py:1 ERROR] There are multiple messages with key a
INFO:main:Results=1, NoResults=0
INFO:main:SUMMARY: submission has errors
ERROR in the middle of nothing
"""


def test_the_lines_of_its_output() -> None:
    found = official._read(0, OUTPUT, "abc")
    assert found.results == ("Results closed/A/results/s/bert-99/Offline 10",)
    assert [line.split()[-1] for line in found.errors] == ["size", "bad"] and not found.passed
    assert found.verdict == ("Results=1, NoResults=0", "SUMMARY: submission has errors")
    assert found.output == OUTPUT and found.commit == "abc"
    quiet = official._read(0, "INFO:main:Results=2\n", "")
    assert quiet.passed and quiet.errors == ()
    silent = official._read(2, "", "")
    assert not silent.passed and silent.errors == ("exit status 2",)
    trace = official._read(1, "Traceback\n1\n2\n3\n", "")
    assert not trace.passed and trace.errors == ("1", "2", "3")


# ── the checkout ───────────────────────────────────────────────────────


def test_a_named_checkout_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = place(tmp_path, CURRENT)
    monkeypatch.setenv("MLPERF_INFERENCE_DIR", str(where))
    assert official.checkout((CURRENT, V50)) == (where, CURRENT)
    assert official.checkout((V50, CURRENT)) == (where, CURRENT), "the first that it has"
    with pytest.raises(MissingError) as caught:
        official.checkout((V50,))
    assert V50.commit[:12] in caught.value.why and "unset MLPERF_INFERENCE_DIR" in caught.value.next_step


@pytest.fixture
def cloned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were asked to be cloned to; cloning writes the checker's script."""
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    monkeypatch.delenv("MLPERF_INFERENCE_DIR", raising=False)
    asked: list[Path] = []

    def fetched(source: checkout.Source, commit: str, folder: Path) -> None:
        assert source == SOURCE and len(commit) == 40
        asked.append(folder)
        (folder / CURRENT.script).parent.mkdir(parents=True, exist_ok=True)
        (folder / CURRENT.script).write_text("")

    monkeypatch.setattr(official, "fetch", fetched)
    return asked


def test_it_is_cloned_once_and_again_for_another_commit(
    tmp_path: Path, cloned: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert official.checkout((CURRENT, V50)) == (tmp_path / "inference", CURRENT) and cloned == [tmp_path / "inference"]
    monkeypatch.setattr(official, "commit_of", lambda _: CURRENT.commit)
    official.checkout((CURRENT,))
    assert len(cloned) == 1, "it is there, at that commit"
    official.checkout((replace(CURRENT, commit="0" * 40),))
    assert len(cloned) == 2
    (tmp_path / "inference" / CURRENT.script).unlink()
    official.checkout((CURRENT,))
    assert len(cloned) == 3


def test_without_git_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout.shutil, "which", lambda _: None)
    with pytest.raises(MissingError) as caught:
        checkout.fetch(SOURCE, CURRENT.commit, tmp_path / "inference")
    assert caught.value.why == "git is not installed" and not (tmp_path / "inference").exists()


def test_a_clone_asks_for_that_commit_and_no_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def run(command: list[str], **given: object) -> None:
        assert given["check"] and given["env"]["GIT_TERMINAL_PROMPT"] == "0"  # type: ignore[index]
        called.append(command[3:])

    monkeypatch.setattr(checkout.subprocess, "run", run)
    checkout.fetch(SOURCE, CURRENT.commit, tmp_path / "inference")
    assert [words[0] for words in called] == ["init", "sparse-checkout", "fetch", "-c"]
    whole = replace(SOURCE, parts=())
    checkout.fetch(whole, CURRENT.commit, tmp_path / "whole")
    assert [words[0] for words in called[4:]] == ["init", "fetch", "-c"]
    assert called[1][-3:] == list(official.NEEDED)
    assert called[2][-1] == CURRENT.commit and "--depth=1" in called[2] and "--filter=blob:none" in called[2]

    def fail(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(128, command, stderr="hint: x\nfatal: no network\nlast\n")

    (tmp_path / "inference" / ".git").mkdir(parents=True)
    (tmp_path / "inference" / ".git" / "FETCH_HEAD").write_text("half")
    monkeypatch.setattr(checkout.subprocess, "run", fail)
    with pytest.raises(MissingError) as caught:
        checkout.fetch(SOURCE, CURRENT.commit, tmp_path / "inference")
    assert caught.value.why == "fatal: no network" and CURRENT.commit[:12] in caught.value.next_step
    assert not (tmp_path / "inference" / ".git" / "FETCH_HEAD").exists(), "what is half fetched is not taken for whole"


def test_the_commit_of_a_folder_that_is_no_checkout_is_unknown(tmp_path: Path) -> None:
    assert official.commit_of(tmp_path / "none") == ""


# ── results that it trips on ───────────────────────────────────────────


def test_a_result_that_it_trips_on_is_a_note_with_a_remedy(tmp_path: Path) -> None:
    v50 = round_named("v5.0")

    def write(submitter: str, benchmark: str, scenario: str, text: str) -> Path:
        folder = tmp_path / "open" / submitter / "results" / "s" / benchmark / "Offline" / "performance" / "run_1"
        folder.mkdir(parents=True, exist_ok=True)
        event = {"key": "effective_scenario", "value": scenario, "time_ms": 1.0}
        event["metadata"] = {"is_error": False, "is_warning": False, "file": "x.cc", "line_no": 1}
        (folder / "mlperf_log_detail.txt").write_text(text or f":::MLLOG {json.dumps(event)}\n")
        return folder

    where = write("Example", "gptj-99", "Offline", "")
    write("Example", "bert-99", "Offline", "")
    write("Example", "unknown", "Offline", "")
    [one] = official.faults(tmp_path, v50, "Example", CURRENT)
    assert one.path == where and not one.error and one.check == "checker" and "lacks the data for gptj Offline" in one.what
    assert f"a checkout at {V50.commit[:12]}, which accepts only VALID results" in one.next_step
    assert official.faults(tmp_path, v50, "Another", CURRENT) == [] and len(official.faults(tmp_path, v50, "", CURRENT)) == 1
    assert official.faults(tmp_path, v50, "Example", V50) == [], "the older checker has no such bug"
    for text, scenario in (("", "SingleStream"), ("not a log\n", "")):
        write("Example", "gptj-99", scenario, text)
        assert official.faults(tmp_path, v50, "Example", CURRENT) == []
