"""scripts/build_harness.sh: the build says what it does while it lasts, and a failed one names its log. The tools are stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

PYTHON = """#!/bin/bash
case $1 in
  */fetch_loadgen.py) echo /loadgen ;;
  -) cat >/dev/null; echo /usr/include - ;;
esac
"""
CMAKE = """#!/bin/bash
case $1 in
  --build) echo "[3/9] Building lane.cc"; sleep 1.5; WHATEVER ;;
  *) while [ $# -gt 0 ]; do [ "$1" = -B ] && mkdir -p "$2" && touch "$2/CMakeCache.txt"; shift; done ;;
esac
"""


def built(project: Path, folder: Path, whatever: str) -> subprocess.CompletedProcess[str]:
    tools, build = folder / "bin", folder / "build"
    tools.mkdir()
    shutil.copytree(project / "scripts", folder / "tree" / "scripts")
    made = f'mkdir -p "{build}/cmake/bin" && touch "{build}/cmake/bin/harness"'
    for name, text in (
        ("python", PYTHON),
        ("cmake", CMAKE.replace("WHATEVER", f"{whatever or made}")),
        ("ninja", "#!/bin/bash\n"),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    environment = {**os.environ, "BUILD_DIR": str(build), "PROGRESS_EVERY": "0.5", "CXX": "bash"}
    command = [str(folder / "tree" / "scripts" / "build_harness.sh"), str(tools / "python")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture(autouse=True)
def _no_sanitizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANITIZE", raising=False)


def test_the_build_shows_how_far_it_is(project: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    done = built(project, tmp_path, "")
    assert done.returncode == 0, done.stderr
    assert "Configuring the C++ harness" in done.stderr and "Compiling the C++ harness: 3 of 9 steps, " in done.stderr
    assert done.stdout == f"built {tmp_path}/build/bin/harness\n"
    assert time.monotonic() - began < 30, "nothing holds the pipes after the end"


def test_a_failed_build_names_its_log(project: Path, tmp_path: Path) -> None:
    done = built(project, tmp_path, 'echo "lane.cc:3: error: expected a thing"; exit 1')
    assert done.returncode == 4 and "expected a thing" in done.stderr
    log = done.stderr.rstrip().rpartition("read ")[2]
    assert Path(log).is_file()
