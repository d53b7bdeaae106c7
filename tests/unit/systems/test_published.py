"""Public figures: the committed ones are the rounds' own, and no config of the project expects less than hardware has shown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from code.benchmarks.benchmark import definition_of
from code.common.constants import PowerSetting
from code.plan.request import parse_benchmark
from code.rules.benchmarks import BENCHMARKS, facts_of
from code.systems.data import token_results
from code.systems.data.public_configs import PUBLIC_CONFIGS
from code.systems.data.published import LATENCIES, PUBLISHED
from code.systems.data.results import MACHINES
from code.systems.estimate import FIELD_OF, latencies, rates
from code.systems.known_hardware import KnownGPU, KnownMIG
from code.systems.prediction import measured
from code.systems.system_list import KnownSystem, System
from configs import loading
from configs.inspection import system_of

ACCELERATORS = {
    "NVIDIA GH200 Grace Hopper Superchip 144GB": "GH200_GraceHopper_144GB",
    "NVIDIA GH200 Grace Hopper Superchip 96GB": "GH200_GraceHopper_96GB",
    "NVIDIA H100-NVL-94GB": "H100_NVL",
    "NVIDIA H100-PCIe-80GB": "H100_PCIe_80GB",
    "NVIDIA H100-SXM-80GB": "H100_SXM_80GB",
    "NVIDIA H200-SXM-141GB": "H200_SXM_141GB",
    "NVIDIA L4": "L4",
    "NVIDIA L4-PCIe-24GB": "L4",
    "NVIDIA L40S": "L40S",
    "NVIDIA Jetson AGX Orin 64G": "Orin",
    "NVIDIA GeForce RTX 4090": "GeForceRTX_4090",
    "NVIDIA RTX-2000E-Ada-16GB": "RTX_2000E_Ada",
    "NVIDIA H200-NVL-141GB": "H200_NVL",
    "NVIDIA B200-SXM-180GB": "B200_SXM_180GB",
    "NVIDIA B300-SXM-270GB": "B300_SXM_270GB",
    "NVIDIA RTX PRO 4500 Blackwell": "RTX_PRO_4500",
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": "RTX_PRO_6000",
}
"""How results spell an accelerator, and its known name."""

LATENCY_SLACK = 2.0
"""How many times faster than expected a SingleStream or MultiStream run may be (loadgen/loadgen.cc, GenerateQueries)."""


def expectations(scenario: str, power: PowerSetting = PowerSetting.MaxP) -> Iterator[tuple[System, str, float, type[Any]]]:
    """Each GPU config of the project at a power setting: its system, the benchmark with its target, the expected value, and its class."""
    for short in sorted(BENCHMARKS):
        benchmark = parse_benchmark(short)
        found = next((s for s in definition_of(benchmark).scenarios if s.name == scenario), None)
        for entry in () if found is None else loading.load(benchmark, found)[0].entries:
            system = KnownSystem[system_of(entry)]
            target = facts_of(short).targets[entry.setting.accuracy_target.name]
            if system.accelerator and entry.setting.power_setting is power:
                yield system, target.full_name, getattr(entry.cls, FIELD_OF[scenario]), entry.cls


@pytest.fixture(autouse=True)
def _own_configs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(loading.CUSTOM_ENVIRONMENT, raising=False)
    loading.forget()


def test_offline_runs_of_the_best_public_hardware_are_long_enough() -> None:
    checked = 0
    for system, full_name, expected, cls in expectations("Offline"):
        for figure in rates(full_name, "Offline"):
            if (figure.accelerator, figure.accelerators) == (system.accelerator, system.accelerators):
                checked += 1
                assert expected >= figure.value, (cls, figure.source)
            elif figure.accelerator == system.accelerator and figure.is_result:
                assert expected * 1.05 >= figure.each * system.accelerators, (cls, figure.source)
    assert checked > 60


def test_latencies_are_expected_no_longer_than_published() -> None:
    checked = 0
    for system, full_name, expected, cls in expectations("SingleStream"):
        for figure in latencies(full_name.rpartition("-")[0], full_name):
            if figure.accelerator == system.accelerator:
                checked += 1
                assert expected < LATENCY_SLACK * figure.value, (cls, figure.source)
                assert expected <= figure.value or not figure.is_result, (cls, figure.source)
    assert checked > 20


def test_a_multistream_query_takes_longer_than_half_of_what_is_expected() -> None:
    """No query of eight takes less than eight samples' share of the best Offline rate."""
    offline = {
        (system.name, full_name): expected / system.accelerators for system, full_name, expected, _ in expectations("Offline")
    }
    for system, full_name, expected, cls in expectations("MultiStream"):
        assert expected < LATENCY_SLACK * 8e9 / offline[system.name, full_name], cls


