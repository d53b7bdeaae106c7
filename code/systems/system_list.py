"""Every known system, the project's and the user's: `KnownSystem.A100_SXM4_40GBx8`.

Importing this reads tables only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from code.common.constants import CPUArchitecture, Memory
from code.common.errors import nearest
from code.machine.accelerator import AcceleratorConfiguration
from code.machine.base import MATCH_ANY, MatchAllowList, MatchNumericThreshold
from code.machine.cpu import CPU, CPUConfiguration
from code.machine.memory import MemoryConfiguration
from code.machine.systems import SystemConfiguration
from code.systems import custom
from code.systems.catalogue import Catalogue
from code.systems.data.systems import CPU_SYSTEMS, FAMILIES
from code.systems.known_hardware import KnownCPU, KnownGPU, KnownMIG

__all__ = ["DeprecatedSystem", "KnownSystem", "System", "SystemClassifications"]


@dataclass(frozen=True)
class System:
    """One known system.

    Fields: `value` is its description, `accelerator` the known name of its accelerator ("" without one or for one of the
    user's), `platform` the cloud whose machines alone match it, `retired` what to say of a system that rounds have dropped,
    `undefined` the message for an undefined name, `origin` "known", "undefined" or the file that defines it. Two systems
    are equal when their names are.
    """

    name: str
    value: SystemConfiguration = field(compare=False)
    accelerator: str = field(default="", compare=False)
    platform: str = field(default="", compare=False)
    retired: str = field(default="", compare=False)
    undefined: str = field(default="", compare=False)
    origin: str = field(default="known", compare=False)

    @property
    def system_id(self) -> str:
        """The system ID in results; a generic CPU system has none until it is matched and returns its name."""
        return self.value.system_id or self.name

    @property
    def custom(self) -> bool:
        """Whether a user's file defines it."""
        return self.origin not in ("known", "undefined")

    @property
    def accelerators(self) -> int:
        """Number of accelerators; MIG slices count individually."""
        return self.value.accelerator_conf.num_gpus() + self.value.accelerator_conf.num_migs()

    def __str__(self) -> str:
        return f"KnownSystem.{self.name}"


def _cpu_layout(names: tuple[str, ...] | None) -> CPUConfiguration:
    if names is None:
        return CPUConfiguration({MATCH_ANY: MATCH_ANY})
    if len(names) == 1 and names[0] in CPUArchitecture.__members__:
        return CPUConfiguration({CPU(MATCH_ANY, CPUArchitecture[names[0]], MATCH_ANY, MATCH_ANY): MATCH_ANY})
    cpus = tuple(KnownCPU[name].value for name in names)
    return CPUConfiguration({cpus[0] if len(cpus) == 1 else MatchAllowList(cpus): MATCH_ANY})


def _built_in() -> dict[str, System]:
    found: dict[str, System] = {}
    for row in FAMILIES:
        known = KnownMIG.get(row.accelerator) or KnownGPU[row.accelerator]
        for count in row.counts:
            name = row.name.format(count)
            found[name] = System(
                name,
                SystemConfiguration(
                    host_cpu_conf=_cpu_layout(row.cpus),
                    host_mem_conf=MatchNumericThreshold(MemoryConfiguration(Memory.from_string(row.memory))),
                    accelerator_conf=AcceleratorConfiguration({known.value: count}),
                    numa_conf=MATCH_ANY,
                    system_id=row.system_id.format(count),
                ),
                accelerator=row.accelerator,
                platform=row.platform,
                retired=row.retired,
            )
    for name, architecture in CPU_SYSTEMS.items():
        configuration = SystemConfiguration(_cpu_layout((architecture,)), MATCH_ANY, AcceleratorConfiguration({}), MATCH_ANY)
        found[name] = System(name, configuration)
    return found


class SystemCatalogue(Catalogue[System]):
    """The known systems: the project's table, then the user's files, read on first use."""

    def __init__(self) -> None:
        super().__init__("KnownSystem", self._read)
        self._problems: list[custom.LoadProblem] = []
        self._reading = False
        self._included: list[Path] = []
        self._undefined: dict[str, System] = {}
        self._described: dict[str, System] = {}

    @property
    def problems(self) -> list[custom.LoadProblem]:
        """Problems with the user's files."""
        self._all()
        return list(self._problems)

    def _read(self) -> Mapping[str, System]:
        found = _built_in()
        if self._reading:  # a custom_list.py that itself uses KnownSystem sees the project's systems
            return found
        self._reading = True
        try:
            added, self._problems = custom.read_all()
            for path in self._included:
                systems, met = custom.read_custom_list(path)
                added.update({name: (value, path) for name, value in systems.items()})
                self._problems += met
        finally:
            self._reading = False
        for name, (value, path) in added.items():
            if value.system_id is None:
                value.set_id(name)
            kinds = [*KnownMIG, *KnownGPU]
            accelerator = next((k.name for k in kinds for kind in value.accelerator_conf.layout if k.value == kind), "")
            found[name] = System(name, value, accelerator=accelerator, origin=str(path))
        return found

    def include(self, path: Path) -> None:
        """Read another custom_list.py, whose systems count as the user's own."""
        self._included.append(path)
        self.forget()

    def define(self, system: System) -> None:
        """Know a system by its exact name in this process. It is not listed, and no machine is matched with it."""
        self._described[system.name] = system

    def get(self, name: str) -> System | None:
        """The system of that exact name, or None."""
        return super().get(name) or self._described.get(name)

    def __getattr__(self, name: str) -> System:
        """The system of that name; for an undefined name, a placeholder whose `undefined` is the error message.

        So a config file that names one unknown system still loads its other classes, and the placeholder's class is refused when
        it is selected. Everything else about the catalogue (`get`, `in`, `[name]`, iteration) knows defined systems only.
        """
        if name.startswith("_") or name in self._all():
            return super().__getattr__(name)
        if name not in self._undefined:
            self._undefined[name] = self.placeholder(name)
        return self._undefined[name]

    def placeholder(self, name: str) -> System:
        """A system of that name on any processor, without accelerators; its `undefined` is the message for the name."""
        anything = CPUConfiguration({MATCH_ANY: MATCH_ANY})
        configuration = SystemConfiguration(anything, MATCH_ANY, AcceleratorConfiguration({}), MATCH_ANY, name)
        like = nearest(name, self._all())
        text = f"KnownSystem has no member {name!r}" + (f"; the nearest is KnownSystem.{like}" if like else "")
        return System(name, configuration, undefined=text, origin="undefined")

    def forget(self) -> None:
        """Reread the user's files at the next use."""
        super().forget()
        self._undefined.clear()

    def __getitem__(self, name: str) -> System:
        found = self.__getattr__(name)
        if found.undefined:
            raise KeyError(found.undefined)
        return found


KnownSystem = SystemCatalogue()
DeprecatedSystem: Catalogue[System] = Catalogue(
    "DeprecatedSystem", lambda: {system.name: system for system in KnownSystem if system.retired}
)


class SystemClassifications:
    """Predicates on systems for config files; without an argument, on this machine's system."""

    @staticmethod
    def _of(system: System | SystemConfiguration | None) -> SystemConfiguration:
        if system is None:
            from code.machine.detect import detect

            return detect().config
        return system.value if isinstance(system, System) else system

    @classmethod
    def _sm(cls, system: Any) -> Any:
        return cls._of(system).get_compute_sm()

    @classmethod
    def is_blackwell(cls, system: Any = None) -> bool:
        """Compute capability 10.0, 10.3 or 12.x."""
        return cls._sm(system) in (100, 103, 120, 121)

    @classmethod
    def is_hopper(cls, system: Any = None) -> bool:
        """Compute capability 9.0."""
        return bool(cls._sm(system) == 90)

    @classmethod
    def is_ada(cls, system: Any = None) -> bool:
        """Compute capability 8.9."""
        return bool(cls._sm(system) == 89)

    @classmethod
    def is_ampere(cls, system: Any = None) -> bool:
        """Compute capability 8.0 to 8.9, as in older files."""
        return cls._sm(system) in (80, 86, 87, 89)

    @classmethod
    def is_turing(cls, system: Any = None) -> bool:
        """Compute capability 7.5."""
        return bool(cls._sm(system) == 75)

    @classmethod
    def is_aarch64(cls, system: Any = None) -> bool:
        """An ARM host."""
        return bool(cls._of(system).host_cpu_conf.get_architecture() is CPUArchitecture.aarch64)

    @classmethod
    def is_orin(cls, system: Any = None) -> bool:
        """A Jetson Orin."""
        kinds = (KnownGPU.Orin.value, KnownGPU.Orin_NX.value)
        return any(known.matches(kind) or known == kind for kind in cls._of(system).accelerator_conf.layout for known in kinds)

    @classmethod
    def is_soc(cls, system: Any = None) -> bool:
        """A system on a chip."""
        return cls.is_orin(system)

    @classmethod
    def gpu_based(cls, system: Any = None) -> bool:
        """At least one GPU or MIG slice."""
        accelerators = cls._of(system).accelerator_conf
        return accelerators.num_gpus() + accelerators.num_migs() > 0

    @classmethod
    def multi_gpu(cls, system: Any = None) -> bool:
        """More than one GPU or MIG slice."""
        accelerators = cls._of(system).accelerator_conf
        return accelerators.num_gpus() + accelerators.num_migs() > 1

    @classmethod
    def start_from_device_enabled(cls, system: Any = None) -> bool:
        """Data-centre GPUs on SXM boards or with Grace, where inputs may already be in device memory."""
        return cls._on_sxm(system)

    @classmethod
    def end_on_device_enabled(cls, system: Any = None) -> bool:
        """The same boards for outputs."""
        return cls._on_sxm(system)

    @classmethod
    def _on_sxm(cls, system: Any) -> bool:
        boards = [known.value for known in KnownGPU if "SXM" in known.name or "Grace" in known.name]
        return any(b == kind or b.matches(kind) for kind in cls._of(system).accelerator_conf.layout for b in boards)
