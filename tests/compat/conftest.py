"""A folder of foreign config files in front of the project's own, as if it had been copied over them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import configs
from code.common.constants import Benchmark, Scenario
from code.common.errors import HarnessError
from code.plan import workload as plan
from code.plan.request import parse
from code.plan.workload import Workload
from code.systems.system_list import KnownSystem
from configs import loading
from configs.loading import LoadedFile

HEAD = """\
import os
import sys
sys.path.insert(0, os.getcwd())

from code.common.constants import Benchmark, Scenario
from code.common.systems.system_list import KnownSystem
from configs.configuration import *
from configs.bert import GPUBaseConfig


class OfflineGPUBaseConfig(GPUBaseConfig):
    scenario = Scenario.Offline

    gpu_copy_streams = 2
    gpu_inference_streams = 2


"""
"""How public config files for bert Offline begin."""

REGISTER = "@ConfigRegistry.register(HarnessType.Custom, AccuracyTarget.k_99, PowerSetting.MaxP)\n"


class DropIn:
    """Config files to be written and loaded."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, place: str, text: str) -> Path:
        """A file below the configs folder."""
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def bert_offline(self, body: str) -> Path:
        """configs/bert/Offline/__init__.py with the usual head."""
        return self.write("bert/Offline/__init__.py", HEAD + body)

    def load(self, benchmark: Benchmark = Benchmark.BERT, scenario: Scenario = Scenario.Offline) -> list[LoadedFile]:
        """What the files of one workload give."""
        return loading.load(benchmark, scenario)

    def names(self, benchmark: Benchmark = Benchmark.BERT, scenario: Scenario = Scenario.Offline) -> list[str]:
        """The registered classes' names."""
        return [entry.cls.__name__ for file in self.load(benchmark, scenario) for entry in file.entries]

    def plan(self, *arguments: str) -> tuple[list[Workload], list[HarnessError]]:
        """What a command line would run, and the errors of what it would not."""
        given = ("--action=explain", *arguments)
        if not any(word.startswith("--benchmarks") for word in arguments):
            given = (*given, "--benchmarks=bert", "--scenarios=offline")
        workloads, failed = plan.build(parse(given, {}))
        return workloads, [missed.error for missed in failed]

    def one(self, *arguments: str) -> Workload:
        """The single workload of a command line."""
        workloads, errors = self.plan(*arguments)
        assert errors == [] and len(workloads) == 1
        return workloads[0]

    def refusal(self, *arguments: str) -> HarnessError:
        """The single error of a command line."""
        workloads, errors = self.plan(*arguments)
        assert workloads == [] and len(errors) == 1
        return errors[0]


@pytest.fixture
def drop_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DropIn]:
    """An empty folder in front of the project's configs."""
    root = tmp_path / "configs"
    root.mkdir()
    monkeypatch.delenv(loading.CUSTOM_ENVIRONMENT, raising=False)
    monkeypatch.setattr(configs, "__path__", [str(root), *configs.__path__])
    loading.forget()
    KnownSystem.forget()
    yield DropIn(root)
    loading.use_folder(None)
    loading.forget()
    KnownSystem.forget()
