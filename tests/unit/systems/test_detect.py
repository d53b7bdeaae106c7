"""Detection, replayed from captures: what is seen of a machine, and how it prints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from code.common.errors import MissingError, UsageError
from code.machine.detect import DetectedSystem, detect, examine
from code.machine.processors import cpu_list
from code.machine.sources import CapturedMachine, LiveMachine, RecordingMachine, scrubbed
from code.machine.systems import NUMAConfiguration
from code.preflight.capture import capture
from code.systems.matching import match

Machine = Callable[..., DetectedSystem]


def evaluated(text: str) -> Any:
    """A printed description, built again by the names that custom_list.py files import."""
    namespace: dict[str, Any] = {}
    for module in ("constants", "systems.base", "systems.accelerator", "systems.cpu", "systems.memory", "systems.systems"):
        exec(f"from code.common.{module} import *", namespace)
    return eval(text, namespace)


def test_an_azure_machine_prints_as_automation_reads_it(machine: Machine) -> None:
    found = machine("standard_nd96asr_v4")
    text = repr(found.config)
    assert text.startswith(
        'SystemConfiguration(host_cpu_conf=CPUConfiguration(layout={CPU(name="AMD EPYC 7V12 64-Core Processor", '
        "architecture=CPUArchitecture.x86_64, core_count=48, threads_per_core=1): 2}), "
        "host_mem_conf=MemoryConfiguration(host_memory_capacity=Memory(quantity=928.76"
    )
    assert 'GPU(name="NVIDIA A100-SXM4-40GB", accelerator_type=AcceleratorType.Discrete, vram=Memory(quantity=40.0, ' in text
    assert 'byte_suffix=ByteSuffix.GiB), max_power_limit=400.0, pci_id="0x20B010DE", compute_sm=80): 8}' in text
    assert "num_numa_nodes=4" in text
    assert found.platform == "azure"
    assert found.usable_cores == 96
    assert found.devices.driver_version == "550.127.05"


@pytest.mark.parametrize(
    "name", ["a100_mig_1g_5gb", "cpu_x86_64", "gh200_96gb", "h100_sxm_80gbx1", "h100_sxm_80gbx8", "l40sx4", "standard_nd96asr_v4"]
)
def test_what_is_printed_builds_the_same_again(machine: Machine, name: str) -> None:
    config = machine(name).config
    assert evaluated(repr(config)) == config


def test_gpus_lie_on_their_numa_nodes(machine: Machine) -> None:
    numa = machine("standard_nd96asr_v4").config.numa_conf
    assert str(numa) == "2,3:0-23&0,1:24-47&6,7:48-71&4,5:72-95"
    assert NUMAConfiguration.from_str(str(numa)) == numa


def test_memory_nodes_without_processors_are_no_numa_nodes(machine: Machine) -> None:
    found = machine("gh200_96gb")
    assert list(found.numa_nodes) == [0]
    assert "neon" in found.isa and "sve2" in found.isa


def test_a_container_may_use_less(machine: Machine) -> None:
    found = machine("a100_mig_1g_5gb")
    assert found.processors.total_cores == 128
    assert found.usable_cores == 32
    assert found.memory_bytes == 256 << 30 < found.memory_total_bytes


def test_hyperthreads_are_not_cores(machine: Machine) -> None:
    def pinned(content: dict[str, Any]) -> None:
        content["probes"]["affinity"] = [0, 1, 112, 113]  # two cores and their second threads

    assert machine("h100_sxm_80gbx8", pinned).usable_cores == 2


def test_cgroup_v1_limits_count(machine: Machine) -> None:
    def older(content: dict[str, Any]) -> None:
        content["files"]["/proc/self/cgroup"] = "4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc"
        content["files"]["/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us"] = "450000"
        content["files"]["/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us"] = "100000"
        content["files"]["/sys/fs/cgroup/cpu/cpu.cfs_quota_us"] = "-1"
        content["files"]["/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes"] = str(8 << 30)
        content["files"]["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712"

    found = machine("h100_sxm_80gbx8", older)
    assert found.usable_cores == 4
    assert found.memory_bytes == 8 << 30


def test_the_parents_of_a_group_limit_it_too(machine: Machine) -> None:
    def nested(content: dict[str, Any]) -> None:
        content["files"]["/proc/self/cgroup"] = "0::/slurm/job_7/step_0"
        content["files"]["/sys/fs/cgroup/slurm/job_7/step_0/cpu.max"] = "max 100000"
        content["files"]["/sys/fs/cgroup/slurm/job_7/cpu.max"] = "600000 100000"

    assert machine("h100_sxm_80gbx8", nested).usable_cores == 6


@pytest.mark.parametrize(
    ("value", "count", "noted"),
    [
        ("0,1", 2, False),
        ("", 0, True),
        ("3", 1, False),
        ("0,99,1", 1, True),
        ("GPU-00000000-0000-0000-0000-000000000005", 1, False),
    ],
)
def test_visible_devices_choose(machine: Machine, value: str, count: int, noted: bool) -> None:
    def visible(content: dict[str, Any]) -> None:
        content["environment"]["CUDA_VISIBLE_DEVICES"] = value

    found = machine("standard_nd96asr_v4", visible)
    assert len(found.gpus) == count
    assert len(found.devices.everything) == 8
    assert any("CUDA_VISIBLE_DEVICES" in note for note in found.notes) is noted


def test_a_mig_slice_can_be_chosen_by_uuid(machine: Machine) -> None:
    def visible(content: dict[str, Any]) -> None:
        content["environment"]["CUDA_VISIBLE_DEVICES"] = content["probes"]["nvml"]["gpus"][0]["mig_devices"][3]["uuid"]

    assert len(machine("a100_mig_1g_5gb").gpus) == 7
    assert len(machine("a100_mig_1g_5gb", visible).gpus) == 1


@pytest.mark.parametrize(("value", "places"), [("0:1", [1]), ("0:0,0:6", [0, 6]), ("0", list(range(7))), ("0:9", list(range(7)))])
def test_nvidia_visible_devices_numbers_slices(machine: Machine, value: str, places: list[int]) -> None:
    def visible(content: dict[str, Any]) -> None:
        content["environment"]["NVIDIA_VISIBLE_DEVICES"] = value

    everything = [gpu.uuid for gpu in machine("a100_mig_1g_5gb").gpus]
    assert [gpu.uuid for gpu in machine("a100_mig_1g_5gb", visible).gpus] == [everything[place] for place in places]


def test_slices_of_several_kinds(machine: Machine) -> None:
    found = machine("h100_mig_mixed")
    assert [(kind.num_gpcs, count) for kind, count in found.devices.layout().items()] == [(3, 1), (1, 4)]


def test_a_driver_that_fails_is_told_and_not_taken_for_no_gpu(machine: Machine) -> None:
    found = machine("nvml_fails")
    assert found.gpus == ()
    assert found.devices.failure == "Driver/library version mismatch"
    assert found.devices.on_bus == 8
    assert any("NVML failed" in note for note in found.notes)


def test_gpus_without_a_driver_are_noted(machine: Machine) -> None:
    def driverless(content: dict[str, Any]) -> None:
        content["probes"]["nvml"] = {"absent": "NVML Shared Library Not Found"}

    assert any("8 NVIDIA GPUs are on the PCI bus" in note for note in machine("h100_sxm_80gbx8", driverless).notes)


def test_processors_without_lscpu(machine: Machine) -> None:
    def plain(content: dict[str, Any]) -> None:
        content["commands"] = {}
        blocks = [
            f"processor\t: {cpu}\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7V12 64-Core Processor\n"
            f"physical id\t: {cpu // 4 % 2}\ncore id\t: {cpu % 4}\nflags\t: fpu avx2 sha_ni"
            for cpu in range(16)
        ]
        content["files"]["/proc/cpuinfo"] = "\n\n".join(blocks)
        content["probes"]["affinity"] = list(range(16))

    found = machine("standard_nd96asr_v4", plain)
    processors = found.processors
    assert (processors.model, processors.sockets, processors.cores_per_socket, processors.threads_per_core) == (
        "AMD EPYC 7V12 64-Core Processor", 2, 4, 2,
    )  # fmt: skip
    assert found.usable_cores == 8
    assert found.isa == {"avx2"}


def test_a_machine_that_answers_nothing_is_still_described() -> None:
    found = examine(CapturedMachine({"format": "mlperf-machine-capture/1"}, "nothing"))
    assert found.usable_cores == 1
    assert len(found.notes) >= 2
    assert repr(found.config)


def test_a_jetson_is_found_without_nvml(machine: Machine) -> None:
    def jetson(content: dict[str, Any]) -> None:
        content["probes"]["nvml"] = {"absent": "NVML Shared Library Not Found"}
        content["files"]["/sys/firmware/devicetree/base/model"] = "NVIDIA Jetson AGX Orin Developer Kit\x00"

    found = machine("gh200_96gb", jetson)
    assert match(found).system.name == "Orin"
    assert [device.kind.name for device in found.gpus] == ["NVIDIA Jetson AGX Orin Developer Kit"]


def test_this_machine_is_detected_and_kept() -> None:
    found = detect()
    assert found is detect()
    assert found.usable_cores >= 1
    assert found.memory_bytes > 0
    assert found.source == "this machine"


def test_older_config_files_import_the_machine_and_its_system() -> None:
    from code.common.systems import system_list

    assert detect().config == system_list.DETECTED_SYSTEM
    try:
        known = match(detect()).system
    except MissingError as error:
        with pytest.raises(MissingError) as caught:
            _ = system_list.MATCHED_SYSTEM
        assert caught.value.what == error.what
    else:
        assert known == system_list.MATCHED_SYSTEM
    assert not hasattr(system_list, "NO_SYSTEM")


def test_a_capture_of_this_machine_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "here.json"
    live = capture(path)
    replayed = detect(path)
    assert replayed.config == live.config
    assert (replayed.usable_cores, replayed.isa, replayed.memory_bytes) == (live.usable_cores, live.isa, live.memory_bytes)


def test_a_capture_does_not_identify_the_host(tmp_path: Path) -> None:
    recorder = RecordingMachine(LiveMachine())
    recorder.answers["probes"]["nvml"] = {"gpus": [{"uuid": "GPU-1b2c3d4e-1111-2222-3333-444455556666"}] * 2}
    recorder.answers["files"]["/proc/self/cgroup"] = "0::/docker/054351a462a2cd635afe4946f15b7f35"
    recorder.answers["commands"]["dmi"] = {"stdout": "Serial Number: ABC123\n"}
    recorder.write(tmp_path / "a.json", "")
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    for secret in ("1b2c3d4e", "054351a462a2cd", "ABC123"):
        assert secret not in text


def test_references_survive_scrubbing() -> None:
    one, other = "GPU-1b2c3d4e-1111-2222-3333-444455556666", "GPU-aaaaaaaa-1111-2222-3333-444455556666"
    content = scrubbed({"environment": {"CUDA_VISIBLE_DEVICES": one}, "uuids": [other, one]})
    assert content["environment"]["CUDA_VISIBLE_DEVICES"] == content["uuids"][1] != content["uuids"][0]


def test_bad_captures_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="cannot read the capture"):
        detect(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text('{"format": ', encoding="utf-8")
    with pytest.raises(UsageError, match="is not a capture") as error:
        detect(broken)
    assert error.value.where.endswith("broken.json:1")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"format": "something else"}), encoding="utf-8")
    with pytest.raises(UsageError, match="is not a capture"):
        detect(other)


def test_cpu_lists() -> None:
    assert cpu_list("0-3,8,10-11\n") == [0, 1, 2, 3, 8, 10, 11]
    assert cpu_list("") == []


def test_every_library_call_exists_in_nvidia_ml_py() -> None:
    library = pytest.importorskip("pynvml")
    code = Path(__file__).resolve().parents[3] / "code"
    sources = [path.read_text(encoding="utf-8") for path in sorted(code.rglob("*.py"))]
    names = sorted({name for source in sources for name in re.findall(r"\b(nvml[A-Z]\w+|NVML_\w+)", source)})
    assert len(names) > 40
    fields = {name for name, _ in library.c_nvmlFieldValue_t._fields_}
    assert [name for name in names if not hasattr(library, name) and name not in fields] == []


@pytest.mark.parametrize(
    ("capture", "words"),
    [
        ("h100_sxm_80gbx8", "2 x Intel(R) Xeon(R) Platinum 8480C with 56 cores, 2.1 TB of memory, 8 x NVIDIA H100 80GB HBM3"),
        ("cpu_x86_64", "1 x Intel(R) Xeon(R) Processor with 2 cores, 24.7 GB of memory, no accelerator"),
    ],
)
def test_a_machine_in_words(capture: str, words: str) -> None:
    assert detect(Path(__file__).resolve().parents[2] / "captures" / f"{capture}.json").config.words() == words
