"""A job: a workload and everything derived from it, created lazily and once.

Actions build, probe and run through a job only.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.backends.base import Backend, backend
from code.benchmarks.benchmark import BenchmarkDefinition, definition_of
from code.common.notices import Notices
from code.fields.consumer import Consumer
from code.plan.workload import Workload
from code.run import early_out, ignored, language, loadgen_run, material, preparation, result
from code.run.engines import Engines, calibrates_again, engines_of
from code.run.nodes import permission
from code.run.placement import Placement, place

if TYPE_CHECKING:
    from code.results.loadgen_log import LoadGenLog
    from code.results.report import ReportRow
    from code.run.company import Company
    from code.run.places import Place

READS = Consumer("the job", ("backend",))


class Job:
    """The run of one workload.

    Args:
        workload: the planned workload.
        notices: lines already printed in this invocation.
    """

    def __init__(self, workload: Workload, notices: Notices) -> None:
        self.notices = notices
        self.workload = workload
        self.place: Place | None = None
        self.home: Path | None = None  # of a simulated engine and its table; None: where engines are kept
        self.company: Company | None = None
        self.workload = preparation.with_placement(workload, self.placement)

    @property
    def values(self) -> dict[str, Any]:
        """The workload's values, without origins."""
        return self.workload.plain()

    @property
    def label(self) -> str:
        """Prefix of its messages: 'bert-99 Offline'; simulated runs are marked."""
        return self.workload.label if self.backend.computes else f"{self.workload.label} SIMULATED"

    @cached_property
    def definition(self) -> BenchmarkDefinition:
        """The benchmark."""
        return definition_of(self.workload.benchmark)

    @cached_property
    def backend(self) -> Backend:
        """The backend. UsageError for an unknown one."""
        return backend(READS.of(self.workload)["backend"])

    @cached_property
    def placement(self) -> Placement:
        """The devices."""
        found = place(self.workload, self.backend)
        for note in found.notes:
            self.notices.say(f"{self.label}: {note}")
        return found

    @cached_property
    def graph(self) -> Path:
        """The graph the engine is built from, or the table of a simulated engine. MissingError if it has not been made."""
        return self._graph(make=False)

    def _graph(self, make: bool, again: bool = False) -> Path:
        return material.graph(self.workload, self.backend, self.definition, self.placement, make, again, self.home)

    @cached_property
    def engines(self) -> Engines:
        """Its engines, one for each kind of device."""
        return engines_of(self.workload, self.backend, self.placement, self.graph, self.home)

    @cached_property
    def dataset(self) -> dict[str, Any]:
        """The `dataset` part of run.json; MissingError when arrays are not there or broken."""
        return material.dataset(self.workload, self.backend, self.definition)

    @cached_property
    def lengths(self) -> list[int]:
        """Lengths of its data set's samples, or quantiles of them. It is said where a user's own have to be the benchmark's."""
        own = material.own_lengths(self.workload, self.definition)
        if own is None and self.workload.variant == "custom":
            self.notices.say(f"{self.label}: lengths are those of the benchmark's data set: yours is not prepared here")
        return own or material.usual_lengths(self.definition)

    @cached_property
    def language(self) -> language.Choice:
        """The harness language; the reason is printed once."""
        asked = language.asked_language(self.workload)
        choice = language.choose(asked, self.backend.name, str(self.dataset["kind"]), preparation.languages(self))
        if asked != choice.language:
            self.notices.say(f"harness: {choice.language} ({choice.why})")
        return choice

    def warn_unused(self) -> None:
        """Warn of the fields that somebody set and nobody acts on, each once per workload."""
        ignored.warn(self.workload, self.backend, self.notices, self.label)

    def build(self, force: bool = False) -> None:
        """Build the engine unless an identical one exists.

        MissingError without the model, RunError with the runtime's message if the build fails.
        """
        self.warn_unused()
        self.__dict__["graph"] = self._graph(make=True, again=calibrates_again(self.workload, self.notices))
        self.engines.build(self.notices, force)

    def require_gpus(self) -> None:
        """MissingError where its backend needs GPUs and this machine has none, or it asks for nodes and Ray is not installed."""
        permission.require(self)
        preparation.require_gpus(self.workload, self.backend)

    def prepare(self) -> None:
        """Generate the data set if possible, and make engine, harness and measured values ready.

        A damaged engine is built again. MissingError for one that is not built.
        """
        self.require_gpus()
        self.prepare_data()
        self.engines.repair()
        self.engines.require()
        self.workload = preparation.with_language(self.workload, self.language)
        preparation.ensure_harness(self.workload, self.backend)
        self.warn_unused()
        self.workload = preparation.with_open_values(self, self.language, lambda: loadgen_run.probe_for_open_values(self))
        self.workload = permission.with_all_nodes(self.workload, self.backend.computes)

    def prepare_data(self) -> None:
        """Generate the data set if possible; a simulated engine needs none."""
        if self.backend.computes:
            self.definition.prepare(self.values)

    def probe(self, label: str) -> dict[str, float]:
        """What the harness measures of the engine (code/harness/python/probe.py). Raises what the engine raises."""
        return loadgen_run.probe(self, label)[0]

    def test(self, mode: str, folder: Path, label: str) -> LoadGenLog:
        """One LoadGen test into `folder`, its settings checked against what LoadGen logged. RunError where they differ."""
        return loadgen_run.run(self, mode, folder, label, early_out.watcher(self, mode, folder))

    def run(self, mode: str, test: result.LoadGenTest | None = None) -> ReportRow:
        """Run, judge and store one LoadGen test in a new log folder; returns its row of the report.

        Args:
            test: runs it instead of `self.test`.
        """
        return result.run(self, mode, test)
