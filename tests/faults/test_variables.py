"""An empty or blank variable counts as unset, for every variable that is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from code.common import paths
from code.fields.table import FIELDS
from code.plan import request
from code.submission.stage import runs
from code.systems import custom
from tests.empty import some

PLACES = ("BUILD_DIR", "MLPERF_SCRATCH_PATH", "ENGINE_DIR", "LOG_DIR", custom.DEFINITION_PATH)
OPTIONS = (*(field.environment for field in FIELDS if not field.placed), *request.OLDER_VARIABLES)


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_options(text: str) -> None:
    words = ("--action=run", "--benchmarks=bert", "--scenarios=offline")
    assert request.parse(words, dict.fromkeys(OPTIONS, text)).given == request.parse(words, {}).given


@pytest.mark.parametrize("name", PLACES)
def test_places(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen() -> list[object]:
        return [paths.build_dir(), paths.scratch_dir(), paths.engine_dir(), runs.log_folder(None), custom.custom_files()]

    monkeypatch.delenv(name, raising=False)
    unset = seen()
    for text in ("", "  "):
        monkeypatch.setenv(name, text)
        assert seen() == unset


def test_nothing_else_reads_a_place_from_the_environment(project: Path) -> None:
    """`paths.variable` is the one reader of these: it knows that blank is unset."""
    reading = re.compile(rf"environ(?:\.get\(|\[)\s*[\"'](?:{'|'.join(PLACES)})[\"']")
    assert not [
        path
        for path in some((project / "code").rglob("*.py")) + some((project / "configs").rglob("*.py"))
        if reading.search(path.read_text(encoding="utf-8"))
    ]
