"""Packing, encrypting, summaries, and the official scripts on our trees."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from code.common.errors import MissingError, UsageError
from code.common.files import sha256
from code.plan.request import parse
from code.rules.rounds import CURRENT, ROUNDS, V50, round_named
from code.submission.check import official, report_columns
from code.submission.pack import packing, truncation
from code.submission.stage import candidates, identity, staging
from tests.empty import some
from tests.unit.submission import made


def test_the_same_tree_packs_to_the_same_bytes(staged: Path, tmp_path: Path) -> None:
    first = packing.pack(staged, tmp_path / "a")
    for path in staged.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    second = packing.pack(staged, tmp_path / "b")
    assert first.digest == second.digest == sha256(second.tarball)
    with tarfile.open(first.tarball) as archive:
        names = archive.getnames()
        assert names == sorted(names) and names[0] == "open"
        assert all(entry.mtime == 0 and entry.uid == 0 and entry.uname == "" for entry in archive)
    listed = dict(line.split("  ", 1)[::-1] for line in first.manifest.read_text().splitlines())
    assert listed == {str(p.relative_to(staged)): sha256(p) for p in staged.rglob("*") if p.is_file()}


def test_encryption_can_be_undone_with_the_passphrase_alone(staged: Path, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    packed = packing.pack(staged, tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    path, digest = packing.encrypt(packed.tarball, str(secret))
    assert digest == sha256(path) and path.read_bytes()[:8] == b"Salted__"
    command = [*packing.decryption_command(path).split(), "-pass", f"file:{secret}"]
    packed.tarball.rename(tmp_path / "original")
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert sha256(packed.tarball) == packed.digest
    secret.write_text("\n")
    with pytest.raises(UsageError, match="is empty"):
        packing.encrypt(packed.tarball, str(secret))
    with pytest.raises(MissingError, match=r"passphrase file .* does not exist"):
        packing.encrypt(packed.tarball, str(tmp_path / "none"))


def test_summaries_have_the_official_columns(staged: Path, tmp_path: Path) -> None:
    rows = report_columns.rows(staged, round_named("v6.1"))
    table, listing = report_columns.write(tmp_path, rows)
    with table.open() as source:
        read = list(csv.DictReader(source))
    assert len(read) == len(rows) == 4 == len(json.loads(listing.read_text()))
    assert {row["Scenario"]: row["Units"] for row in read}["Server"] == "Queries/s"
    assert all(row["Accuracy"] == "F1: 95.5" and row["Division"] == "open" and row["version"] == "v6.1" for row in read)


def test_identity_comes_from_the_command_line_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "submission.toml"
    head = 'submitter = "A"\ndivision = "closed"\ncategory = "edge"\nstatus = "available"\n'
    file.write_text(head + '[system]\ncooling = "Air"\n[system.X]\ncooling = "Water"\n')
    who = identity.read(parse(["--division=open", f"--submission_file={file}"], {}))
    assert (who.submitter, who.division, who.category) == ("A", "open", "edge")
    assert who.fields_of("X")["cooling"] == "Water" and who.fields_of("Y")["cooling"] == "Air"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('submiter = "A"\n', "unknown key 'submiter'"),
        ('submitter = "A"\n', "division, category, status must be given"),
        ("submitter = 3\n", "submitter is not a string"),
        ('submitter = "A\n', "is not valid TOML"),
        pytest.param("submitter = " + "[" * 20_000, "is not valid TOML", id="nested"),
        ('submitter = "a/b"\ndivision = "open"\ncategory = "edge"\nstatus = "available"\n', "submitter cannot be"),
        ('submitter = "A"\ndivision = "open"\ncategory = "edgy"\nstatus = "available"\n', "unknown category 'edgy'"),
        ('submitter = "A"\ndivision = "open"\ncategory = "edge"\nstatus = "available"\nround = "v9"\n', "unknown round 'v9'"),
    ],
)
def test_a_bad_submission_file_is_said_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "submission.toml"
    file.write_text(text)
    with pytest.raises((UsageError, MissingError), match=says):
        identity.read(parse([f"--submission_file={file}"], {}))


def test_the_checker_is_fetched_at_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed: apt-get install git")
    origin = tmp_path / "origin"
    script = origin / CURRENT.script
    script.parent.mkdir(parents=True)
    script.write_text("print('checked')\n")
    (origin / "large.bin").write_text("not needed")
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for words in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "x"], ["config", "uploadpack.allowFilter", "true"]):
        subprocess.run([git, "-C", str(origin), *words], check=True, capture_output=True)
    commit = official.commit_of(origin)
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    monkeypatch.delenv("MLPERF_INFERENCE_DIR", raising=False)
    monkeypatch.setattr(official, "REPOSITORY", origin.as_uri())
    place, checker = official.checkout([replace(CURRENT, commit=commit)])
    assert (place / CURRENT.script).is_file() and checker.commit == commit and official.commit_of(place) == commit
    assert not (place / "large.bin").exists()
    monkeypatch.setattr(official, "REPOSITORY", (tmp_path / "nothing").as_uri())
    with pytest.raises(MissingError, match="cannot be fetched") as caught:
        official.checkout([CURRENT])
    assert "MLPERF_INFERENCE_DIR" in caught.value.next_step


def test_an_older_checkout_serves_a_round_that_it_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / V50.script).parent.mkdir(parents=True)
    (tmp_path / V50.script).write_text("")
    monkeypatch.setenv("MLPERF_INFERENCE_DIR", str(tmp_path))
    assert official.checkout(round_named("v5.0").checkers) == (tmp_path, V50)
    with pytest.raises(MissingError, match=f"which has no {re.escape(CURRENT.script)}"):
        official.checkout(round_named("v6.1").checkers)


def test_a_result_that_the_checker_refuses_by_its_own_fault_is_named(logs: Path, tmp_path: Path) -> None:
    where = tmp_path / "open/Example/results/System"
    for benchmark, scenario, measured in (
        ("gptj-99", "Offline", "Offline"),
        ("gptj-99.9", "Offline", "SingleStream"),
        ("bert-99", "Offline", "Offline"),
    ):
        folder = where / benchmark / scenario / "performance/run_1"
        folder.mkdir(parents=True)
        shutil.copy(made.run_folder(logs, measured) / "mlperf_log_detail.txt", folder)
    [fault] = official.faults(tmp_path, round_named("v5.0"), "Example", CURRENT)
    assert not fault.error and fault.path == where / "gptj-99/Offline/performance/run_1"
    assert "SingleStream" in fault.next_step and f"checkout at {V50.commit[:12]}" in fault.next_step
    assert official.faults(tmp_path, round_named("v5.0"), "Example", V50) == []


def checkout() -> Path:
    """An mlcommons/inference checkout; skips without one."""
    root = os.environ.get("MLPERF_INFERENCE_DIR", "")
    if not root or not (Path(root) / CURRENT.script).is_file():
        pytest.skip("MLPERF_INFERENCE_DIR names no mlcommons/inference checkout")
    return Path(root)


@pytest.mark.official
@pytest.mark.parametrize("round_", ["v5.0", "v5.1", "v6.0", "v6.1"])
def test_the_official_checker_finds_nothing_wrong(logs: Path, tmp_path: Path, round_: str) -> None:
    place = checkout()
    for path in logs.rglob("mlperf_log_*.txt"):
        text = path.read_text()
        for name, seed in ROUNDS["v6.1"].seeds.items():
            text = text.replace(str(seed), str(ROUNDS[round_].seeds[name]))
        path.write_text(text)
    for path in logs.rglob("metadata.json"):
        made.sealed(path.parent)
    found, findings = candidates.from_logs(logs)
    done = staging.stage(found, findings, made.who(round_), staging.submission_dir())
    truncation.truncate(done.root)
    said = official.check(done.root, round_named(round_), "Example", tmp_path / "summary.csv", place, CURRENT)
    assert said.errors == () and said.passed, said.output
    assert len(said.results) == 4
    with (tmp_path / "summary.csv").open() as source:
        theirs = {row["Scenario"]: row for row in csv.DictReader(source)}
    ours = {row["Scenario"]: row for row in report_columns.rows(done.root, round_named(round_))}
    for scenario, row in theirs.items():
        assert float(row["Result"]) == pytest.approx(ours[scenario]["Result"], rel=1e-12)
        for column in report_columns.COLUMNS:
            if column not in ("Result", "Location", "design_power_watts"):  # the last is "None" where there is no power run
                assert row[column] == str(ours[scenario][column]), (scenario, column)


@pytest.mark.official
def test_the_official_truncation_finds_nothing_left_to_do(staged: Path, tmp_path: Path) -> None:
    script = checkout() / "tools/submission/truncate_accuracy_log.py"
    before = {path: path.read_bytes() for path in staged.rglob("*") if path.is_file()}
    command = [
        sys.executable,
        str(script),
        "--input",
        str(staged),
        "--submitter",
        "Example",
        "--backup",
        str(tmp_path / "backup"),
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert len({line for line in said.splitlines() if "already has hash and size seems truncated" in line}) == 4
    assert "ERROR" not in said
    assert before == {path: path.read_bytes() for path in staged.rglob("*") if path.is_file()}
    assert not (tmp_path / "backup").exists()


@pytest.mark.official
def test_our_truncation_leaves_the_bytes_of_the_official_one(logs: Path, tmp_path: Path) -> None:
    script = checkout() / "tools/submission/truncate_accuracy_log.py"
    found, findings = candidates.from_logs(logs)
    done = staging.stage(found, findings, made.who(), staging.submission_dir())
    command = [
        sys.executable,
        str(script),
        "--input",
        str(done.root),
        "--submitter",
        "Example",
        "--output",
        str(tmp_path / "theirs"),
    ]
    subprocess.run(command, capture_output=True, check=True)
    truncation.truncate(done.root)
    for path in some(done.root.rglob("accuracy/*")):
        assert path.read_bytes() == (tmp_path / "theirs" / path.relative_to(done.root)).read_bytes(), path


def test_a_byte_order_mark_in_submission_toml_is_ignored(tmp_path: Path) -> None:
    file = tmp_path / "submission.toml"
    file.write_bytes(b'\xef\xbb\xbfsubmitter = "Example"\n')
    assert identity.read_file(file)[0]["submitter"] == "Example"
