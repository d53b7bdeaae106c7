"""A job: a workload with everything that follows from it, each made once, on first use.

Actions ask a job to build, probe or run, and compute none of these themselves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from code.backends import store
from code.backends.base import Backend, backend
from code.backends.store import EngineAddress
from code.benchmarks.benchmark import BenchmarkDefinition, definition_of
from code.common import console
from code.common.errors import UsageError
from code.common.files import atomic_write
from code.common.notices import Notices
from code.fields.consumer import Consumer, Run
from code.fields.unused import unused
from code.harness.schema.run_spec import RunSpec
from code.plan.request import Value
from code.plan.workload import Workload
from code.precision import graph_for
from code.precision.graphs import asked_again, precision_of
from code.results import loadgen_log, settings_check
from code.results.loadgen_log import LoadGenLog
from code.results.report import ReportRow
from code.run import cpp_build, language, launch, measured, result, simulation, spec_fields
from code.run.observers import Test, observed
from code.run.placement import Placement, on_gpus, place
from code.run.settings import conf_text, user_conf
from code.run.spec import run_spec

READS = Consumer("the job", ("backend",))


class Job:
    """One workload's run.

    Args:
        workload: what was planned.
        notices: what was printed already in this invocation.
    """

    def __init__(self, workload: Workload, notices: Notices) -> None:
        self.notices = notices
        self.workload = workload
        placed = {name: Value(value, "placement") for name, value in self.placement.values().items()}
        self.workload = workload.with_values(placed)

    @property
    def values(self) -> dict[str, Any]:
        """The workload's values, without origins."""
        return self.workload.plain()

    @property
    def label(self) -> str:
        """How lines about it begin: 'bert-99 Offline'; a simulated one says so."""
        return self.workload.label if self.backend.computes else f"{self.workload.label} SIMULATED"

    @cached_property
    def definition(self) -> BenchmarkDefinition:
        """The benchmark."""
        return definition_of(self.workload.benchmark)

    @cached_property
    def backend(self) -> Backend:
        """The runtime. UsageError for one that does not exist."""
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
        """The graph that the engine is built of, made before. MissingError where it is not; a table for a simulated engine."""
        return self._graph(make=False)

    def _graph(self, make: bool, again: bool = False) -> Path:
        if not self.backend.computes:
            return simulation.table_file(self.workload, self.placement, self._lengths)
        return graph_for(self.workload, make=make, again=again)

    @cached_property
    def engines(self) -> tuple[EngineAddress, ...]:
        """Where its engines are or will be, one for each kind of device."""
        of_kind = [{**self.values, **self.placement.values(kind)} for kind in self.placement.kinds]
        return tuple(store.address(self.backend, self.definition.name, self.graph, values) for values in of_kind)

    @property
    def engine(self) -> EngineAddress:
        """The engine of its first device."""
        return self.engines[0]

    @cached_property
    def dataset(self) -> dict[str, Any]:
        """The `dataset` part of run.json; MissingError when arrays are not there or broken."""
        if not self.backend.computes:
            return simulation.synthetic(self.definition.samples, self.definition.samples, self._lengths)
        return self.definition.dataset(self.values)

    @property
    def _lengths(self) -> list[int]:
        return list(self.definition.facts.length_spread or (1,))

    @cached_property
    def language(self) -> language.Choice:
        """The harness's language, and why; said once."""
        asked = language.asked_language(self.workload)
        choice = language.choose(asked, self.backend.name, str(self.dataset["kind"]), self.backend.harness_languages)
        if asked != choice.language:
            self.notices.say(f"harness: {choice.language} ({choice.why})")
        return choice

    def warn_unused(self) -> None:
        """Warn of the fields that somebody set and nobody acts on, each once per workload."""
        found = unused(self.workload.values, self.reader)
        new = [f"{name} ({reason})" for name, reason in found if self.notices.first(f"ignored {self.workload.label} {name}")]
        if new:
            console.warn(f"{self.label}: ignored by the {self.backend.name} backend: {'; '.join(new)}")

    @property
    def reader(self) -> Run:
        """What decides who acts on its fields."""
        return Run(
            backend=self.backend.name,
            device="GPU" if on_gpus(self.workload, self.backend) else "CPU",
            benchmark=self.definition.name,
            scenario=str(self.workload.scenario),
            language=language.asked_language(self.workload),
            precision=precision_of(self.values),
            graphs=not self.backend.makes_precision,
        )

    def build(self, force: bool = False) -> None:
        """Build the engine unless the very same one is there.

        MissingError without the model, RunError with the runtime's words when it cannot be built.
        """
        self.warn_unused()
        again = asked_again(self.workload) and self.notices.first(f"again {self.workload.full_name}")
        self.__dict__["graph"] = self._graph(make=True, again=again)
        for kind, where in zip(self.placement.kinds, self.engines, strict=True):
            name = where.folder.name
            if where.exists and not force:
                self.notices.say(f"engine {name}: already built")
            elif self.notices.first(f"built {where.folder}"):
                console.say(f"engine {name}: building with {self.backend.label} {self.backend.version()}")
                seconds = store.build(where, self.backend, self.graph, {**self.values, **self.placement.values(kind)})
                console.say(f"engine {name}: built in {seconds:.1f} s")

    def prepare(self) -> None:
        """Make the data set where it can be made here, and settle what the run needs: engine, harness, measured values.

        MissingError for an engine that is not built.
        """
        self.prepare_data()
        for where in self.engines:
            where.require()
        if self.backend.harness_languages == (language.CPP,):
            cpp_build.ensure(f"the {self.backend.name} backend")
        self._settle()

    def prepare_data(self) -> None:
        """Make the data set where it can be made here; a simulated engine needs none."""
        if self.backend.computes:
            self.definition.prepare(self.values)

    def _settle(self) -> None:
        choice = self.language
        if language.asked_language(self.workload) != choice.language:
            value = Value(choice.language, f"auto: {choice.why}")
            self.workload = self.workload.with_values({"harness_lang": value})
        self.warn_unused()
        if not measured.probed_fields(self.workload):
            return
        if measured.not_needed(self.workload):
            self.workload = measured.without(self.workload)
        elif not self.backend.computes:
            found = simulation.without_probes(self.workload, self.placement)
            self.workload = self.workload.with_values({name: Value(v, "simulated") for name, v in found.items()})
        else:
            self.workload = measured.with_measured(self.workload, self._measured_with(), self._say_and_probe)

    def _measured_with(self) -> Mapping[str, Any]:
        devices = [[d.kind, len(d.cores), d.streams, d.threads] for d in self.placement.devices]
        multiple = spec_fields.length_multiple(self.workload)
        return {
            "engine": self.engine.folder.name,
            "language": self.language.language,
            "devices": devices,
            "batch": self.placement.batch,
            "multiple": multiple,
        }

    def _say_and_probe(self) -> dict[str, float]:
        console.say(f"{self.label}: measuring this machine for values that its config leaves open")
        return self.probe(f"{self.label} probe")

    def probe(self, label: str) -> dict[str, float]:
        """What the harness measures of the engine: samples_per_second, latency_ns, query_latency_ns. Raises what the engine raises."""
        with tempfile.TemporaryDirectory() as scratch:
            spec = self.spec("PerformanceOnly", Path(scratch), {})
            return launch.probe(spec, label, self.language.language, Path(scratch), self.placement.environment)

    def settings(self) -> dict[str, int | float]:
        """The keys of user.conf."""
        count, usual = int(self.dataset["count"]), int(self.dataset["usual_count"])
        return user_conf(str(self.workload.scenario), self.values, count, usual, self.definition.whole_passes)

    def spec(self, mode: str, folder: Path, conf: Mapping[str, Any]) -> RunSpec:
        """run.json for one LoadGen test that logs to `folder`."""
        engines = [where.require() for where in self.engines]
        return run_spec(self.workload, mode, self.backend, engines, self.dataset, folder, conf, self.placement)

    def test(self, mode: str, folder: Path, label: str) -> LoadGenLog:
        """One LoadGen test into `folder`, its settings checked against what LoadGen logged. RunError where they differ."""
        if mode == "AccuracyOnly" and not self.backend.computes:
            raise UsageError(
                f"{self.label} has no accuracy",
                "a simulated engine computes nothing",
                "leave --test_mode out, or name a real --backend",
            )
        conf = self.settings()
        with atomic_write(folder / "user.conf") as out:
            out.write(conf_text(self.definition.name, str(self.workload.scenario), conf))
        with observed(Test(self.workload, mode, folder, self.placement)):
            launch.run(self.spec(mode, folder, conf), label, self.language.language, self.placement.environment)
        log = loadgen_log.read_detail(folder / "mlperf_log_detail.txt")
        settings_check.require_settings(conf, log, scenario=str(self.workload.scenario), mode=mode)
        return log

    def run(self, mode: str) -> ReportRow:
        """One LoadGen test in a log folder of its own, judged and stored; its row of the report."""
        return result.run(self, mode)
