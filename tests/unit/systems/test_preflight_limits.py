"""Each check of a machine at its limits: what is just good enough, what is not, and the words and command of the finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from code.common.constants import CPUArchitecture
from code.machine.sources import Ran
from code.power import ask, tools
from code.preflight import containers, cpu, driver, fabric, files, gpus, limits, loadgen, power, storage, topology, user
from code.preflight.finding import Finding, Level, Subject, dotted, plain, version
from code.preflight.requirements import CLOCK_SKEW_S
from code.rules.benchmark_facts import GB
from code.rules.benchmarks import BENCHMARKS, facts_of

OK, UNSEEN, WARNING, ERROR = Level.OK, Level.UNSEEN, Level.WARNING, Level.ERROR
Check = Callable[[Subject], Iterator[Finding]]


class Box:
    """A machine with these files, commands, probes and variables, and nothing else."""

    def __init__(
        self,
        texts: Mapping[str, str] | None = None,
        commands: Mapping[str, object] | None = None,
        probes: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.text = (texts or {}).get
        self.environ = (variables or {}).get
        self._commands, self._probes = commands or {}, probes or {}

    def command(self, *words: str) -> Ran | None:
        said = self._commands.get(" ".join(words))
        return said if isinstance(said, Ran) or said is None else Ran(0, str(said))

    def probe(self, *words: str) -> Any:
        return self._probes.get(":".join(words))


def devices(**given: Any) -> Any:
    usual: dict[str, Any] = {"everything": ["GPU"], "visible": ["GPU"], "failure": "", "on_bus": 1, "absent": ""}
    return SimpleNamespace(**{**usual, "driver_version": "550.90.07", "cuda_version": "12.4", **given})


NO_GPUS = devices(everything=[], visible=[], on_bus=0, absent="no library")


def seen(check: Check, box: Box, more: Any = devices(), **given: Any) -> dict[str, tuple[Level, str, str]]:  # noqa: B008  a constant
    """name → (level, message, fix) of a family's findings."""
    detected = SimpleNamespace(devices=more, gpus=more.everything, **given.pop("detected", {}))
    subject = Subject(cast(Any, box), cast(Any, detected), **given)
    return {one.name: (one.level, one.message, one.fix) for one in check(subject)}


# ── containers and user ────────────────────────────────────────────────


DAEMON = "docker version --format {{.Server.Version}}"
RUNTIMES = "docker info --format {{json .Runtimes}}"
DOCKER = {
    "docker --version": "Docker version 20.10.7, build x",
    DAEMON: "27.1",
    RUNTIMES: '{"nvidia":1}',
    "nvidia-ctk --version": "1.14.0",
}


def test_docker_and_its_toolkit_in_their_oldest_versions() -> None:
    found = seen(containers.check, Box(commands=DOCKER))
    assert {name: one[0] for name, one in found.items()} == dict.fromkeys(
        ("Docker", "Docker daemon", "NVIDIA Container Toolkit", "Docker's GPU runtime"), OK
    )
    assert found["Docker"][1] == "version 20.10.7" and found["Docker daemon"][1] == "running, version 27.1"
    assert set(seen(containers.check, Box(commands=DOCKER), NO_GPUS)) == {"Docker", "Docker daemon"}


@pytest.mark.parametrize(
    ("command", "said", "name", "level", "words"),
    [
        ("docker --version", Ran(127, ""), "Docker", UNSEEN, "not installed"),
        ("docker --version", "Docker version 20.9.1", "Docker", ERROR, "version 20.9.1 is older than 20.10"),
        (DAEMON, Ran(1, "", "cannot connect\nat all"), "Docker daemon", WARNING, "not responding: cannot connect"),
        (DAEMON, Ran(1, ""), "Docker daemon", WARNING, "not responding"),
        ("nvidia-ctk --version", Ran(1, ""), "NVIDIA Container Toolkit", ERROR, "not installed"),
        ("nvidia-ctk --version", "1.13.9", "NVIDIA Container Toolkit", ERROR, "version 1.13.9 is older than 1.14"),
        (RUNTIMES, Ran(1, ""), "Docker's GPU runtime", UNSEEN, "the daemon did not list its runtimes"),
        (RUNTIMES, '{"runc":1}', "Docker's GPU runtime", WARNING, "not registered"),
    ],
)
def test_docker_that_does_not_do(command: str, said: object, name: str, level: Level, words: str) -> None:
    found = seen(containers.check, Box(commands={**DOCKER, command: said}))
    assert found[name][0] is level and words in found[name][1] and bool(found[name][2]) is (level in (WARNING, ERROR))
    assert "\n" not in found[name][1]


