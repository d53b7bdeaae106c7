"""The config language and its registry.

A config is a class. It inherits from its scenario's base class, names a system, and sets fields (code/fields/table.py):

    @ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
    class A100_SXM4_40GBx8(OfflineGPUBaseConfig):
        system = KnownSystem.A100_SXM4_40GBx8
        gpu_batch_size = {"bert": 1024}
        offline_expected_qps = 30000

`register` does not validate; a class is checked when a workload is selected. `from configs.configuration import *` gives a config
file every name it needs. loading.py finds and loads files, inspection.py checks classes.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Optional, Tuple, TypeVar, Union  # noqa: UP035 config files use them

from code.common.constants import (
    AccuracyTarget,
    Action,
    AliasedName,
    AliasedNameEnum,
    Benchmark,
    ByteSuffix,
    CPUArchitecture,
    HarnessType,
    Memory,
    ModelOpt,
    PowerSetting,
    Precision,
    Scenario,
    WorkloadSetting,
)
from code.systems.system_list import KnownSystem, SystemClassifications

__all__ = [
    "AccuracyTarget",
    "Action",
    "AliasedName",
    "AliasedNameEnum",
    "Any",
    "Benchmark",
    "BenchmarkConfiguration",
    "ByteSuffix",
    "CPUArchitecture",
    "ConfigRegistry",
    "Detected",
    "Dict",
    "HarnessType",
    "KnownSystem",
    "List",
    "Memory",
    "ModelOpt",
    "Optional",
    "PowerSetting",
    "Precision",
    "Probed",
    "Scenario",
    "SystemClassifications",
    "Tuple",
    "Union",
    "WorkloadSetting",
]

CONFIG_ROOT = Path(__file__).resolve().parent
C = TypeVar("C", bound=type)


class BenchmarkConfiguration:
    """The base of every config class. Class attributes are fields; only inheritance is used."""

    benchmark: Any
    scenario: Any
    system: Any


@dataclass(frozen=True)
class Detected:
    """A value that scales with the machine: `factor` times the detected number of `what` (cores)."""

    what: str
    factor: float = 1.0


@dataclass(frozen=True)
class Probed:
    """A value measured with this machine's engine, times `factor`.

    Args:
        what: 'samples_per_second', 'latency_ns' (of one sample) or 'query_latency_ns' (of a MultiStream query).
    """

    what: str
    factor: float = 1.0


def shown(path: str | Path) -> str:
    """A path, relative to the project if it is inside."""
    root = CONFIG_ROOT.parent
    return str(Path(path).relative_to(root) if Path(path).is_relative_to(root) else path)


@dataclass(frozen=True)
class Registered:
    """A registered class, the place of its register call, and its module.

    Args:
        suffix: tells variants of one workload apart, such as 'TP8PP1'; '' for most.
        folder: the system folder of a config of the newer layout; '' for a class.
    """

    cls: type
    setting: WorkloadSetting
    file: str
    line: int
    package: str
    suffix: str = ""
    folder: str = ""

    @property
    def where(self) -> str:
        """file:line, relative to the project if possible."""
        return f"{shown(self.file)}:{self.line}"


class ConfigRegistry:
    """All registered config classes of this process, in registration order."""

    entries: ClassVar[list[Registered]] = []

    @classmethod
    def register(
        cls,
        harness_type: HarnessType = HarnessType.Custom,
        accuracy_target: AccuracyTarget = AccuracyTarget.k_99,
        power_setting: PowerSetting = PowerSetting.MaxP,
        suffix: str | ModelOpt = "",
    ) -> Callable[[C], C]:
        """Class decorator: this class is the config of its system for that harness, accuracy target and power setting.

        Args:
            suffix: tells variants of one workload apart. Round v4.1 names how the model was changed instead.
        """
        variant = suffix.suffix if isinstance(suffix, ModelOpt) else str(suffix or "")
        setting = WorkloadSetting(harness_type, accuracy_target, power_setting)
        caller = sys._getframe(1)
        file, line = caller.f_code.co_filename, caller.f_lineno

        def store(config: C) -> C:
            cls.entries.append(Registered(config, setting, file, line, config.__module__, variant))
            return config

        return store

    @classmethod
    def get(
        cls,
        benchmark: Benchmark,
        scenario: Scenario,
        system: Any,
        harness_type: HarnessType = HarnessType.Custom,
        accuracy_target: AccuracyTarget = AccuracyTarget.k_99,
        power_setting: PowerSetting = PowerSetting.MaxP,
    ) -> type | None:
        """The first loaded class of that workload, unchecked; None if there is none. Used by older tools."""
        wanted = (benchmark, scenario, system)
        setting = WorkloadSetting(harness_type, accuracy_target, power_setting)
        for entry in cls.entries:
            found = tuple(getattr(entry.cls, name, None) for name in ("benchmark", "scenario", "system"))
            if entry.setting == setting and found == wanted:
                return entry.cls
        return None

    @staticmethod
    def load_configs(benchmark: Benchmark, scenario: Scenario) -> bool:
        """Load a benchmark's config files for one scenario; whether there are any. Used by older tools."""
        return bool(importlib.import_module("configs.loading").load(benchmark, scenario))
