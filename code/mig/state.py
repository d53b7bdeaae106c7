"""How the GPUs of a machine are cut: from NVML, else from nvidia-smi, on this machine or a captured one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from code.common.errors import MissingError
from code.machine.mig import PROFILE
from code.machine.sources import Machine, Ran

SMI = "nvidia-smi"
QUERY = (SMI, "--query-gpu=index,uuid,name,mig.mode.current,mig.mode.pending", "--format=csv,noheader")
RUNNING = (SMI, "--query-compute-apps=gpu_uuid,pid,process_name", "--format=csv,noheader")
LISTED = (SMI, "-L")
PROFILES, INSTANCES, COMPUTE = ((SMI, "mig", option) for option in ("-lgip", "-lgi", "-lci"))
_ROW = re.compile(r"\|\s+(\d+)\s+(.*?)\s*\|")
_EMPTY = re.compile(r"No .*instances? found|No MIG-enabled devices found", re.IGNORECASE)


@dataclass(frozen=True)
class Profile:
    """A kind of GPU instance.

    Args:
        id: NVML's and nvidia-smi's number of it.
        name: '1g.10gb'.
        slices: compute slices of one.
        most: how many an empty GPU holds.
        free: how many more fit now; None: not known.
    """

    id: int
    name: str
    slices: int
    most: int
    free: int | None = None


@dataclass(frozen=True)
class Instance:
    """A GPU instance.

    Args:
        id: its number on the GPU.
        profile: the number of its profile.
        start, size: its place, in memory slices.
        compute: the profiles of its compute instances.
    """

    id: int
    profile: int
    start: int
    size: int
    compute: tuple[int, ...] = ()

    @property
    def place(self) -> tuple[int, int, tuple[int, ...]]:
        """What of it can be made again: its profile, its start and its compute instances; its number cannot."""
        return self.profile, self.start, tuple(sorted(self.compute))


@dataclass(frozen=True)
class Slice:
    """What CUDA sees of an instance."""

    uuid: str
    profile: str


@dataclass(frozen=True)
class Gpu:
    """A GPU and how it is cut.

    Args:
        on: whether MIG mode is on; None for a GPU without one.
        pending: the mode after the next reset.
        instances: None where they cannot be listed, for the reason `refused`.
        processes: 'python3 (4711)', … on it or on one of its slices.
    """

    index: int
    uuid: str
    name: str
    on: bool | None
    pending: bool | None
    profiles: tuple[Profile, ...] = ()
    instances: tuple[Instance, ...] | None = ()
    slices: tuple[Slice, ...] = ()
    processes: tuple[str, ...] = ()
    refused: str = ""

    @property
    def label(self) -> str:
        """'GPU 0 (NVIDIA H100 80GB HBM3)'."""
        return f"GPU {self.index} ({self.name})"

    def profile(self, number: int) -> str:
        """The name of a profile."""
        return next((one.name for one in self.profiles if one.id == number), f"profile {number}")

    def counts(self) -> dict[str, int]:
        """How many instances of each profile it has; of CUDA's slices where instances cannot be listed."""
        names = [one.profile for one in self.slices]
        if self.instances is not None:
            names = [self.profile(one.profile) for one in self.instances]
        return {name: names.count(name) for name in dict.fromkeys(names)}


@dataclass(frozen=True)
class State:
    """All GPUs, and whether NVML answered ('nvml') or its command ('nvidia-smi')."""

    gpus: tuple[Gpu, ...]
    source: str


def read(machine: Machine) -> State:
    """How the GPUs are cut. MissingError where neither NVML nor nvidia-smi answers."""
    answer = machine.probe("mig") or {"absent": "NVML was not queried"}
    if "gpus" in answer:
        return State(tuple(_gpu(content) for content in answer["gpus"]), "nvml")
    why = str(answer.get("error") or answer.get("absent"))
    listed = machine.command(*QUERY)
    if listed is None or listed.status != 0:
        words = why if listed is None else f"{why}; {SMI}: {_words(listed)}"
        raise MissingError("no NVIDIA GPU can be asked about MIG", words, "check the driver with `make doctor`")
    return State(tuple(_by_command(machine, listed.stdout)), SMI)


def _gpu(content: Mapping[str, Any]) -> Gpu:
    refused = str(content.get("refused") or "")
    listed = [
        Instance(one["id"], one["profile"], one["start"], one["size"], tuple(one.get("compute") or ()))
        for one in _of(content, "instances")
    ]
    return Gpu(
        content["index"],
        _word(content, "uuid"),
        _word(content, "name", "GPU"),
        content.get("current"),
        content.get("pending"),
        tuple(Profile(one["id"], one["name"], one["slices"], one["most"], one.get("free")) for one in _of(content, "profiles")),
        None if refused else tuple(sorted(listed, key=lambda one: one.start)),
        tuple(Slice(_word(one, "uuid"), _word(one, "profile")) for one in _of(content, "slices")),
        tuple(f"{_word(one, 'name', '?')} ({one['pid']})" for one in _of(content, "processes")),
        refused,
    )


