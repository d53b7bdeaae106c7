"""What the steps of a run read of a job: everything that follows from its workload (code/run/job.py makes each on first use)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from code.backends.base import Backend
from code.benchmarks.benchmark import BenchmarkDefinition
from code.plan.workload import Workload
from code.results.loadgen_log import LoadGenLog
from code.run.company import Company
from code.run.engines import Engines
from code.run.language import Choice
from code.run.placement import Placement
from code.run.places import Place


class Resolved(Protocol):
    """A workload with its benchmark, runtime, devices, engines, data set and harness language."""

    workload: Workload

    @property
    def values(self) -> dict[str, Any]:
        """The workload's values, without origins."""

    @property
    def label(self) -> str:
        """How lines about it begin, such as 'bert-99 Offline'."""

    @property
    def definition(self) -> BenchmarkDefinition:
        """The benchmark."""

    @property
    def backend(self) -> Backend:
        """The runtime."""

    @property
    def placement(self) -> Placement:
        """The devices."""

    @property
    def graph(self) -> Path:
        """The graph the engine is built from, or the table of a simulated engine."""

    @property
    def engines(self) -> Engines:
        """One engine for each kind of device."""

    @property
    def dataset(self) -> dict[str, Any]:
        """The `dataset` part of run.json."""

    @property
    def language(self) -> Choice:
        """The harness's language, and the reason."""

    @property
    def place(self) -> Place | None:
        """Where its harness process runs; None: on this machine."""

    @property
    def company(self) -> Company | None:
        """What ran beside its newest test; None for a workload that runs alone."""

    def test(self, mode: str, folder: Path, label: str) -> LoadGenLog:
        """Run one LoadGen test into `folder` and return its log."""