@pytest.mark.parametrize("scenario", ["Server", "Interactive"])
def test_server_targets_are_below_what_was_completed(scenario: str) -> None:
    for system, full_name, expected, cls in expectations(scenario):
        for figure in rates(full_name, scenario):
            if (figure.accelerator, figure.accelerators) == (system.accelerator, system.accelerators):
                assert expected < figure.value or (not figure.is_result and expected == figure.value), (cls, figure.source)
                assert expected > 0.8 * figure.value or not figure.is_result, (cls, figure.source)


def test_every_public_maxq_result_has_a_config_with_a_power_limit_that_expects_it() -> None:
    public = {
        (name, scenario): rate
        for machine in MACHINES
        if machine.system.endswith("_MaxQ")
        for name, rates_ in machine.rates.items()
        for scenario, rate in zip(("Offline", "Server"), rates_, strict=True)
        if rate is not None
    }
    checked = set()
    for scenario in ("Offline", "Server"):
        for system, full_name, expected, cls in expectations(scenario, PowerSetting.MaxQ):
            assert system.name == "H200_SXM_141GBx8" and 200 <= cls.power_limit < 700
            rate = public[full_name, scenario]
            assert rate <= expected < 1.01 * rate if scenario == "Offline" else 0.99 * rate < expected < rate, cls
            checked.add((full_name, scenario))
    assert checked == set(public) and len(checked) == 10


@pytest.mark.parametrize("scenario", ["Offline", "Server"])
def test_batches_and_streams_are_those_of_public_configs(scenario: str) -> None:
    public = {(row.system, row.benchmark): row for row in PUBLIC_CONFIGS if row.scenario == scenario}
    checked = 0
    for system, full_name, _, cls in expectations(scenario):
        row = public.get((system.name, full_name))
        short = full_name.rpartition("-")[0]
        if row is not None and short != "3d-unet":  # its batches are of windows, as the project cuts them
            checked += 1
            assert (cls.gpu_batch_size[short], cls.gpu_inference_streams) == (row.batch, row.streams), cls
    assert checked > 20


def test_public_figures_are_of_known_hardware() -> None:
    for row in PUBLIC_CONFIGS:
        assert KnownSystem.get(row.system) is not None and row.expected > 0 and row.batch > 0
    for accelerator in {row.accelerator for row in (*PUBLISHED, *LATENCIES)}:
        assert accelerator in KnownGPU or accelerator in KnownMIG
    assert all(row.best >= row.samples_per_second for row in PUBLISHED)


