"""Scripts run as an ordinary account, also where the tests are root's, whom no mode of a file keeps out."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class OtherAccount:
    """Calls environment.sh as an ordinary account, with a python3 that can make environments; also where the tests are root's.

    Args:
        folder: a folder that the account may enter, with a copy of the scripts.
        account: how to become it.
    """

    folder: Path
    account: dict[str, Any]

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the account."""
        environment = {"PATH": os.environ["PATH"], "PYTHON3": str(self.folder / "python3"), "HOME": "/", **variables}
        return subprocess.run(command, capture_output=True, text=True, env=environment, **self.account)


@pytest.fixture
def other_account(project: Path) -> Iterator[OtherAccount]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("scripts", "requirements"):
            shutil.copytree(project / part, folder / "tree" / part)
        (folder / "python3").write_text("#!/bin/bash\n")
        (folder / "python3").chmod(0o755)
        other = OtherAccount(folder, {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {})
        if other.run("test", "-x", str(folder / "tree" / "scripts" / "environment.sh")).returncode:
            pytest.skip("other accounts may not enter the folder for temporary files; TMPDIR=/tmp has one that they may")
        yield other
