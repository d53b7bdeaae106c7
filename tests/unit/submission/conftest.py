"""Runs and trees that tests may harm."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from code.submission.pack import truncation
from code.submission.stage import candidates, lay_out, staging
from code.submission.stage.record import record_path
from tests.surroundings import once
from tests.unit.submission.made import SETTINGS, SYSTEM_ID, description, sealed, who, write_run

LITTLE = ("docker",)
"""Folders of source code in the trees of tests that look at other things: the whole source is a thousand files."""


@pytest.fixture
def whole_source() -> None:
    """For tests that look at the source code in a tree."""


@pytest.fixture(autouse=True)
def little_source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree has little source code, except for tests that ask for `whole_source`."""
    if "whole_source" not in request.fixturenames:
        monkeypatch.setattr(lay_out, "SOURCE_FOLDERS", LITTLE)


def write_pairs(root: Path) -> None:
    """A shortened pair of each scenario, as a log folder has them."""
    parent = root / "2026.01.01-00.00.00" / SYSTEM_ID / "bert-99"
    names = {"PerformanceOnly": "{}", "AccuracyOnly": "{}.2"}
    with ThreadPoolExecutor(3) as several:  # LoadGen mostly waits
        made = [
            several.submit(write_run, parent / name.format(scenario), scenario, mode)
            for scenario in SETTINGS
            for mode, name in names.items()
        ]
    for one in made:
        one.result()


@pytest.fixture(scope="session")
def master_runs() -> Path:
    """A log folder with a shortened pair of each scenario, made once."""
    pytest.importorskip("mlperf_loadgen", reason="mlcommons-loadgen is not installed: make venv")
    return once("submission-logs", write_pairs)


@pytest.fixture
def logs(master_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of those runs that a test may harm, and a build folder of its own."""
    monkeypatch.setenv("BUILD_DIR", str(tmp_path / "build"))
    monkeypatch.delenv("LOG_DIR", raising=False)
    target = tmp_path / "build" / "logs"
    shutil.copytree(master_runs, target)
    for path in target.rglob("run.json"):
        content = json.loads(path.read_text())
        content["output_dir"], content["user_conf"] = str(path.parent), str(path.parent / "user.conf")
        path.write_text(json.dumps(content))
        sealed(path.parent)
    systems = tmp_path / "systems"
    systems.mkdir()
    monkeypatch.setattr("code.submission.stage.system_file.description_path", lambda name: systems / f"{name}.json")
    (systems / f"{SYSTEM_ID}.json").write_text(json.dumps(description()))
    return target


@pytest.fixture
def staged(logs: Path) -> Path:
    """A tree for v6.1, staged and truncated, with nothing wrong in it."""
    found, findings = candidates.from_logs(logs)
    staging.stage(found, findings, who(), staging.submission_dir())
    truncation.truncate(staging.submission_dir())
    return staging.submission_dir()


@pytest.fixture(scope="session")
def good(master_runs: Path) -> Path:
    """A good tree, made once; tests work on copies."""
    return once("submission-tree", lambda root: write_tree(root, master_runs)) / "tree"


def write_tree(root: Path, master_runs: Path) -> None:
    """Stage and truncate the runs in root/tree."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUILD_DIR", str(root))
        patch.setattr(lay_out, "SOURCE_FOLDERS", LITTLE)
        (root / "systems").mkdir()
        (root / "systems" / f"{SYSTEM_ID}.json").write_text(json.dumps(description()))
        patch.setattr("code.submission.stage.system_file.description_path", lambda name: root / "systems" / f"{name}.json")
        found, findings = candidates.from_logs(master_runs)
        staging.stage(found, findings, who(), root / "tree")
        truncation.truncate(root / "tree")


@pytest.fixture
def tree(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the good tree with the record of what was staged."""
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    target = tmp_path / "tree"
    shutil.copytree(good, target)
    shutil.copyfile(record_path(good), record_path(target))
    return target


@pytest.fixture
def foreign(tree: Path) -> Path:
    """The same tree as somebody else's: this harness has no record of it."""
    record_path(tree).unlink()
    return tree
