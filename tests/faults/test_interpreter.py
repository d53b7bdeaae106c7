"""`python3 -m code.main` under a Python that cannot run it says which one and what to call; a signal at any moment ends it with 130."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WORDS = ("-m", "code.main", "--action=list_systems")
RUN = "import runpy, sys; sys.path.insert(0, {root!r}); sys.argv = ['-m']; runpy.run_module({module!r})"
"""What `python3 -m MODULE` does, also for a Python that is started without site-packages (-S)."""


def started(project: Path, *words: str, python: str = sys.executable, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**{k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VENV")}, **variables}
    return subprocess.run([python, *words], cwd=project, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("module", ["code.main", "code.harness.python"])
def test_a_python_without_the_packages(project: Path, module: str) -> None:
    done = started(project, "-I", "-S", "-c", RUN.format(root=str(project), module=module))
    assert done.returncode == 3, done.stderr
    lines = done.stderr.splitlines()
    assert [line[:6] for line in lines] == ["error:", "  why:", "  next"]
    assert sys.executable in lines[0] and "numpy" in lines[1] and "call make" in lines[2]


def test_a_python_of_another_version(project: Path) -> None:
    done = started(project, "-c", "import code, sys; sys.version_info = (3, 8, 1, 'final', 0); code._begin_process()")
    assert done.returncode == 3 and "Python 3.8.1" in done.stderr and "3.10 to 3.13" in done.stderr, done.stderr


def test_the_first_file_is_read_by_old_pythons(project: Path) -> None:
    ast.parse((project / "code" / "__init__.py").read_text(), feature_version=(3, 6))
    assert "from __future__" not in (project / "code" / "__init__.py").read_text(), "Python 3.6 has no annotations feature"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_harness_is_imported(project: Path, tmp_path: Path, number: signal.Signals) -> None:
    """A module that every command imports early and at once, dataclasses, sends it, so that it always comes in time."""
    (tmp_path / "dataclasses.py").write_text(f"import os, time\nos.kill(os.getpid(), {int(number)})\ntime.sleep(20)\n")
    done = started(project, *WORDS, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_a_signal_at_any_moment(project: Path) -> None:
    """Before this project's first line runs, Python itself ends by the signal; after that the status is 130 and the word is there."""
    for delay_s in (0.1, 0.25, 0.4, 0.6, 0.8):
        process = subprocess.Popen(
            [sys.executable, *WORDS], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        time.sleep(delay_s)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        if process.returncode == 130:
            assert errors.strip().endswith("interrupted"), errors
        else:
            assert (process.returncode, errors) in ((-signal.SIGTERM, ""), (0, ""))
