"""Test runs share compiled modules where Python may not write them beside their source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COLLECTED = "tests/unit/test_empty.py"


FILES = ("pyproject.toml", "code/__init__.py", "code/common", COLLECTED, *(f"tests/{name}.py" for name in (
    "__init__", "compiled", "conftest", "empty", "left_behind", "surroundings", "workers",
)))  # fmt: skip
"""What that file needs of the project: the real conftest.py of the unit tests imports 600 modules more."""


@pytest.fixture
def tree(project: Path, tmp_path: Path) -> Path:
    """A small copy of the project, in which collecting a test imports one module of it after `compiled.keep`."""
    root = tmp_path / "tree"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if (project / name).is_dir():
            shutil.copytree(project / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(project / name, root / name)
    (root / "tests/unit/conftest.py").write_text("from code.common import errors\n")
    return root


def collect(project: Path, **variables: str) -> None:
    """Collect one test file in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "HARNESS_"))}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", COLLECTED]
    environment = {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables}
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120, env=environment)
    assert "tests collected" in done.stdout, done.stdout + done.stderr  # it fails where somebody writes to the checkout


def test_the_second_run_compiles_only_what_has_changed(tree: Path, tmp_path: Path) -> None:
    variables = {"PYTHONDONTWRITEBYTECODE": "1", "HARNESS_BYTECODE_DIR": str(tmp_path / "kept")}
    collect(tree, **variables)
    found = {path.name.partition(".")[0]: path for path in (tmp_path / "kept").rglob("*.pyc")}
    assert {"test_empty", "conftest", "empty", "errors"} <= set(found)
    assert not [path for path in found.values() if "site-packages" in str(path) and "pytest" not in path.name], (
        "others' modules are left where they are"
    )
    rewritten, plain = found["test_empty"], found["empty"]
    assert "pytest" in rewritten.name and "pytest" not in plain.name
    times = {path: path.stat().st_mtime_ns for path in found.values()}
    rewritten.write_bytes(b"")
    collect(tree, **variables)
    again = {path: path.stat().st_mtime_ns for path in found.values()}
    assert {path for path in found.values() if again[path] != times[path]} == {rewritten} and rewritten.stat().st_size > 1000


def test_nothing_is_kept_where_no_folder_is_named_or_the_user_has_one(tree: Path, tmp_path: Path) -> None:
    collect(tree, PYTHONDONTWRITEBYTECODE="1")
    collect(tree, PYTHONPYCACHEPREFIX=str(tmp_path / "users"), HARNESS_BYTECODE_DIR=str(tmp_path / "kept"))
    assert not (tmp_path / "kept").exists() and list((tmp_path / "users").rglob("test_empty*.pyc"))
