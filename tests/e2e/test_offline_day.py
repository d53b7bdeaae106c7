"""A first day without a network: clone, environment, run, data, tests and submission, by scripts/offline_day.sh."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


@pytest.mark.full
@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_first_day_without_a_network(project: Path, tmp_path: Path) -> None:
    wheels, mirror = os.environ.get("WHEELHOUSE", ""), os.environ.get("MLPERF_MIRROR", "")
    if not Path(wheels or "/none").is_dir() or not Path(mirror or "/none").is_dir():
        pytest.skip("set WHEELHOUSE and MLPERF_MIRROR to folders that `make wheelhouse` and `make export_mirror` wrote")
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("unshare -rn is refused on this machine: no network namespace can be made")
    command = [str(project / "scripts" / "offline_day.sh"), wheels, mirror, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("passed  submission")
