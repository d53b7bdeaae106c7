"""Each check of a machine's software, limits and files: what is just good enough, what is not, and the words and command of the finding."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from code.machine.sources import Ran
from code.preflight import containers, cpu, files, limits, loadgen, storage, user
from code.preflight.finding import Level, Subject, dotted, plain, version
from code.preflight.requirements import CLOCK_SKEW_S
from code.rules.benchmark_facts import GB
from code.rules.benchmarks import BENCHMARKS, facts_of
from tests.unit.systems.preflight_box import ERROR, NO_GPUS, OK, UNSEEN, WARNING, Box, devices, seen

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


@pytest.mark.parametrize(
    ("command", "name", "level"),
    [
        ("docker --version", "Docker", UNSEEN),
        (DAEMON, "Docker daemon", WARNING),
        ("nvidia-ctk --version", "NVIDIA Container Toolkit", ERROR),
        (RUNTIMES, "Docker's GPU runtime", UNSEEN),
    ],
)
def test_a_command_that_is_not_there_is_as_one_that_fails(command: str, name: str, level: Level) -> None:
    found = seen(containers.check, Box(commands={key: said for key, said in DOCKER.items() if key != command}))
    assert found[name][0] is level


def test_the_oldest_versions_themselves_will_do() -> None:
    oldest = {"docker --version": "Docker version 20.10, build x", "nvidia-ctk --version": "1.14"}
    found = seen(containers.check, Box(commands={**DOCKER, **oldest}))
    assert {found[name][0] for name in ("Docker", "NVIDIA Container Toolkit")} == {OK}


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


# ── numbers in texts ───────────────────────────────────────────────────


def test_versions_in_texts() -> None:
    assert version("Docker version 27.3.1, build 4") == (27, 3, 1) and version("550") == () == version("none")
    assert plain("driver 550.127.05 of 2024") == "550.127.05" and plain("x") == "" and dotted((27, 3, 1)) == "27.3.1"
