"""Each check of GPUs, driver, fabric, topology and power servers at its limits: levels, words and command of the finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from code.common.constants import CPUArchitecture
from code.machine.sources import Ran
from code.power import ask, tools
from code.preflight import driver, fabric, gpus, power, topology
from code.preflight.finding import Level
from tests.unit.systems.preflight_box import ERROR, NO_GPUS, OK, UNSEEN, WARNING, Box, devices, seen

# ── GPUs ───────────────────────────────────────────────────────────────


GPU: dict[str, Any] = {
    "index": 0,
    "name": "H100",
    "power_limit_w": 700.0,
    "power_limit_max_w": 700.0,
    "ecc": True,
    "persistence": True,
}


def of_gpus(*changed: dict[str, Any], more: Any = devices()) -> dict[str, tuple[Level, str, str]]:  # noqa: B008  a constant
    listed = [{**GPU, "index": place, **one} for place, one in enumerate(changed)]
    return seen(gpus.check, Box(probes={"nvml": {"gpus": listed}}), more)


@pytest.mark.parametrize(
    ("facts", "name", "level", "words"),
    [
        ({"power_limit_w": 693.0}, "power limit", OK, "at its maximum"),
        ({"power_limit_w": 692.9}, "power limit", WARNING, "every GPU is below its maximum: 693 W of 700 W"),
        ({"power_limit_w": None}, "power limit", OK, "at its maximum"),
        ({"power_limit_max_w": None}, "power limit", OK, "at its maximum"),
        ({"ecc": None}, "ECC", OK, "on"),
        ({"ecc": False}, "ECC", WARNING, "ECC of every GPU is off"),
        ({"persistence": False}, "persistence", WARNING, "is off"),
        ({"sm_clock_application_mhz": 900, "sm_clock_max_mhz": 1000}, "clocks", OK, "not locked low"),
        ({"sm_clock_application_mhz": 899, "sm_clock_max_mhz": 1000}, "clocks", WARNING, "899 MHz of 1000 MHz"),
        ({"sm_clock_application_mhz": 899, "sm_clock_max_mhz": 2000, "sm_clock_default_mhz": 950}, "clocks", OK, "not locked"),
        ({"sm_clock_max_mhz": 1000}, "clocks", OK, "not locked low"),
        ({"throttle_reasons": 0x05}, "throttling", OK, ""),
        ({"throttle_reasons": 0x88, "temperature_c": 91}, "throttling", WARNING, "hardware slowdown, power brake (91 C)"),
        ({"processes": [{"name": "a", "pid": n} for n in range(6)]}, "other processes", WARNING, "a (pid 3) on GPU 0 and 2 more"),
        ({"processes": [{"pid": n} for n in range(4)]}, "other processes", WARNING, "? (pid 3) on GPU 0"),
        ({"processes": []}, "other processes", OK, "none"),
        ({"mig_enabled": True, "mig_devices": [1, 2]}, "MIG", OK, "on, 2 slices"),
        ({"mig_enabled": True, "mig_devices": []}, "MIG", ERROR, "GPU 0 is in MIG mode without slices"),
        ({}, "MIG", OK, "off"),
    ],
)
def test_the_state_of_a_gpu(facts: dict[str, Any], name: str, level: Level, words: str) -> None:
    found = of_gpus(facts)
    if name == "throttling" and level is OK:
        assert name not in found, "power capping is ordinary"
        return
    assert found[name][0] is level and words in found[name][1] and bool(found[name][2]) is (level is not OK)
    assert "more" not in found[name][1] or "2 more" in words


def test_several_gpus_are_named_one_by_one_or_together() -> None:
    found = of_gpus({"ecc": False}, {}, {"ecc": False}, more=devices(everything=[1, 2, 3], visible=[1, 2, 3]))
    assert "ECC of GPU 0, 2 is off" in found["ECC"][1] and found["count"][:2] == (OK, "3 x H100")
    assert "-pl 700" in of_gpus({"power_limit_w": 5.0})["power limit"][2]
    mixed = of_gpus({"mig_enabled": True, "mig_devices": [1]}, {})
    assert mixed["MIG"][0] is WARNING and "1 of 2 GPUs are in MIG mode" in mixed["MIG"][1]
    both = [{"mig_enabled": True, "mig_devices": [1]}, {"mig_enabled": True, "mig_devices": [1, 2, 3]}]
    assert of_gpus(*both)["MIG"][:2] == (OK, "on, 4 slices")


def test_gpus_that_are_missing_or_hidden() -> None:
    assert seen(gpus.check, Box())["state"][0] is UNSEEN and seen(gpus.check, Box(), NO_GPUS) == {}
    assert of_gpus({}, more=devices(on_bus=2))["count"][0] is ERROR
    assert of_gpus({}, more=devices(visible=[]))["visible"][0] is ERROR
    half = of_gpus({}, more=devices(everything=[1, 2], visible=[1]))["visible"]
    assert half[0] is WARNING and half[1].startswith("1 of 2 accelerators") and "visible" not in of_gpus({})


# ── driver and fabric ──────────────────────────────────────────────────


def of_driver(nvcc: str = "", tensorrt: str = "", **given: Any) -> dict[str, tuple[Level, str, str]]:
    commands = {"nvcc --version": f"Cuda compilation tools, release {nvcc}, V1"} if nvcc else {}
    return seen(driver.check, Box(commands=commands, probes={"packages": {"tensorrt": tensorrt}}), devices(**given))


@pytest.mark.parametrize(
    ("driver_version", "nvcc", "level"),
    [
        ("525.60.13", "", OK),
        ("525.60.12", "", ERROR),
        ("450.80.02", "11.8", OK),
        ("450.80.01", "11.8", ERROR),
        ("580.65.06", "13.0", OK),
        ("580.65.05", "13.0", ERROR),
        ("525.60.13", "99.0", OK),
    ],
)
def test_the_oldest_driver_of_each_cuda(driver_version: str, nvcc: str, level: Level) -> None:
    found = of_driver(nvcc, driver_version=driver_version)["driver"]
    assert found[0] is level and driver_version in found[1]
    assert level is OK or f"CUDA {nvcc or '12, which TensorRT needs'}" in found[1]


@pytest.mark.parametrize(
    ("nvcc", "supports", "level"),
    [("12.4", "12.4", OK), ("12.5", "12.4", WARNING), ("12.3", "12.4", OK), ("12.4", "", OK), ("", "12.4", UNSEEN)],
)
def test_a_toolkit_newer_than_the_driver_supports(nvcc: str, supports: str, level: Level) -> None:
    assert of_driver(nvcc, cuda_version=supports)["CUDA"][0] is level


@pytest.mark.parametrize(
    ("tensorrt", "nvcc", "level"),
    [
        ("", "12.4", UNSEEN),
        ("10.3.0", "12.4", OK),
        ("10.3.0", "13.0", OK),
        ("10.3.0", "11.8", ERROR),
        ("9.1.0", "12.4", OK),
        ("8.6.1", "11.8", OK),
        ("8.6.1", "13.0", ERROR),
        ("99.1.0", "12.4", OK),
        ("10.3.0", "", OK),
    ],
)
def test_tensorrt_and_the_cuda_that_it_is_built_for(tensorrt: str, nvcc: str, level: Level) -> None:
    assert of_driver(nvcc, tensorrt, driver_version="590.1.1", cuda_version="13.1")["TensorRT"][0] is level


def test_a_driver_that_is_not_there_or_fails() -> None:
    assert seen(driver.check, Box(), NO_GPUS)["driver"][:2] == (UNSEEN, "no NVIDIA GPU was found (no library); no driver needed")
    missing = seen(driver.check, Box(), devices(driver_version="", absent="no file", on_bus=8))
    assert list(missing) == ["driver"] and missing["driver"][0] is ERROR and "8 NVIDIA GPUs" in missing["driver"][1]
    failed = seen(driver.check, Box(), devices(failure="Unknown Error"))["driver"]
    assert failed[0] is ERROR and failed[1] == "NVML failed: Unknown Error" and "modprobe" in failed[2]
    text = {"/proc/driver/nvidia/version": "NVRM version: 550.90.07\nGCC 12.2"}
    mismatch = seen(driver.check, Box(text), devices(failure="Driver/library version Mismatch"))["driver"]
    assert mismatch[1].endswith("(kernel module 550.90.07)") and "reboot" in mismatch[2]
    bare = seen(driver.check, Box(), devices(failure="mismatch"))["driver"]
    assert "kernel module 5" not in bare[1] and bare[1].endswith("have different versions")


ACTIVE = "systemctl is-active nvidia-fabricmanager"
FABRIC = {"nv-fabricmanager --version": "Fabric Manager version is : 550.90.07", ACTIVE: "active"}


def of_fabric(
    commands: Mapping[str, object], links: tuple[int, ...] = (18, 18), **texts: str
) -> dict[str, tuple[Level, str, str]]:
    listed = [{"index": place, "nvswitch": True, "nvlinks": count} for place, count in enumerate(links)]
    return seen(fabric.check, Box(texts, commands, {"nvml": {"gpus": listed}}))


def test_the_fabric_manager() -> None:
    assert {name: one[0] for name, one in of_fabric(FABRIC).items()} == {"version": OK, "service": OK, "NVLink": OK}
    assert of_fabric({**FABRIC, ACTIVE: "inactive"})["service"][0] is ERROR
    assert "(unknown)" in of_fabric({**FABRIC, ACTIVE: Ran(3, "")})["service"][1]
    assert of_fabric({"nv-fabricmanager --version": FABRIC["nv-fabricmanager --version"]})["service"][0] is UNSEEN
    other = of_fabric({**FABRIC, "nv-fabricmanager --version": Ran(0, "", "version 550.54.15")})["version"]
    assert other[0] is ERROR and "is 550.54.15, the driver is 550.90.07" in other[1] and "550=550.90.07-1" in other[2]
    assert "of an unknown version" in of_fabric({**FABRIC, "nv-fabricmanager --version": "?"})["version"][1]
    assert list(of_fabric({})) == ["version"] and of_fabric({})["version"][0] is ERROR
    inside = seen(fabric.check, Box({"/.dockerenv": ""}, {}, {"nvml": {"gpus": [{"nvswitch": True, "nvlinks": 4}]}}))
    assert {name: one[0] for name, one in inside.items()} == {"version": UNSEEN, "NVLink": OK}
    assert seen(fabric.check, Box(probes={"nvml": {"gpus": [{"nvswitch": False}]}})) == {}


def test_links_that_are_down() -> None:
    found = of_fabric(FABRIC, (18, 17, 18, 0))["NVLink"]
    assert found[0] is ERROR and "GPUs 1, 3 have fewer active NVLinks than the others (18)" in found[1]
    assert of_fabric(FABRIC, (18, 18))["NVLink"][1] == "18 active links on every GPU" and "NVLink" not in of_fabric(
        FABRIC, (0, 0)
    )


# ── topology ───────────────────────────────────────────────────────────


def of_topology(
    box: Box, nodes: tuple[int, ...] = (0,), platform: str = "linux", **given: Any
) -> dict[str, tuple[Level, str, str]]:
    usual: dict[str, Any] = {
        "cores": {0: (0, 0)},
        "hypervisor": "",
        "sockets": 1,
        "architecture": CPUArchitecture.x86_64,
        "isa": None,
    }
    detected = {"processors": SimpleNamespace(**{**usual, **given}), "numa_nodes": list(nodes), "platform": platform}
    return seen(topology.check, box, NO_GPUS, detected=detected)


def test_an_ordinary_machine_has_nothing_unusual() -> None:
    assert of_topology(Box()) == {}
    assert list(of_topology(Box(), platform="wsl")) == ["host"]


def test_cores_of_two_kinds() -> None:
    kinds = {"/sys/devices/cpu_core/cpus": "0-7", "/sys/devices/cpu_atom/cpus": "8-15"}
    found = of_topology(Box(kinds))["hybrid cores"]
    assert "performance cores are CPUs 0-7, efficiency cores 8-15" in found[1] and "taskset -c 0-7" in found[2]
    for one in kinds:
        assert of_topology(Box({one: "0-7"})) == {}
    same = Box(commands={"lscpu": "Model name: A\nCPUs: 3\nModel name: A\n"})
    other = Box(commands={"lscpu": "Model name: A72\nCPUs: 3\nModel name: A53\n"})
    assert of_topology(same) == {} and "cores of 2 kinds, A72 and A53" in of_topology(other)["hybrid cores"][1]


@pytest.mark.parametrize(
    ("offline", "present", "words"),
    [
        ("4-5", "0-7", "2 logical processors are switched off: 4-5"),
        ("4-127", "0-7", "4 logical processors are switched off: 4-7"),
        ("8-127", "0-7", ""),
        ("", "0-7", ""),
        ("none", "0-7", ""),
        ("3", None, "1 logical processors are switched off: 3"),
    ],
)
def test_processors_that_are_off(offline: str, present: str | None, words: str) -> None:
    texts = {"/sys/devices/system/cpu/offline": offline}
    found = of_topology(Box({**texts, "/sys/devices/system/cpu/present": present} if present else texts))
    assert (found["offline CPUs"][1] if "offline CPUs" in found else "") == words
    assert not words or f"cpu{words.split(': ')[1][0]}/online" in found["offline CPUs"][2]


def test_sockets_that_are_hidden_or_too_many() -> None:
    many = {"cores": {0: (0, 0), 1: (1, 0)}}
    assert "shows 2 sockets of one core" in of_topology(Box(), hypervisor="kvm", **many)["sockets"][1]
    for usual in ({"hypervisor": "kvm"}, many, {"hypervisor": "kvm", "sockets": 2, **many}, {"sockets": 8}):
        assert of_topology(Box(), **usual) == {}
    assert of_topology(Box(), sockets=9)["sockets"][1] == "9 sockets are reported"


def test_nodes_with_memory_alone_and_missing_instructions() -> None:
    box = Box({"/sys/devices/system/node/has_memory": "0-3"})
    found = of_topology(box, (0, 1))["memory nodes"]
    assert found[0] is WARNING and "nodes 2-3 have memory and no processors" in found[1] and "--membind=0-1" in found[2]
    assert of_topology(box, (0, 1, 2, 3)) == {} == of_topology(box, ())
    assert of_topology(Box(), isa=frozenset(("sse4_2",)))["AVX2"][0] is WARNING
    assert (
        of_topology(Box(), isa=frozenset(("avx2",)))
        == {}
        == of_topology(Box(), isa=frozenset(), architecture=CPUArchitecture.aarch64)
    )


# ── power ──────────────────────────────────────────────────────────────


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What servers answer: offsets in s, or an exception; and what is installed."""
    said: dict[str, Any] = {"time": 0.0, "server": 0.0, "ntpdate": "/usr/sbin/ntpdate", "present": None, "commit": ""}

    def answer(name: str) -> Callable[..., Any]:
        def ask_(*_: object) -> Any:
            if isinstance(said[name], Exception):
                raise said[name]
            return said[name]

        return ask_

    monkeypatch.setattr(ask, "time_offset", answer("time"))
    monkeypatch.setattr(ask, "server_offset", answer("server"))
    monkeypatch.setattr(power.shutil, "which", answer("ntpdate"))
    monkeypatch.setattr(tools, "present", answer("present"))
    monkeypatch.setattr(tools, "commit_of", answer("commit"))
    return said


