"""Which devices a run uses: every one of the system by default, those that are asked for, each with its own cores and streams."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from code.backends.base import backend
from code.common.errors import UsageError
from code.machine.detect import detect, examine
from code.machine.sources import CapturedMachine
from code.plan import workload as plan
from code.plan.request import parse
from code.plan.workload import Workload
from code.run import slots
from code.run.placement import Placement, place

CAPTURES = Path(__file__).resolve().parents[1] / "captures"


def planned(*words: str, scenario: str = "offline", capture: str = "") -> Workload:
    given = ["--action=run", "--benchmarks=bert", f"--scenarios={scenario}", "--dry_run", *words]
    if capture:
        given.append(f"--capture={CAPTURES / capture}")
    workloads, unplanned = plan.build(parse(given, {}))
    assert not unplanned, unplanned[0].error
    return workloads[0]


def placed(*words: str, **more: Any) -> Placement:
    workload = planned(*words, **more)
    return place(workload, backend(workload["backend"]))


@pytest.mark.parametrize(("system", "count"), [("A100_SXM4_40GBx8", 8), ("ND_H100_v5", 8), ("L4x1", 1)])
def test_a_system_that_is_not_here_has_the_devices_of_its_description(system: str, count: int) -> None:
    found = placed(f"--system={system}", "--backend=simulated")
    assert [d.index for d in found.devices] == list(range(count)) and found.system_devices == count
    assert len(found.kinds) == 1 and all(d.engine == 0 and d.streams >= 1 for d in found.devices)


def test_every_visible_gpu_is_used_and_named_by_its_uuid_with_the_cores_near_it() -> None:
    found = placed(capture="nd_h100_v5.json")
    assert len(found.devices) == 8 and len({d.name for d in found.devices}) == 8
    assert found.environment["CUDA_VISIBLE_DEVICES"].split(",") == [d.name for d in found.devices]
    assert [d.cores[0] for d in found.devices] == [0, 0, 0, 0, 48, 48, 48, 48]
    assert found.processes == (tuple(range(8)),)


def test_the_devices_that_are_asked_for_are_numbered_from_0_in_the_process() -> None:
    found = placed("--devices=6,1-2", capture="nd_h100_v5.json")
    assert [(d.index, d.number) for d in found.devices] == [(0, 6), (1, 1), (2, 2)]
    assert found.environment["CUDA_VISIBLE_DEVICES"].endswith("0002") and found.system_devices == 8


@pytest.mark.parametrize("text", ["9", "0,8", "3,9-10"])
def test_a_device_that_is_not_there_lists_those_that_are(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        placed(f"--devices={text}", "--system=A100_SXM4_40GBx8", "--backend=simulated")
    assert "0, 1, 2, 3, 4, 5, 6, 7" in caught.value.why and caught.value.exit_status == 2
    assert caught.value.where == "command line --devices"


@pytest.mark.parametrize("text", ["x", "1-", "-1", "3-1", "1;2", "²", "0-99999999"])
def test_what_is_not_a_list_of_devices_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"invalid devices|which selects none"):
        placed(f"--devices={text}", "--system=A100_SXM4_40GBx8", "--backend=simulated")


@pytest.mark.parametrize("text", ["all", "ALL", "0-7"])
def test_all_devices(text: str) -> None:
    assert len(placed(f"--devices={text}", "--system=A100_SXM4_40GBx8", "--backend=simulated").devices) == 8


def test_a_two_socket_server_is_two_devices_with_their_own_cores_and_their_share_of_the_streams() -> None:
    found = placed(capture="nvml_fails.json")
    first, second = found.devices
    assert not set(first.cores) & set(second.cores) and len(first.cores) == len(second.cores) == 128
    assert (first.streams, second.streams) == (64, 64) and (first.threads, second.threads) == (64, 64)
    assert found.environment == {} and found.system_devices == 2


def test_streams_are_shared_out_by_cores_and_none_is_lost() -> None:
    for streams in (1, 2, 3, 7, 65):
        found = placed(f"--cpu_inference_streams={streams}", capture="nvml_fails.json")
        assert found.streams == streams
    assert placed("--cpu_inference_streams=1", capture="nvml_fails.json").notes, "an idle node is named"


def test_one_node_is_one_device_that_is_bound_to_nothing() -> None:
    (device,) = placed(capture="cpu_x86_64.json").devices
    assert device.cores == () and device.threads == 2


def test_numa_config_wins_over_what_is_detected() -> None:
    found = placed("--numa_config=0-3:0-3&4-7:8-11", capture="nd_h100_v5.json")
    assert found.devices[0].cores == (0, 1, 2, 3) and found.devices[7].cores == (8, 9, 10, 11)
    nodes = placed("--numa_config=0:0&1:1", capture="cpu_x86_64.json")
    assert [d.cores for d in nodes.devices] == [(0,), (1,)] and nodes.streams == 2


@pytest.mark.parametrize("text", ["0", "0:", "a:0-3", "0:0-3&", "0:3-0"])
def test_a_numa_config_that_cannot_be_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="invalid numa_config"):
        placed(f"--numa_config={text}", capture="nd_h100_v5.json")


def test_processors_that_are_not_there_are_named() -> None:
    with pytest.raises(UsageError, match="4-7"):
        placed("--numa_config=0:0-1&1:4-7", capture="cpu_x86_64.json")


def test_single_stream_uses_one_device_and_says_so() -> None:
    found = placed(capture="nd_h100_v5.json", scenario="singlestream")
    assert len(found.devices) == 1 and "7 more" in found.notes[0]


def test_each_mig_slice_gets_a_process_of_its_own() -> None:
    workload = planned("--system=A100_SXM4_40GBx1")
    detected = detect(CAPTURES / "a100_mig_1g_5gb.json")
    workload = dataclasses.replace(workload, detected=detected, system_name="A100_SXM4_40GB_MIG_1x1g_5gb")
    slices = slots.of_gpus(workload, backend("tensorrt"))
    assert slices and all(slot.slice and slot.name.startswith("MIG-") for slot in slices)
    found = place(workload, backend("tensorrt"))
    assert found.processes == tuple((i,) for i in range(len(found.devices)))


def test_slices_are_chosen_by_uuid() -> None:
    detected = detect(CAPTURES / "a100_mig_1g_5gb.json")
    third = detected.gpus[3].uuid
    workload = dataclasses.replace(
        planned("--system=A100_SXM4_40GBx1", f"--devices={third},0"),
        detected=detected,
        system_name="A100_SXM4_40GB_MIG_56x1g_5gb",
    )
    assert [device.name for device in place(workload, backend("tensorrt")).devices] == [third, detected.gpus[0].uuid]


@pytest.mark.parametrize(
    ("left", "numbers"), [("2,3", [2, 3]), ("GPU-00000000-0000-0000-0000-000000000005", [5]), ("all", list(range(8)))]
)
def test_nvidia_visible_devices_leaves_some(left: str, numbers: list[int]) -> None:
    machine = CapturedMachine.read(CAPTURES / "nd_h100_v5.json")
    real = machine.environ
    machine.environ = lambda name: left if name == "NVIDIA_VISIBLE_DEVICES" else real(name)  # type: ignore[method-assign]
    assert [gpu.index for gpu in examine(machine).gpus] == numbers


def test_a_batch_size_without_the_benchmarks_entry_is_an_error() -> None:
    with pytest.raises(UsageError, match="has no entry for bert"):
        placed("--gpu_batch_size={'gptj': 8}", "--system=L4x1", "--backend=simulated")


def test_a_gpu_backend_on_a_system_without_gpus_is_an_error() -> None:
    with pytest.raises(UsageError, match="has no GPU"):
        placed("--backend=tensorrt", "--system=CPU_x86_64", capture="cpu_x86_64.json")


def test_a_capture_is_planned_for_and_never_run_on() -> None:
    with pytest.raises(UsageError, match="another machine"):
        plan.build(parse(["--action=run", "--benchmarks=bert", f"--capture={CAPTURES / 'nd_h100_v5.json'}"], {}))


MIXED = """
from code.common.constants import ByteSuffix, Memory
from code.common.systems.accelerator import AcceleratorConfiguration
from code.common.systems.base import MATCH_ANY
from code.common.systems.cpu import CPUConfiguration
from code.common.systems.known_hardware import KnownGPU
from code.common.systems.systems import SystemConfiguration

