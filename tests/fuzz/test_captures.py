"""Captures of any content are read, or refused in words; a system that is added from one can be read back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed; run `make packages_dev`")
from hypothesis import given
from hypothesis import strategies as st

from code.common.errors import HarnessError
from code.machine import detect
from code.preflight import run_checks
from code.systems import custom, description
from code.systems.matching import match
from code.systems.system_list import KnownSystem
from tests.fuzz.examples import THROUGH_MAIN, each, fuzzed, said
from tests.fuzz.harm import json_bytes

CAPTURES = [
    json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).resolve().parents[1] / "captures").glob("*.json"))
]
COMMANDS = (
    ("--action=info",),
    ("--action=explain", "--benchmarks=bert", "--scenarios=offline"),
    ("--action=doctor",),
    ("--action=run", "--dry_run", "--benchmarks=bert,gptj", "--scenarios=all"),
)
ADD = ("--action=add_system", "--name=fuzzed", "--yes=1", "--benchmarks=bert")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for captures, with a place for the systems that are added."""
    root = tmp_path_factory.mktemp("captures")
    (root / "definitions").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(custom.DEFINITION_PATH, str(root / "definitions"))
        patch.setenv("BUILD_DIR", str(root / "build"))
        patch.setattr(custom, "project_list", lambda: root / "none.py")
        patch.setattr(description, "project_root", lambda: root)
        KnownSystem.forget()
        yield root
    KnownSystem.forget()
    detect.forget()


@pytest.mark.full
@fuzzed
@given(
    content=st.one_of([json_bytes(capture) for capture in CAPTURES]), whole=each(THROUGH_MAIN), command=st.sampled_from(COMMANDS)
)
def test_captures(content: bytes, whole: bool, command: tuple[str, ...], folder: Path) -> None:
    path = folder / "capture.json"
    path.write_bytes(content)
    detect.forget()
    try:
        found = detect.detect(path)
        run_checks(found.machine, found)
        match(found)
    except HarnessError as error:
        assert error.what and error.exit_status in (2, 3)
    if whole:
        detect.forget()
        said([*command, f"--capture={path}"])
        detect.forget()
        said([*ADD, f"--capture={path}"])
        if "fuzzed" in KnownSystem:
            said(["--action=list_systems"])
            assert not KnownSystem.problems
            said(["--action=remove_system", "--name=fuzzed", "--yes=1"])
        KnownSystem.forget()
        assert not [one for one in (folder / "definitions").rglob("*") if one.is_file()], "what was added is taken back whole"
