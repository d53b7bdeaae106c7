"""What every test may use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def locks() -> Iterator[None]:
    """Locks of devices of this session's own: tests do not wait for runs that use the machine."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("HARNESS_LOCK_DIR")
        os.environ["HARNESS_LOCK_DIR"] = folder
        yield
        if before is None:
            del os.environ["HARNESS_LOCK_DIR"]
        else:
            os.environ["HARNESS_LOCK_DIR"] = before


def reference_folder() -> Path:
    """The folder of real data, models and facts that some tests compare with: MLPERF_TEST_DATA, else `shared` beside the project."""
    return Path(os.environ.get("MLPERF_TEST_DATA") or ROOT.parent / "shared")


REFERENCE_ABSENT = (
    "no reference data: MLPERF_TEST_DATA names no folder with facts/, data/ and models/, which the project may not publish "
    "(README.md, 'Tests that skip')"
)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data; tests that need it skip where it is absent."""
    folder = reference_folder()
    if not (folder / "facts").is_dir():
        pytest.skip(REFERENCE_ABSENT)
    return folder
