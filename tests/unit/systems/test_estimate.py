"""Estimates of expected values, and that they say where they came from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from code.machine.accelerator import GPU
from code.machine.detect import DetectedSystem
from code.systems.estimate import estimate, known_name, speed_of
from code.systems.known_hardware import KnownGPU, KnownMIG


def test_a_published_result_is_taken_as_it_is() -> None:
    found = estimate("bert", "bert-99", "Offline", "H100_SXM_80GB", 8)
    assert found is not None and found.published
    assert found.field == "offline_expected_qps"
    assert found.value == pytest.approx(71683, rel=0.01)
    assert "8 public v4.1 bert-99 Offline results on 8 x H100_SXM_80GB" in found.sentence


def test_count_scales() -> None:
    one = estimate("gptj", "gptj-99", "Offline", "H100_SXM_80GB", 1)
    four = estimate("gptj", "gptj-99", "Offline", "H100_SXM_80GB", 4)
    assert one is not None and four is not None
    assert one.value * 4 == pytest.approx(four.value)
    assert "scaled to 1 by count" in one.sentence and not one.published


def test_another_accelerator_is_scaled_from_the_nearest() -> None:
    found = estimate("bert", "bert-99", "Offline", "A100_SXM4_40GB", 8)
    assert found is not None and not found.published
    assert "memory bandwidth (1555 of" in found.sentence
    assert 20000 < found.value < 50000


def test_server_rates_start_below_what_was_completed() -> None:
    offline = estimate("bert", "bert-99", "Offline", "L40S", 4)
    server = estimate("bert", "bert-99", "Server", "L40S", 4)
    assert offline is not None and server is not None
    assert server.field == "server_target_qps" and server.value < offline.value


@pytest.mark.parametrize("known", [*KnownGPU, *KnownMIG], ids=lambda known: known.name)
@pytest.mark.parametrize(("benchmark", "scenarios"), [("bert", 4), ("gptj", 3), ("3d-unet", 2)])
def test_no_estimate_is_zero(known: object, benchmark: str, scenarios: int) -> None:
    wanted = ["Offline", "SingleStream", "Server", "MultiStream"][:scenarios]
    for scenario in wanted:
        for target in ("99", "99.9"):
            found = estimate(benchmark, f"{benchmark}-{target}", scenario, known.name, 1)  # type: ignore[attr-defined]
            assert found is not None and found.rounded > 0 and found.sentence


def test_latencies_are_per_accelerator() -> None:
    one = estimate("bert", "bert-99", "SingleStream", "H100_SXM_80GB", 1)
    eight = estimate("bert", "bert-99", "SingleStream", "H100_SXM_80GB", 8)
    assert one is not None and eight is not None
    assert one.value == eight.value
    assert isinstance(one.rounded, int) and one.field == "single_stream_expected_latency_ns"


def test_an_unknown_gpu_is_placed_by_its_bandwidth() -> None:
    gpu = GPU(name="NVIDIA B200", accelerator_type="x", pci_id="0x290110DE", compute_sm=100)  # type: ignore[arg-type]
    found = estimate("gptj", "gptj-99", "Offline", gpu, 8, bandwidth=8000)
    h200 = estimate("gptj", "gptj-99", "Offline", "H200_SXM_141GB", 8)
    assert found is not None and h200 is not None
    assert found.value == pytest.approx(h200.value * 8000 / 4800, rel=0.05)
    assert "8000 of" in found.sentence


def test_detected_accelerators_have_known_names(machine: Callable[..., DetectedSystem]) -> None:
    names = {"standard_nd96asr_v4": "A100_SXM4_40GB", "l40sx4": "L40S", "a100_mig_1g_5gb": "A100_SXM4_40GB_1GPC"}
    for capture, name in names.items():
        assert known_name(machine(capture).gpus[0].kind) == name


def test_a_slice_is_its_share_of_the_whole() -> None:
    whole, part = speed_of("A100_SXM4_40GB"), speed_of("A100_SXM4_40GB_1GPC")
    assert part.bandwidth == pytest.approx(whole.bandwidth / 8)
    assert whole.int8_tops is not None and part.int8_tops == pytest.approx(whole.int8_tops / 7)