def test_the_committed_results_are_the_rounds_own(shared: Path) -> None:
    def results(name: str) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = json.loads((shared / "facts" / name).read_text(encoding="utf-8"))["results"]
        return content

    found: dict[tuple[str, int, str, str, str], list[float]] = {}
    for row in results("published_results_v4.1.json"):
        rate = row.get("samples_per_second") or row.get("completed_samples_per_second")
        if row["validity"] == "VALID" and row["division"] == "closed" and str(row["number_of_nodes"]) == "1" and rate:
            name = ACCELERATORS.get(row["accelerator_model_name"])
            if name:
                key = (name, int(row["accelerators_per_node"]), row["benchmark"], row["scenario"], "v4.1")
                found.setdefault(key, []).append(rate)
    latest: dict[tuple[str, str, str], float] = {}
    for row in results("published_results_later.json"):
        name = ACCELERATORS.get(row["Accelerator"])
        if row["Performance_Units"] == "Samples/s" and name:
            key = (name, int(row["a#"]), row["Model"], row["Scenario"], row["version"])
            found.setdefault(key, []).append(float(row["Performance_Result"]))
        elif row["Scenario"] == "SingleStream" and name:
            latest[name, row["Model"], row["version"]] = float(row["Performance_Result"])
    committed = {
        (r.accelerator, r.accelerators, r.benchmark, r.scenario, r.round): r
        for r in PUBLISHED
        if r.benchmark != token_results.BENCHMARK
    }
    for key, row_ in committed.items():
        values = found[key]
        assert row_.submissions == len(values)
        assert row_.samples_per_second == pytest.approx(statistics.median(values), rel=1e-5)
        assert row_.best == pytest.approx(max(values), rel=1e-5)
    assert {key for key in found if key[4] == "v4.1"} == {key for key in committed if key[4] == "v4.1"}
    each = sorted(
        (*point[:4], float(f"{rate:.6g}"))
        for point, rate in measured()
        if not point.configured and point.benchmark != token_results.BENCHMARK
    )
    assert each == sorted((*key[:4], float(f"{value:.6g}")) for key, values in found.items() for value in values)
    for latency in LATENCIES:
        assert latency.milliseconds == pytest.approx(latest[latency.accelerator, latency.benchmark, latency.round], rel=1e-5)


def test_the_committed_results_in_tokens_per_second_are_the_rounds_own(shared: Path) -> None:
    content = json.loads((shared / "facts" / "published_results_later.json").read_text(encoding="utf-8"))["results"]
    wanted = sorted(
        (
            row["version"],
            row["Submitter"],
            row["Platform"],
            ACCELERATORS[row["Accelerator"]],
            int(row["a#"]),
            row["Scenario"],
            rate,
        )
        for row in content
        for rate in [float(row["Performance_Result"])]
        if row["Model"] == token_results.BENCHMARK and row["Accelerator"] in ACCELERATORS
    )
    committed = sorted(
        (row.round, row.submitter, row.system, row.accelerator, row.accelerators, scenario, float(rate))
        for row in token_results.TOKEN_RESULTS
        for scenario, rate in zip(token_results.SCENARIOS, (row.offline, row.server, row.interactive), strict=True)
        if rate is not None
    )
    assert committed == wanted and len(committed) > 80
    vllm = {row["Platform"] for row in content if row["Model"] == token_results.BENCHMARK and "vLLM" in row["Platform"]}
    assert {row.system for row in token_results.TOKEN_RESULTS if row.submitter == "RedHat"} == vllm


def test_results_in_tokens_per_second_of_all_rounds_count_together() -> None:
    found = {
        (one.accelerator, one.accelerators, one.scenario): one for one in PUBLISHED if one.benchmark == token_results.BENCHMARK
    }
    server = found["H200_NVL", 4, "Server"]
    assert (server.submissions, server.round) == (2, "v5.1 and v6.0")
    assert server.samples_per_second == pytest.approx((25753.8 + 25731.6) / 2 / 128) and server.best == pytest.approx(
        25753.8 / 128
    )
    assert found["B300_SXM_270GB", 8, "Interactive"].samples_per_second == pytest.approx(128633 / 128)
    assert ("L40S", 1, "Interactive") not in found and found["L40S", 1, "Offline"].round == "v5.1"


def test_predictions_use_tensorrts_results_in_tokens_per_second() -> None:
    points = {
        (point.machine, point.scenario): (point, rate) for point, rate in measured() if point.benchmark == token_results.BENCHMARK
    }
    assert len(points) == 2 * sum(row.submitter != "RedHat" for row in token_results.TOKEN_RESULTS)
    point, rate = points["NVIDIA B300-SXM-270GBx8_TRT v6.0", "Server"]
    assert (point.accelerator, point.accelerators, point.network) == ("B300_SXM_270GB", 8, "llama3.1-8b")
    assert rate == pytest.approx(141565 / 128)
