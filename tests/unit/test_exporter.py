"""Telemetry and runs as metrics: named by Prometheus' rules, and served on loopback."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

import pytest

from code.results.page.index import Entry
from code.submission import exporter
from code.telemetry.families import readings
from code.telemetry.source import UNKNOWN, Source
from tests.unit.acting import Act
from tests.unit.submission import light


def source(name: str, **columns: float) -> Source:
    return Source(name, tuple(columns), lambda: list(columns.values()))


def test_readings_have_base_units_and_labels() -> None:
    found = readings(
        [
            source("processors", cpu0_busy_s_total=5.0, cpu1_busy_s_total=UNKNOWN),
            source("system", load=0.5, throttled_s_total=1.0),
            source("gpu1", power_w=300.0, energy_j_total=9.0, sm_clock_mhz=1980.0),
            source("gpu1_links", pcie_sent_bytes_total=7.0),
        ]
    )
    assert [(one.name, one.counter, dict(one.labels), one.value) for one in found] == [
        ("mlperf_processors_cpu_busy_seconds", True, {"cpu": "0"}, 5.0),
        ("mlperf_system_load", False, {}, 0.5),
        ("mlperf_system_throttled_seconds", True, {}, 1.0),
        ("mlperf_gpu_power_watts", False, {"gpu": "1"}, 300.0),
        ("mlperf_gpu_energy_joules", True, {"gpu": "1"}, 9.0),
        ("mlperf_gpu_sm_clock_megahertz", False, {"gpu": "1"}, 1980.0),
        ("mlperf_gpu_pcie_sent_bytes", True, {"gpu": "1"}, 7.0),
    ]


def test_the_newest_result_of_each_workload() -> None:
    def entry(name: str, number: float | None, day: int, mode: str = "PerformanceOnly") -> Entry:
        return Entry(name, mode, "", number, "VALID", "DGX", "int8", f"2026-01-0{day}")

    old, new, other = entry("bert-99 Offline", 1.0, 1), entry("bert-99 Offline", 2.0, 2), entry("bert-99 Server", 3.0, 1)
    assert exporter.newest(
        [old, new, other, entry("bert-99 Offline", None, 3), entry("bert-99 Offline", 9.0, 4, "AccuracyOnly")]
    ) == [
        new,
        other,
    ]


def test_a_scrape_has_counters_gauges_and_runs(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client", reason="prometheus-client is not installed: make packages_exporter")
    folder = tmp_path / "X" / "bert-99" / "Offline"
    folder.mkdir(parents=True)
    (folder / "INCOMPLETE").write_text("")
    server, thread = exporter.start(exporter.Collector([source("processors", cpu0_busy_s_total=5.0)], tmp_path), 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/metrics", timeout=30) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        thread.join()
    assert re.search(r'^mlperf_processors_cpu_busy_seconds_total{cpu="0"} 5.0$', text, re.M)
    assert "# TYPE mlperf_run_result gauge" in text and 'mlperf_runs{state="incomplete"} 1.0' in text


def test_without_the_package_it_names_the_command(act: Act, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    status, text = act("telemetry_exporter", f"--log_dir={tmp_path}")
    assert status == 3 and "prometheus_client cannot be imported" in text and "make telemetry_exporter" in text


def test_a_scrape_has_each_result_in_the_unit_of_its_metric(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client", reason="prometheus-client is not installed: make packages_exporter")
    light.write_run(tmp_path / "a", result_validity="VALID", result_samples_per_second=1234.5)
    latency = {"result_90.00_percentile_latency_ns": 2_500_000}
    light.write_run(tmp_path / "b", scenario="SingleStream", result_validity="INVALID", **latency)
    found = {one.name: one for one in exporter.Collector([], tmp_path).collect()}
    results = {tuple(sample.labels.values()): sample.value for sample in found[exporter.RESULT].samples}
    assert results == {
        ("bert-99", "Offline", "PerformanceOnly", "DGX_openvino", "samples/s"): 1234.5,
        ("bert-99", "SingleStream", "PerformanceOnly", "DGX_openvino", "ms (90 %)"): 2.5,
    }
    assert list(found[exporter.RESULT].samples[0].labels) == [*exporter.LABELS, "unit"]
    counts = {sample.labels["state"]: sample.value for sample in found["mlperf_runs"].samples}
    assert counts == {"valid": 1, "invalid": 1}