def _of(content: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return list(content.get(name) or ())


def _word(content: Mapping[str, Any], name: str, otherwise: str = "") -> str:
    return str(content.get(name) or otherwise)


def _by_command(machine: Machine, listed: str) -> Iterator[Gpu]:
    """The same from nvidia-smi's tables (NVIDIA Multi-Instance GPU User Guide, "Getting Started with MIG")."""
    profiles, instances, compute = (_table(machine, command) for command in (PROFILES, INSTANCES, COMPUTE))
    running = machine.command(*RUNNING)
    slices = _slices(machine)
    for line in listed.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != 5 or not cells[0].isdigit():
            continue
        index, uuid, name, current, pending = cells
        on = {"Enabled": True, "Disabled": False}.get(current)
        own = [(one[1], one[2]) for one in _compute(compute.rows) if one[0] == int(index)]
        refused = (instances.refused or compute.refused) if on else ""
        yield Gpu(
            int(index),
            uuid,
            name,
            on,
            {"Enabled": True, "Disabled": False}.get(pending),
            tuple(_profiles(profiles.rows, int(index))),
            None if refused else tuple(_instances(instances.rows, int(index), own)),
            tuple(slices.get(int(index), ())),
            tuple(_running(running.stdout if running else "", uuid)),
            refused,
        )


@dataclass(frozen=True)
class _Table:
    """The rows of a table by GPU, each as its words; why there is none."""

    rows: tuple[tuple[int, list[str]], ...]
    refused: str = ""


def _table(machine: Machine, command: tuple[str, ...]) -> _Table:
    ran = machine.command(*command)
    if ran is None:
        return _Table((), f"`{' '.join(command)}` does not answer")
    rows = tuple((int(hit[1]), hit[2].split()) for hit in _ROW.finditer(ran.stdout))
    bad = ran.status != 0 and not rows and not _EMPTY.search(ran.stdout + ran.stderr)
    return _Table(rows, _words(ran) if bad else "")


def _words(ran: Ran) -> str:
    """The last line that a command printed."""
    lines = [line.strip() for line in (ran.stderr + "\n" + ran.stdout).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {ran.status}"


def _profiles(rows: tuple[tuple[int, list[str]], ...], index: int) -> Iterator[Profile]:
    """Rows such as `0  MIG 1g.5gb  19  7/7  4.75 …`; the second line of each has no name."""
    for gpu, cells in rows:
        if gpu != index or len(cells) < 4 or cells[0] != "MIG" or not PROFILE.fullmatch(cells[1]):
            continue
        free, slash, most = cells[3].partition("/")
        if slash and cells[2].isdigit() and free.isdigit() and most.isdigit():
            yield Profile(int(cells[2]), cells[1], int(cells[1].partition("g.")[0].rpartition(".")[2]), int(most), int(free))


def _instances(rows: tuple[tuple[int, list[str]], ...], index: int, compute: list[tuple[int, int]]) -> Iterator[Instance]:
    """Rows such as `0  MIG 1g.5gb  19  7  4:1`."""
    for gpu, cells in rows:
        if gpu != index or len(cells) < 5 or not (cells[2].isdigit() and cells[3].isdigit()):
            continue
        start, _, size = cells[4].partition(":")
        if start.isdigit() and size.isdigit():
            number = int(cells[3])
            own = tuple(profile for instance, profile in compute if instance == number)
            yield Instance(number, int(cells[2]), int(start), int(size), own)


def _compute(rows: tuple[tuple[int, list[str]], ...]) -> Iterator[tuple[int, int, int]]:
    """(GPU, instance, compute profile) of rows such as `0  7  MIG 1g.5gb  0  0  0:1`; a `*` marks a default profile."""
    for gpu, cells in rows:
        if len(cells) >= 5 and cells[0].isdigit() and cells[3].strip("*").isdigit():
            yield gpu, int(cells[0]), int(cells[3].strip("*"))


def _slices(machine: Machine) -> dict[int, list[Slice]]:
    """CUDA's slices by GPU, as `nvidia-smi -L` lists them below each."""
    ran = machine.command(*LISTED)
    found: dict[int, list[Slice]] = {}
    gpu = -1
    for line in (ran.stdout if ran else "").splitlines():
        if head := re.match(r"GPU (\d+):", line):
            gpu = int(head[1])
        elif part := re.match(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)", line):
            found.setdefault(gpu, []).append(Slice(part[2], part[1]))
    return found


def _running(listed: str, uuid: str) -> Iterator[str]:
    """'python3 (4711)', … of a GPU."""
    for line in listed.splitlines():
        cells = [cell.strip() for cell in line.split(",", 2)]
        if len(cells) == 3 and cells[0] == uuid:
            yield f"{cells[2]} ({cells[1]})"