custom_systems = {}
custom_systems["MIXED"] = SystemConfiguration(
    CPUConfiguration({MATCH_ANY: MATCH_ANY}),
    MATCH_ANY,
    AcceleratorConfiguration({KnownGPU.L40S.value: 2, KnownGPU.A100_SXM4_40GB.value: 1}),
    MATCH_ANY,
)
"""


def test_devices_of_different_kinds_each_get_the_engine_of_their_kind(tmp_path: Path) -> None:
    from code.backends.tensorrt.target import target_of
    from code.systems.system_list import KnownSystem

    (tmp_path / "custom_list.py").write_text(MIXED)
    KnownSystem.include(tmp_path / "custom_list.py")
    try:
        workload = dataclasses.replace(planned("--system=L40Sx1", "--backend=simulated"), system_name="MIXED")
        found = place(workload, backend("simulated"))
        assert found.kinds == ("L40S", "A100_SXM4_40GB") and [d.engine for d in found.devices] == [0, 0, 1]
        targets = [target_of({"system": "MIXED", **found.values(kind)}) for kind in found.kinds]
        assert [(t.gpu, t.compute) for t in targets] == [("L40S", 89), ("A100_SXM4_40GB", 80)]
    finally:
        KnownSystem._included.clear()
        KnownSystem.forget()
