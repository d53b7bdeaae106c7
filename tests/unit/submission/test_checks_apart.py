"""Checks of the preflight by themselves: upper limits of scores, power-dev's own check, and the files of a power result."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from code.common.errors import MissingError
from code.rules.rounds import round_named
from code.submission.check import log_checks, power_checks
from code.submission.check.finding import Finding
from code.submission.check.log_checks import Claim
from code.submission.check.tree_structure import Tree
from code.submission.stage import layout
from code.submission.stage.layout import Place

LENGTHS = "{'rouge1': 39.0, 'rouge2': 16.5, 'rougeL': 25.0, 'rougeLsum': 36.5, 'gen_len': %d, 'gen_num': 13368}\nhash=0\n"


def of_lengths(path: Path, characters: int, division: str) -> list[Finding]:
    path.write_text(LENGTHS % characters)
    return list(log_checks._scores(path, Claim("llama3.1-8b", "Offline", division, "datacenter", round_named("v6.1"))))


def test_texts_longer_than_allowed_are_an_error_in_closed_and_named_in_open(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.txt"
    result = Claim("llama3.1-8b", "Offline", "closed", "datacenter", round_named("v6.1")).result
    most = result.target.most["GEN_LEN"]
    assert of_lengths(path, int(most), "closed") == []
    (closed,) = of_lengths(path, int(most) + 1000, "closed")
    assert closed.error and closed.check == "accuracy" and closed.what.startswith("GEN_LEN is ")
    assert f"the most that llama3.1-8b allows is {most:.6g}" in closed.what
    (opened,) = of_lengths(path, int(most) + 1000, "open")
    assert not opened.error and opened.what == closed.what and "shows the score" in opened.next_step


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ("nothing", False, "power-dev is not here"),
        ("a folder without it", False, "no power-dev in /nowhere"),
        ("a problem", True, "power-dev's check: Check UUID: they differ"),
    ],
)
def test_the_check_of_power_dev(said: str, error: bool, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def present() -> Path | None:
        if said == "a folder without it":
            raise MissingError("no power-dev in /nowhere", "", "git clone it")
        return None if said == "nothing" else tmp_path

    compliance = power_checks.tools.Compliance(False, ("Check UUID: they differ",), "")
    monkeypatch.setattr(power_checks.tools, "present", present)
    monkeypatch.setattr(power_checks.tools, "compliance", lambda _checkout, _folder: compliance)
    (found,) = power_checks._compliance(tmp_path)
    assert found.error is error and words in found.what and found.check == "power" and found.next_step


# ── Files of a power result ───────────────────────────────────────────────────────────────────────────────

PLACE = Place("open", "Example", "DGX", "bert-99", "Offline")


def powered(root: Path, round_: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Tree, Path]:
    """A tree with every file that a power result has, and its folder of performance runs; what is in the files is not read."""
    tree = Tree(root, round_named(round_))
    folder = tree.shape.results_dir(root, PLACE) / "performance"
    listed = {
        "power": layout.POWER_FILES,
        "ranging": (*layout.PERFORMANCE_FILES, layout.POWER_LOG),
        "run_1": (*layout.PERFORMANCE_FILES, layout.POWER_LOG),
    }
    for name, files in listed.items():
        (folder / name).mkdir(parents=True)
        for file in files:
            (folder / name / file).write_text("x")
    measured = tree.shape.measurements_dir(root, PLACE)
    measured.mkdir(parents=True, exist_ok=True)
    for file in ("analyzer_table.md", "power_settings.md"):
        (measured / file).write_text("x")
    monkeypatch.setattr(power_checks.power_session, "read", lambda _: None)
    monkeypatch.setattr(power_checks.power_session, "problems", lambda _: [])
    monkeypatch.setattr(power_checks, "_compliance", lambda _: [])
    return tree, folder


def power_findings(tree: Tree) -> list[tuple[str, str]]:
    found = list(power_checks.check(tree, PLACE))
    assert all(one.error and one.check == "power" and one.next_step for one in found)
    return [(str(one.path.relative_to(one.path.parents[1])), one.what) for one in found]


@pytest.mark.parametrize("round_", ["v4.1", "v6.1"])
def test_a_power_result_with_all_its_files(tmp_path: Path, round_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, folder = powered(tmp_path, round_, monkeypatch)
    assert power_findings(tree) == []
    (folder / "power").rename(folder / "elsewhere")
    assert power_findings(tree) == [], "a result that claims no power"


def test_each_file_of_a_power_result_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, folder = powered(tmp_path, "v6.1", monkeypatch)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.parent.name == "run_1" and path.name != layout.POWER_LOG:
            continue  # a check of every result
        path.rename(path.with_name("kept"))
        missed = [what for name, what in power_findings(tree) if name == f"{path.parent.name}/{path.name}"]
        assert missed == ["the result claims power, but this file is missing"], path
        path.with_name("kept").rename(path)
    shutil.rmtree(folder / "ranging")
    assert power_findings(tree) == [("performance/ranging", "the result claims power, but this folder is missing")]


def test_other_files_of_a_power_result_are_strays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, folder = powered(tmp_path, "v6.1", monkeypatch)
    for name in (
        "power/notes.txt",
        "ranging/notes.txt",
        "run_1/notes.txt",
        "power/results.json",
        "ranging/mlperf_log_accuracy.json",
    ):
        (folder / name).write_text("x")
    (folder / "power" / "folder").mkdir()
    assert {name for name, _ in power_findings(tree)} == {"power/notes.txt", "ranging/notes.txt"}


def test_settings_of_power_are_asked_for_before_v6_here_or_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, _ = powered(tmp_path, "v4.1", monkeypatch)
    folder = tree.shape.measurements_dir(tmp_path, PLACE)
    (folder / "analyzer_table.md").rename(folder.parents[2] / "analyzer_table.pdf")
    assert power_findings(tree) == []
    (folder.parents[2] / "analyzer_table.pdf").rename(folder.parents[3] / "analyzer_table.pdf")
    assert [name.rpartition("/")[2] for name, _ in power_findings(tree)] == ["analyzer_table.*"]
    (folder / "analyzer_table.md").write_text("")
    assert [(name.rpartition("/")[2], what) for name, what in power_findings(tree)] == [("analyzer_table.md", "empty")]
    modern, _ = powered(tmp_path / "new", "v6.1", monkeypatch)
    for path in modern.shape.measurements_dir(modern.root, PLACE).glob("*.md"):
        path.unlink()
    assert power_findings(modern) == []


def test_what_a_session_says_is_a_finding_on_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, folder = powered(tmp_path, "v6.1", monkeypatch)
    told = [("power/client.json is", "clocks differ"), ("power/none.json", "is not there")]
    monkeypatch.setattr(power_checks.power_session, "problems", lambda _: told)
    assert power_findings(tree) == [("power/client.json", "clocks differ")], "a file that is missing has that finding"

    def refuse(_: Path) -> None:
        raise power_checks.PowerError("client.json cannot be read")

    monkeypatch.setattr(power_checks.power_session, "read", refuse)
    assert power_findings(tree) == [("performance/power", "client.json cannot be read")] and folder.is_dir()
