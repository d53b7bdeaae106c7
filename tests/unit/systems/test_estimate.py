"""Estimates of expected values, and that they say where they came from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from code.machine.accelerator import GPU
from code.machine.detect import DetectedSystem
from code.systems.estimate import FIELD_OF, Estimate, estimate, known_name, speed_of
from code.systems.known_hardware import KnownGPU, KnownMIG


def test_a_published_result_is_taken_as_it_is() -> None:
    found = estimate("3d-unet", "3d-unet-99", "Offline", "H200_SXM_141GB", 8)
    assert found is not None and found.published
    assert found.field == "offline_expected_qps"
    assert found.value == pytest.approx(54.7136)
    assert found.sentence == "the best of 6 public v4.1 3d-unet-99 Offline results on 8 x H200_SXM_141GB (54.7136 samples/s)"


def test_offline_takes_the_highest_public_figure() -> None:
    """A run that was expected to be slower than it is ends too early."""
    config = estimate("bert", "bert-99", "Offline", "H100_SXM_80GB", 8)
    assert config is not None and not config.published and config.rounded == 75200  # the best result is 72,876
    assert config.sentence == "NVIDIA's v4.1 config of bert-99 Offline for H100_SXM_80GBx8 (75200)"
    result = estimate("gptj", "gptj-99", "Offline", "GH200_GraceHopper_96GB", 1)
    assert result is not None and result.published and result.value == pytest.approx(40.6336)  # the config says 36
    per_gpu = estimate("bert", "bert-99", "Offline", "H100_NVL", 1)
    assert per_gpu is not None and per_gpu.value == pytest.approx(24851.2 / 4)


@pytest.mark.parametrize(("system", "count", "unet", "bert"), [("A100_SXM4_40GB", 8, 23, 30000), ("A100_SXM_80GB", 8, 30, 30000)])
def test_a_vendors_config_stands_for_hardware_without_results(system: str, count: int, unet: float, bert: float) -> None:
    for benchmark, value in (("3d-unet", unet), ("bert", bert)):
        found = estimate(benchmark, f"{benchmark}-99", "Offline", system, count)
        assert found is not None and not found.published
        assert found.value == value and "estimated" not in found.sentence


def test_rounding_keeps_a_run_long_enough() -> None:
    offline, latency = FIELD_OF["Offline"], FIELD_OF["SingleStream"]
    assert Estimate(offline, 72876.0, "", True).rounded == 72900 and Estimate(offline, 72801.0, "", True).rounded == 72900
    assert Estimate(offline, 2.9, "", True).rounded == 2.9 and Estimate(offline, 6.81001, "", True).rounded == 6.82
    assert Estimate(latency, 2166520.0, "", True).rounded == 2_160_000
    assert Estimate(FIELD_OF["Server"], 51522.3, "", True).rounded == 51500


def test_count_scales() -> None:
    one = estimate("gptj", "gptj-99", "Server", "H100_SXM_80GB", 1)
    two = estimate("gptj", "gptj-99", "Server", "H100_SXM_80GB", 2)
    assert one is not None and two is not None
    assert one.value * 2 == pytest.approx(two.value)
    assert "scaled to 1 by count" in one.sentence and not one.published


def test_another_accelerator_is_scaled_from_the_nearest() -> None:
    found = estimate("bert", "bert-99", "Offline", "B200_SXM_180GB", 8)
    assert found is not None and not found.published
    assert found.sentence.startswith("estimated: the best of 6 public v4.1 bert-99 Offline results on 8 x H200_SXM_141GB")
    assert "memory bandwidth (8000 of" in found.sentence
    assert 120000 < found.value < 170000


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
    assert one.value == pytest.approx(eight.value)
    assert isinstance(one.rounded, int) and one.field == "single_stream_expected_latency_ns"


def test_latencies_are_published_or_low() -> None:
    """One that is more than twice the true one ends a run too early."""
    l4 = estimate("bert", "bert-99", "SingleStream", "L4", 2)
    assert l4 is not None and l4.published and l4.value == pytest.approx(2166520)
    t4 = estimate("bert", "bert-99", "SingleStream", "T4", 1)
    assert t4 is not None and "2 samples' share" in t4.sentence and t4.value < 6.4e6  # NVIDIA's config
    orin = estimate("bert", "bert-99", "SingleStream", "Orin", 1)
    assert orin is not None and orin.value < 6.2e6
    fast = estimate("bert", "bert-99", "SingleStream", "L40S", 1)
    assert fast is not None and fast.value == 1e6 and "one sample takes on the fastest GPUs (1 ms)" in fast.sentence


def test_an_unknown_gpu_is_placed_by_its_bandwidth() -> None:
    gpu = GPU(name="NVIDIA X900", accelerator_type="x", pci_id="0xFFF010DE", compute_sm=100)  # type: ignore[arg-type]
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
