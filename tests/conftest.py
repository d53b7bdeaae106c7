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


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and models beside the project; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared"
    if not (folder / "facts").is_dir():
        pytest.skip(f"no real data and models at {folder}")
    return folder