@pytest.mark.parametrize("inside", [{"/.dockerenv": ""}, {"/run/.containerenv": ""}, {}])
def test_inside_a_container_the_hosts_docker_is_not_seen(inside: dict[str, str]) -> None:
    box = Box(inside, DOCKER, {"user": {"root": True, "groups": []}}, {} if inside else {"container": "podman"})
    assert [one[0] for one in seen(containers.check, box).values()] == [UNSEEN]
    assert seen(user.check, box) == {"user": (OK, "root inside a container", "")}


def test_the_user_and_the_docker_group() -> None:
    def of(root: bool, *groups: str, docker: bool = True) -> dict[str, Level]:
        box = Box(commands=DOCKER if docker else {}, probes={"user": {"root": root, "groups": list(groups)}})
        return {name: one[0] for name, one in seen(user.check, box).items()}

    assert of(False, "docker") == {"user": OK, "docker group": OK} and of(False) == {"user": OK, "docker group": WARNING}
    assert of(True) == {"user": WARNING} and of(False, docker=False) == {"user": OK}
    assert seen(user.check, Box())["user"][0] is UNSEEN


# ── processors, limits, clock ──────────────────────────────────────────


def of_cpu(
    box: Box, usable: int = 8, memory: int = 2**34, whole: int = 2**34, nodes: int = 1
) -> dict[str, tuple[Level, str, str]]:
    processors = SimpleNamespace(sockets=2, model="CPU", cores_per_socket=4, total_cores=8, isa=frozenset(), vendor="")
    detected = {"processors": processors, "usable_cores": usable, "memory_bytes": memory, "memory_total_bytes": whole}
    return seen(cpu.check, box, NO_GPUS, detected={**detected, "numa_nodes": list(range(nodes))})


GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
BALANCING, PAGES = "/proc/sys/kernel/numa_balancing", "/sys/kernel/mm/transparent_hugepage/enabled"


def test_processors_and_memory() -> None:
    found = of_cpu(Box())
    assert found["cores"][:2] == (OK, "2 x CPU, 4 cores each") and found["memory"][:2] == (OK, "16.0 GiB")
    assert [found[name][0] for name in ("governor", "NUMA balancing", "huge pages")] == [UNSEEN, OK, UNSEEN]
    few = of_cpu(Box(), 7, 2**33)
    assert few["cores"][0] is WARNING and few["cores"][1].endswith("this process may use 7 of 8 cores")
    assert few["memory"][:2] == (WARNING, "8.0 GiB of 16.0 GiB usable in this environment")
    assert of_cpu(Box(), memory=0)["memory"][0] is UNSEEN


@pytest.mark.parametrize(
    ("path", "text", "nodes", "name", "level", "words"),
    [
        (GOVERNOR, "performance", 1, "governor", OK, "performance"),
        (GOVERNOR, "powersave", 1, "governor", WARNING, "powersave, not performance"),
        (BALANCING, "1", 1, "NUMA balancing", OK, "nothing to balance"),
        (BALANCING, "1", 2, "NUMA balancing", WARNING, "on, with 2 NUMA nodes"),
        (BALANCING, "0", 2, "NUMA balancing", OK, "off"),
        ("", "", 2, "NUMA balancing", UNSEEN, "does not exist"),
        (PAGES, "always [madvise] never", 1, "huge pages", OK, "madvise"),
        (PAGES, "[always] madvise never", 1, "huge pages", OK, "always"),
        (PAGES, "always madvise [never]", 1, "huge pages", WARNING, "disabled"),
        (PAGES, "unknown", 1, "huge pages", OK, "unknown"),
    ],
)
def test_kernel_settings(path: str, text: str, nodes: int, name: str, level: Level, words: str) -> None:
    found = of_cpu(Box({path: text}), nodes=nodes)[name]
    assert found[0] is level and words in found[1] and bool(found[2]) is (level is WARNING)
    assert name != "huge pages" or level is WARNING or found[1] == words


