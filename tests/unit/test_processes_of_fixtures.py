"""Processes that a fixture of several tests keeps are no test's own; `tests/conftest.py` tells them apart from what a test leaves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests import left_behind


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("turn", [1, 2])
def test_a_server_serves_several_tests(turn: int, server: subprocess.Popen[bytes]) -> None:
    """Each of them fails at its end where the server counts as left by it."""
    assert server.poll() is None, turn


def test_a_process_that_a_test_starts_is_its_own(server: subprocess.Popen[bytes]) -> None:
    before = left_behind.state()
    with subprocess.Popen(["sleep", "600"]) as process:
        (line,) = left_behind.changed(before, {str(server.pid)})
        assert line.startswith("child processes") and str(process.pid) in line
        assert left_behind.changed(before, {str(process.pid)}) == []
        process.kill()
    assert left_behind.changed(before) == []
