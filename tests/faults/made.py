"""Makes what foreign programs write: a detail log, a run's folder, a NIfTI file."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

from code.results import metadata
from code.results.departures import departures
from code.results.loadgen_log import read_detail
from code.results.verdict import judge
from code.rules.rounds import round_named

IDENTITY = metadata.RunIdentity(
    "bert-99",
    "bert",
    "X_OpenVINO-custom_k_99_MaxP-Offline",
    "X_OpenVINO",
    "a machine",
    "Offline",
    "PerformanceOnly",
    "openvino_version",
    "1",
)
EVENTS: dict[str, Any] = {
    "loadgen_version": "6.0.17 @ 0000000000",
    "test_datetime": "2026-01-01T00:00:00Z",
    "sut_name": "harness.openvino",
    "qsl_reported_total_count": 10833,
    "qsl_reported_performance_count": 10833,
    "requested_scenario": "Offline",
    "requested_test_mode": "PerformanceOnly",
    "requested_min_query_count": 10833,
    "effective_scenario": "Offline",
    "effective_test_mode": "PerformanceOnly",
    "effective_samples_per_query": 24576,
    "effective_target_qps": 30.5,
    "effective_min_duration_ms": 600000,
    "effective_max_duration_ms": 0,
    "effective_min_query_count": 1,
    "effective_min_sample_count": 24576,
    **{f"effective_{name}": seed for name, seed in round_named("v6.1").seeds.items()},
    "effective_performance_sample_count": 10833,
    "generated_query_count": 1,
    "generated_samples_per_query": 24576,
    "result_validity": "VALID",
    "result_min_duration_met": True,
    "result_min_queries_met": True,
    "early_stopping_met": True,
    "result_query_count": 1,
    "result_samples_per_second": 40.25,
    "result_min_latency_ns": 1000,
    "result_max_latency_ns": 610000000000,
    "result_mean_latency_ns": 300000000000,
    "result_50.00_percentile_latency_ns": 300000000000,
    "result_99.90_percentile_latency_ns": 609000000000,
}
"""A VALID Offline run of BERT as LoadGen logs it, shortened: key → value."""


def line(key: str, value: Any, **more: Any) -> str:
    """One event of a detail log."""
    place = {"is_error": False, "is_warning": False, "file": "loadgen.cc", "line_no": 1, "pid": 1, "tid": 1}
    event = {"key": key, "value": value, "time_ms": 0.1, "namespace": "mlperf::logging", "event_type": "POINT_IN_TIME"}
    return ":::MLLOG " + json.dumps({**event, "metadata": {**place, **more}})


def detail(folder: Path, **changed: Any) -> Path:
    """A detail log with some values changed."""
    path = folder / "mlperf_log_detail.txt"
    path.write_text("".join(line(key, value) + "\n" for key, value in {**EVENTS, **changed}.items()), encoding="utf-8")
    return path


def run_folder(folder: Path, **changed: Any) -> Path:
    """The folder of a complete run, sealed; `changed` are values of its detail log."""
    folder.mkdir(parents=True)
    detail(folder, **changed)
    (folder / "mlperf_log_summary.txt").write_text("Result is : VALID\n")
    (folder / "user.conf").write_text("bert.Offline.target_qps = 30.5\n")
    log = read_detail(folder)
    verdict = judge(log, departures(log, "bert-99", round_named("v6.1")))
    metadata.write_metadata(folder, metadata.performance_metadata(IDENTITY, log, verdict))
    return folder


def nifti(
    path: Path,
    shape: tuple[int, ...] = (8, 8, 8),
    spacing: tuple[float, float, float] = (1.6, 1.2, 1.2),
    kind: int = 4,
    voxels: int | None = None,
    offset: float = 352.0,
    magic: bytes = b"n+1\0",
    size: int = 348,
    trailing: bytes = b"",
) -> Path:
    """A NIfTI-1 file with this header, inflated or not as its name says.

    Args:
        kind: NIfTI's code of the voxels' type.
        voxels: bytes of zeros after the header; None for as many as the header says of int16.
    """
    header = nifti_header(shape, spacing, kind, offset, magic, size)
    count = voxels
    if count is None:
        count = 2
        for extent in shape:
            count *= max(0, extent)
    content = header + b"\0" * count + trailing
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


def nifti_header(
    shape: tuple[int, ...] = (8, 8, 8),
    spacing: tuple[float, float, float] = (1.6, 1.2, 1.2),
    kind: int = 4,
    offset: float = 352.0,
    magic: bytes = b"n+1\0",
    size: int = 348,
) -> bytes:
    """The 352 bytes before the voxels of a NIfTI-1 file without extensions."""
    dims = [len(shape), *shape, *([1] * (7 - len(shape)))]
    header = bytearray(348)
    struct.pack_into("<i", header, 0, size)
    struct.pack_into("<8h", header, 40, *dims)
    struct.pack_into("<hh", header, 70, kind, 16)
    struct.pack_into("<8f", header, 76, 1.0, *spacing, 1.0, 1.0, 1.0, 1.0)
    struct.pack_into("<f", header, 108, offset)
    struct.pack_into("<ff", header, 112, 1.0, 0.0)
    struct.pack_into("<h", header, 254, 1)  # sform
    for row in range(3):
        struct.pack_into("<4f", header, 280 + 16 * row, *(spacing[row] if column == row else 0.0 for column in range(4)))
    header[344:348] = magic
    return bytes(header) + b"\0" * 4
