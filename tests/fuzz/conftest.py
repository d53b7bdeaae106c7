"""A pair of runs and a submission tree, made once; fuzzers harm one file of a copy and put it back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from code.submission.pack import truncation
from code.submission.stage import candidates, staging
from tests.unit.submission.made import SYSTEM_ID, description, who, write_run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A build folder with a shortened Offline pair in logs/, and beside it the description of its system."""
    pytest.importorskip("mlperf_loadgen", reason="mlcommons-loadgen is not installed: make venv")
    root = tmp_path_factory.mktemp("home")
    parent = root / "build" / "logs" / "2026.01.01-00.00.00" / SYSTEM_ID / "bert-99"
    write_run(parent / "Offline", "Offline", "PerformanceOnly")
    write_run(parent / "Offline.2", "Offline", "AccuracyOnly")
    (root / "systems").mkdir()
    (root / "systems" / f"{SYSTEM_ID}.json").write_text(json.dumps(description()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUILD_DIR", str(root / "build"))
        patch.delenv("LOG_DIR", raising=False)
        patch.setattr("code.submission.stage.system_file.description_path", lambda name: root / "systems" / f"{name}.json")
        patch.setattr("code.submission.stage.inference.project_root", lambda: root, raising=False)
        yield root


@pytest.fixture(scope="module")
def tree(home: Path) -> Path:
    """The tree of that pair, staged and truncated, without the project's source."""
    found, findings = candidates.from_logs(home / "build" / "logs")
    root = staging.submission_dir()
    staging.stage(found, findings, who(), root)
    truncation.truncate(root)
    shutil.rmtree(root / "open" / "Example" / "src")
    return root