def of_power(**given: str) -> dict[str, tuple[Level, str, str]]:
    return seen(power.check, Box(), **{"power_server": "host:4950", "ntp_server": "ntp", **given})


@pytest.mark.parametrize(("offset", "level"), [(0.0, OK), (0.999, OK), (1.0, ERROR), (-0.999, OK), (-1.0, ERROR), (30.0, ERROR)])
def test_clocks_that_power_dev_allows(answers: dict[str, Any], offset: float, level: Level) -> None:
    assert ask.CLOCKS_S == 0.4
    shown = offset * ask.CLOCKS_S
    answers["time"] = answers["server"] = shown
    found = of_power()
    assert [found[name][0] for name in ("time server", "server")] == [level, level]
    assert f"{shown * 1000:+,.0f} ms" in found["server"][1] or f"{shown * 1000:+.1f} ms" in found["server"][1]


def test_servers_that_do_not_answer(answers: dict[str, Any]) -> None:
    answers["time"], answers["server"] = OSError(), TimeoutError()
    found = of_power()
    assert found["time server"][1] == "ntp does not answer NTP: OSError" and "a measurement may be going on" in found["server"][1]
    answers["time"], answers["server"] = OSError("no route"), OSError("refused")
    found = of_power()
    assert found["time server"][1].endswith(": no route") and found["server"][1] == "host:4950 is not power-dev's server: refused"
    assert {name: one[0] for name, one in found.items()}["server"] is ERROR
    assert of_power(power_server="host:port")["server"][0] is ERROR, "no such port"


def test_only_what_is_asked_for_is_asked(answers: dict[str, Any]) -> None:
    assert of_power(power_server="", ntp_server="") == {}
    assert set(of_power(power_server="")) == {"time server", "ntpdate", "power-dev"}
    assert set(of_power(ntp_server="")) == {"server", "ntpdate", "power-dev"}


def test_power_devs_tools(answers: dict[str, Any]) -> None:
    assert of_power()["power-dev"][0] is WARNING and of_power()["ntpdate"][0] is OK
    answers.update(ntpdate=None, present="/power-dev", commit=tools.COMMIT)
    assert of_power()["power-dev"][:2] == (OK, "/power-dev") and of_power()["ntpdate"][0] is WARNING
    answers["commit"] = "0" * 40
    assert of_power()["power-dev"][0] is WARNING and f"is at {'0' * 12}, not at" in of_power()["power-dev"][1]
    answers["commit"] = ""
    assert of_power()["power-dev"][0] is OK, "an unpacked archive has no commit"
