"""Run folders with the files of a complete run and no LoadGen: what selecting, pairing and staging read of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from code.common.files import write_json
from code.rules.rounds import round_named
from code.submission.stage import layout, runs
from code.submission.stage.runs import ACCURACY, PERFORMANCE, Run

ENGINE = "/engines/bert-model-openvino-fp32-0123"


def write_run(
    folder: Path,
    mode: str = PERFORMANCE,
    *,
    started: str = "2026-01-01T00:00:00Z",
    round_: str = "v6.1",
    engine: str = ENGINE,
    batch: int = 1,
    **metadata: Any,
) -> Path:
    """A run's folder, complete unless a test removes something."""
    folder.mkdir(parents=True)
    files = layout.ACCURACY_FILES if mode == ACCURACY else layout.PERFORMANCE_FILES
    for name in files:
        (folder / name).write_text("x\n")
    (folder / "mlperf_log_detail.txt").write_text(f':::MLLOG {{"key": "test_datetime", "value": "{started}"}}\n')
    content = {
        "system_name": "DGX_openvino",
        "system_id": "DGX",
        "benchmark_full": "bert-99",
        "benchmark_short": "bert",
        "scenario": "Offline",
        "test_mode": mode,
        "model_variant": "reference",
        **({"accuracy_pass": True, "summary_string": "[PASSED] F1"} if mode == ACCURACY else {}),
    }
    spec = {
        "engines": [{"backend": "openvino", "folder": engine, "precision": "fp32"}],
        "devices": [{"index": 0, "cores": [0], "streams": 1}],
        "dataset": {"kind": "sequence", "count": 10833, "folder": "/data"},
        "batch": {"size": batch},
        "seeds": dict(round_named(round_).seeds),
    }
    write_json(folder / "run.json", spec)
    (folder / "metadata.json").write_text(json.dumps({**content, **metadata}))
    return folder


def run(folder: Path, mode: str = PERFORMANCE, **given: Any) -> Run:
    """The run written there and read again."""
    found = runs.read_run(write_run(folder, mode, **given))
    assert found is not None
    return found
