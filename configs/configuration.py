"""The config language and its registry.

A config is a class. It inherits from its scenario's base class, names a system, and sets fields (code/common/fields.py):

    @ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)
    class A100_SXM4_40GBx8(OfflineGPUBaseConfig):
        system = KnownSystem.A100_SXM4_40GBx8
        gpu_batch_size = {"bert": 1024}
        offline_expected_qps = 30000

`register` only stores. Files are loaded one by one; a file that fails costs itself alone and is kept as a `ConfigProblem`. What a
class says is checked when a workload is selected. `from configs.configuration import *` gives a config file every name it needs.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, TypeVar

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
    PowerSetting,
    Precision,
    Scenario,
    WorkloadSetting,
)
from code.common.systems.system_list import KnownSystem

__all__ = [
    "AccuracyTarget",
    "Action",
    "AliasedName",
    "AliasedNameEnum",
    "Benchmark",
    "BenchmarkConfiguration",
    "ByteSuffix",
    "CPUArchitecture",
    "ConfigRegistry",
    "Detected",
    "HarnessType",
    "KnownSystem",
    "Memory",
    "PowerSetting",
    "Precision",
    "Probed",
    "Scenario",
    "WorkloadSetting",
]

CONFIG_ROOT = Path(__file__).resolve().parent
CUSTOM_ENVIRONMENT = "MLPINF_CUSTOM_DEFINITION_PATH"
C = TypeVar("C", bound=type)


class BenchmarkConfiguration:
    """The root of every config class. Class attributes are fields; inheritance is the whole language."""

    benchmark: Any
    scenario: Any
    system: Any


@dataclass(frozen=True)
class Detected:
    """A value that grows with the machine: `factor` for each of `what` (cores) that was detected."""

    what: str
    factor: float = 1.0


@dataclass(frozen=True)
class Probed:
    """A value that a short measurement on this machine's engine gives, times `factor`.

    Args:
        what: 'samples_per_second', 'latency_ns' (of one sample) or 'query_latency_ns' (of a MultiStream query).
    """

    what: str
    factor: float = 1.0


@dataclass(frozen=True)
class Registered:
    """One registered class and where it stands."""

    cls: type
    setting: WorkloadSetting
    file: str
    line: int
    package: str

    @property
    def where(self) -> str:
        """file:line, relative to the project where it can be."""
        path = Path(self.file)
        root = CONFIG_ROOT.parent
        shown = path.relative_to(root) if path.is_relative_to(root) else path
        return f"{shown}:{self.line}"


@dataclass(frozen=True)
class ConfigProblem:
    """A config file, or a place in it, that could not be used."""

    file: str
    line: int
    reason: str
    hint: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}" + (f" ({self.hint})" if self.hint else "")


class ConfigRegistry:
    """All registered config classes of this process, in the order they were met."""

    entries: ClassVar[list[Registered]] = []

    @classmethod
    def register(
        cls,
        harness_type: HarnessType = HarnessType.Custom,
        accuracy_target: AccuracyTarget = AccuracyTarget.k_99,
        power_setting: PowerSetting = PowerSetting.MaxP,
    ) -> Callable[[C], C]:
        """Class decorator: this class is the config of its system for that harness, accuracy target and power setting."""
        setting = WorkloadSetting(harness_type, accuracy_target, power_setting)
        caller = sys._getframe(1)
        file, line = caller.f_code.co_filename, caller.f_lineno

        def store(config: C) -> C:
            cls.entries.append(Registered(config, setting, file, line, config.__module__))
            return config

        return store


@dataclass(frozen=True)
class LoadedFile:
    """What one config file gave."""

    file: str
    entries: tuple[Registered, ...]
    problem: ConfigProblem | None


def load(benchmark: Benchmark, scenario: Scenario) -> list[LoadedFile]:
    """Load a benchmark's config files for one scenario: the package, its custom.py, and the user's own definitions.

    Each is loaded at most once in a process. Files that are not there are left out of the answer.
    """
    folder = f"{benchmark.valstr}/{scenario.valstr}"
    package = f"configs.{benchmark.valstr}.{scenario.valstr}"
    out = []
    for name, path in (
        (package, CONFIG_ROOT / folder / "__init__.py"),
        (f"{package}.custom", CONFIG_ROOT / folder / "custom.py"),
    ):
        if path.is_file():
            out.append(_load_file(name, path))
    definitions = os.environ.get(CUSTOM_ENVIRONMENT, "")
    if definitions:
        path = Path(definitions) / "custom_configs" / folder / "custom.py"
        if path.is_file():
            out.append(_load_file(f"{package}._definitions", path, of_package=package))
    return out


@cache
def _load_file(name: str, path: Path, of_package: str = "") -> LoadedFile:
    first = len(ConfigRegistry.entries)
    problem = None
    try:
        if of_package:
            importlib.import_module(of_package)
            _import_path(name, path)
        else:
            importlib.import_module(name)
    except Exception as error:
        problem = describe_failure(error, path)
        del ConfigRegistry.entries[first:]
    return LoadedFile(str(path), tuple(ConfigRegistry.entries[first:]), problem)


def _import_path(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def describe_failure(error: Exception, path: Path) -> ConfigProblem:
    """Where and why a config file failed, with a hint."""
    if isinstance(error, SyntaxError):
        file, line, reason = error.filename or str(path), error.lineno or 0, f"syntax error: {error.msg}"
        text = error.text or ""
        if "non-printable" in (error.msg or "") or "\u00a0" in text:
            return ConfigProblem(file, line, reason, "replace the non-breaking space by an ordinary one")
        return ConfigProblem(file, line, reason, "this file is skipped, the others load")
    line, file = 0, str(path)
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).resolve() == path.resolve():
            line, file = frame.lineno or 0, frame.filename
    return ConfigProblem(file, line, f"{type(error).__name__}: {error}", "this file is skipped, the others load")


def fields_of(cls: type) -> dict[str, tuple[Any, type]]:
    """The fields a config class sets, by inheritance: name → (value, the class that sets it).

    Methods, private names and nested classes are not fields.
    """
    out: dict[str, tuple[Any, type]] = {}
    for base in reversed(cls.__mro__):
        if base in (object, BenchmarkConfiguration):
            continue
        for name, value in vars(base).items():
            if name.startswith("_") or isinstance(value, (type, staticmethod, classmethod, property)) or callable(value):
                continue
            out[name] = (value, base)
    return out


def place_of(owner: type, name: str) -> str:
    """file:line of the assignment to `name` in the class `owner`."""
    module = sys.modules.get(owner.__module__)
    file = getattr(module, "__file__", None) or owner.__module__
    path = Path(file)
    shown = path.relative_to(CONFIG_ROOT.parent) if path.is_relative_to(CONFIG_ROOT.parent) else path
    line = _assignment_lines(file).get((owner.__qualname__, name), 0)
    return f"{shown}:{line}" if line else str(shown)


@cache
def _assignment_lines(file: str) -> dict[tuple[str, str], int]:
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return {}
    return dict(_assignments(tree.body, ""))


def _assignments(body: list[ast.stmt], prefix: str) -> Iterator[tuple[tuple[str, str], int]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _assignments(node.body, f"{prefix}{node.name}.")
            continue
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and prefix:
                yield (prefix[:-1], target.id), node.lineno
