"""Each test has an empty build folder; one that a test has not written to is the next one's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.surroundings import GIVEN, Surroundings


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HYPOTHESIS_STORAGE_DIRECTORY", "")
        one = Surroundings()
        yield one
        one.leave()
    assert not list(tmp_path.iterdir())


def build_of(surroundings: Surroundings) -> Path:
    variables = surroundings._variables()
    assert variables["MLPERF_SCRATCH_PATH"] == f"{variables['BUILD_DIR']}/scratch" != GIVEN.get("MLPERF_SCRATCH_PATH")
    build = Path(variables["BUILD_DIR"])
    assert os.listdir(build) == ["scratch"] and not os.listdir(build / "scratch")  # noqa: PTH208
    return build


def test_a_build_folder_that_was_not_written_to_serves_again(surroundings: Surroundings) -> None:
    first = build_of(surroundings)
    assert build_of(surroundings) == first


def test_one_that_was_written_to_is_left_to_its_test(surroundings: Surroundings) -> None:
    first = build_of(surroundings)
    (first / "engines").mkdir()
    second = build_of(surroundings)
    (second / "scratch/data").touch()
    third = build_of(surroundings)
    shutil.rmtree(third)
    fourth = build_of(surroundings)
    assert len({first, second, third, fourth}) == 4