SHM = {"exists": True, "free_bytes": 2**30}


@pytest.mark.parametrize(
    ("nofile", "memlock", "shm", "levels"),
    [
        (4096, 64 << 20, SHM, (OK, OK, OK)),
        (4095, (64 << 20) - 1, {"exists": True, "free_bytes": 2**30 - 1}, (WARNING, WARNING, WARNING)),
        (-1, -1, {"exists": False, "free_bytes": 2**40}, (OK, OK, UNSEEN)),
        (0, 0, None, (WARNING, WARNING, UNSEEN)),
    ],
)
def test_limits_of_a_process(nofile: int, memlock: int, shm: Any, levels: tuple[Level, ...]) -> None:
    box = Box(probes={"limits": {"nofile": nofile, "memlock": memlock}, "storage:shm": shm})
    found = seen(limits.check, box)
    assert tuple(found[name][0] for name in ("open files", "locked memory", "shared memory")) == levels
    without = seen(limits.check, box, NO_GPUS)
    assert without["locked memory"][0] is OK and without["shared memory"][0] in (OK, UNSEEN), "they matter to GPUs"


def test_limits_in_words() -> None:
    box = Box(probes={"limits": {"nofile": 8192, "memlock": 100 << 20}, "storage:shm": {"exists": True, "free_bytes": 3 << 29}})
    found = seen(limits.check, box)
    assert [one[1] for one in found.values()] == ["8192", "102400 KiB", "1.5 GiB free"]
    unlimited = seen(limits.check, Box(probes={"limits": {"nofile": -1, "memlock": -1}}))
    assert [one[1] for one in unlimited.values()] == ["unlimited", "unlimited", "/dev/shm does not exist"]
    low = seen(
        limits.check,
        Box(probes={"limits": {"nofile": 1, "memlock": 3 << 20}, "storage:shm": {"exists": True, "free_bytes": 5 << 20}}),
    )
    assert "limit is 3 MiB" in low["locked memory"][1] and low["shared memory"][1] == "/dev/shm has 5 MiB free"
    assert seen(limits.check, Box())["limits"][0] is UNSEEN


CLOCK = "timedatectl show --property=NTPSynchronized --value"


@pytest.mark.parametrize(
    ("commands", "behind", "level", "words"),
    [
        ({}, 0.0, UNSEEN, "no time service"),
        ({}, CLOCK_SKEW_S, UNSEEN, "no time service"),
        ({CLOCK: "yes"}, CLOCK_SKEW_S + 0.1, ERROR, "the clock is 5 s behind"),
        ({CLOCK: "yes\n"}, 0.0, OK, "synchronised"),
        ({CLOCK: "no"}, 0.0, WARNING, "not synchronised"),
        ({CLOCK: Ran(1, "yes")}, 0.0, UNSEEN, "no time service"),
        ({"chronyc -c tracking": "a,b,c,d,-0.0123,e"}, 0.0, OK, "12.3 ms off its time server"),
        ({"chronyc -c tracking": "a,b,c,d,5.0"}, 0.0, OK, "5000.0 ms off"),
        ({"chronyc -c tracking": "a,b,c,d,-5.1"}, 0.0, ERROR, "5.1 s off its time server"),
        ({"chronyc -c tracking": "a,b,c,d,x"}, 0.0, OK, "0.0 ms off"),
        ({"chronyc -c tracking": "a,b,c,9", CLOCK: "no"}, 0.0, WARNING, "not synchronised"),
        ({"chronyc -c tracking": Ran(1, "a,b,c,d,9"), CLOCK: "yes"}, 0.0, OK, "synchronised"),
    ],
)
def test_the_clock(commands: dict[str, object], behind: float, level: Level, words: str) -> None:
    found = seen(loadgen.check, Box(commands=commands, probes={"clock": {"behind_files": behind}, "packages": {}}))["clock"]
    assert found[0] is level and words in found[1] and bool(found[2]) is (level in (WARNING, ERROR))


@pytest.mark.parametrize(
    ("packages", "level"),
    [(None, UNSEEN), ({}, ERROR), ({"mlcommons-loadgen": "6.0.16"}, ERROR), ({"mlcommons-loadgen": "6.0.17"}, OK)],
)
def test_loadgens_version(packages: object, level: Level) -> None:
    assert seen(loadgen.check, Box(probes={"packages": packages}))["version"][0] is level


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


