"""OpenVINO sends no usage statistics, and forks nothing, in a process of the harness."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys, time
forks = []
os.register_at_fork(before=lambda: forks.append(1))
import code.backends.base
import openvino
openvino.Core().available_devices
time.sleep(1)
print(len(forks), sys.modules.get("openvino_telemetry"))
"""


def test_openvino_sends_nothing(project: Path) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is not installed; run `make venv`")
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=project, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["0", "None"]), done.stderr