# ── storage and files ──────────────────────────────────────────────────


def needed(*names: str, variant: str = "reference") -> int:
    return sum(facts_of(name).space[variant].total for name in names)


@pytest.mark.parametrize(("off", "named", "level"), [(0, ("bert",), OK), (-1, ("bert",), ERROR), (0, (), OK), (-1, (), WARNING)])
def test_space_that_just_suffices(off: int, named: tuple[str, ...], level: Level) -> None:
    free = needed(*(named or BENCHMARKS)) + off
    place = {"exists": True, "writable": True, "free_bytes": free}
    found = seen(storage.check, Box(probes={"storage:scratch": place}), benchmarks=named, variant="reference")["space"]
    assert found[0] is level and f"{free / GB:.1f} GB free, {needed(*(named or BENCHMARKS)) / GB:.1f} GB needed" in found[1]
    assert ("BENCHMARKS=bert" in found[2]) is (level is WARNING)


@pytest.mark.parametrize(
    ("place", "variables", "gpu", "variant", "level", "words"),
    [
        ({"exists": False, "writable": True}, {"MLPERF_SCRATCH_PATH": "/x"}, True, "reference", ERROR, "does not exist"),
        ({"exists": False, "writable": True}, {}, False, "tiny", OK, "is not set"),
        ({"exists": True, "writable": False}, {}, False, "tiny", WARNING, "read-only"),
        ({"exists": True, "writable": True}, {"MLPERF_SCRATCH_PATH": "/x"}, True, "reference", OK, "is set, exists"),
        ({"exists": True, "writable": True}, {}, True, "reference", WARNING, "is not set"),
        ({"exists": True, "writable": True}, {}, True, "tiny", OK, "is not set"),
        ({"exists": True, "writable": True}, {}, False, "reference", OK, "is not set"),
    ],
)
def test_the_scratch_path(
    place: dict[str, Any], variables: dict[str, str], gpu: bool, variant: str, level: Level, words: str
) -> None:
    box = Box(probes={"storage:scratch": place}, variables=variables)
    found = seen(storage.check, box, devices() if gpu else NO_GPUS, variant=variant)
    assert found["scratch path"][0] is level and words in found["scratch path"][1]
    assert found["space"][:2] == (UNSEEN, "the scratch path's free space is unknown")
    assert seen(storage.check, Box(), variant=variant) == {"scratch path": (UNSEEN, "not in the capture", "")}


def test_files_of_a_benchmark() -> None:
    [one, *_] = [file for file in facts_of("bert").files if file.size]

    def of(**state: Any) -> tuple[Level, str, str]:
        listed = [{"path": one.path, "exists": True, "size": one.size, "digest": "none", **state}]
        subject = Subject(cast(Any, Box(probes={"files:bert": listed})), cast(Any, None), ("bert",), "reference")
        found = {finding.message.split(" ")[0].rstrip(",;"): finding for finding in files.check(subject)}
        assert len(found) == len(facts_of("bert").files), "one finding a file"
        assert all(other.level is UNSEEN for path, other in found.items() if path != one.path)
        return found[one.path].level, found[one.path].message, found[one.path].fix

    assert of()[0] is OK and of()[1].endswith("no digest on record") and of(digest="same")[1].endswith("digest matches")
    assert of(size=None)[0] is OK
    fix = f"make download_{one.kind} BENCHMARKS=bert"
    assert of(exists=False)[::2] == (ERROR, fix) and of(size=one.size + 1)[::2] == (ERROR, fix)
    assert of(digest="differs")[::2] == (ERROR, f"remove it, then {fix}")
    tiny = seen(files.check, Box(), benchmarks=("bert", "gptj"), variant="tiny")
    assert {name: found[0] for name, found in tiny.items()} == {"bert": OK, "gptj": OK}
    assert seen(files.check, Box(), benchmarks=("nothing",), variant="reference") == {}


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


# ── numbers in texts ───────────────────────────────────────────────────


def test_versions_in_texts() -> None:
    assert version("Docker version 27.3.1, build 4") == (27, 3, 1) and version("550") == () == version("none")
    assert plain("driver 550.127.05 of 2024") == "550.127.05" and plain("x") == "" and dotted((27, 3, 1)) == "27.3.1"
