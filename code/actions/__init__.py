"""Actions: one module per verb, each with an `ACTION`.

Actions raise and only main prints errors. `OncePerRequest` is called once and returns an exit status. `EachWorkload` is called with a job
for each workload of the plan; a failure does not stop the remaining workloads.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from code.benchmarks.benchmark import BenchmarkDefinition, definition_of
from code.common import console
from code.common.errors import HarnessError, Interrupted, UsageError, unknown
from code.common.notices import Notices
from code.common.signals import SIGNALS
from code.plan.request import Request
from code.plan.workload import Workload, build
from code.results.report import Outcome, ReportRow, error_row, print_report, undefined_row
from code.run.job import Job

INVALID_STATUS = 5


@dataclass
class Context:
    """What an action receives besides its workload.

    Args:
        request: the parsed command line and environment.
        notices: lines already printed in this invocation.
    """

    request: Request
    notices: Notices = field(default_factory=Notices)

    def job(self, workload: Workload) -> Job:
        """The job for a workload, sharing this invocation's notices."""
        return Job(workload, self.notices)


class Action(Protocol):
    """An action of the command line."""

    def perform(self, context: Context) -> int:
        """Carry out the request and return the exit status."""


@dataclass(frozen=True)
class OncePerRequest:
    """An action that is called once per request."""

    run: Callable[[Context], int]

    def perform(self, context: Context) -> int:
        """Run the action and return its exit status."""
        return self.run(context)


@dataclass(frozen=True)
class EachBenchmark:
    """An action that is called for each requested benchmark; a failure does not stop the remaining ones."""

    run: Callable[[BenchmarkDefinition, Context], None]

    def perform(self, context: Context) -> int:
        """Call it for every benchmark. Returns the first failure's exit status."""
        status = 0
        for benchmark in context.request.benchmarks():
            try:
                self.run(definition_of(benchmark), context)
            except HarnessError as error:
                console.fail(error.lines())
                status = status or error.exit_status
                if isinstance(error, Interrupted):
                    break
        return status


Verb = Callable[[Job, Context], "Sequence[ReportRow] | None"]


@dataclass(frozen=True)
class EachWorkload:
    """An action that is called for each workload of the plan.

    Args:
        run: called with each job; the rows it returns are reported at the end.
        reports: whether to print a table of its rows, errors included, at the end.
        as_json: what to print of each job instead, where --json is given: one JSON list with an entry for each workload.
    """

    run: Verb
    reports: bool = False
    as_json: Callable[[Job, Context], dict[str, Any]] | None = None

    def perform(self, context: Context) -> int:
        """Call it for every workload. Returns the first failure's exit status; with --strict, 5 for an INVALID or FAILED result."""
        request = context.request
        action = cast(EachWorkload, load("dry_run")) if request["dry_run"] else self
        entries: list[dict[str, Any]] = []
        verb = action._collecting(entries) if request["json"] else action.run
        workloads, unplanned = build(request)
        rows = _undefined(request)
        errors: list[HarnessError] = []

        def failed(name: str, scenario: str, error: HarnessError) -> None:
            console.fail(error.lines())
            rows.append(error_row(name, scenario, request["action"], error))
            errors.append(error)
            entries.append({"benchmark_full": name, "scenario": scenario, "error": error.lines()})

        for missed in unplanned:
            name, scenario = missed.label.rsplit(" ", 1)
            failed(name, scenario, missed.error)
        for workload in workloads:
            for note in workload.notes:
                context.notices.warn(note)
            try:
                rows.extend(verb(context.job(workload), context) or [])
            except HarnessError as error:
                if not isinstance(error, Interrupted):
                    SIGNALS.check()
                failed(workload.full_name, str(workload.scenario), error)
                if isinstance(error, Interrupted):
                    break
        action._report(rows, entries, bool(request["json"]))
        return next((e.exit_status for e in errors if e.exit_status), _status_of(rows) if request["strict"] else 0)

    def _report(self, rows: Sequence[ReportRow], entries: list[dict[str, Any]], as_json: bool) -> None:
        """Print the JSON, or where the action reports its rows the table: but for a single error, which stands above already."""
        if as_json and self.as_json is not None:
            console.emit(entries)
        elif as_json and self.reports:
            console.emit([row.as_json() for row in rows])
        elif self.reports and rows and not (len(rows) == 1 and rows[0].error):
            print_report(rows)

    def _collecting(self, entries: list[dict[str, Any]]) -> Verb:
        """The verb that collects JSON; the usual one where the action has none."""
        as_json = self.as_json
        if as_json is None:
            return self.run

        def collect(job: Job, context: Context) -> None:
            entries.append(as_json(job, context))

        return collect


def _undefined(request: Request) -> list[ReportRow]:
    """A row, and a warning, for each requested pair that MLPerf does not define."""
    rows = []
    for benchmark, scenario in request.undefined():
        definition = definition_of(benchmark)
        why = f"MLPerf defines {', '.join(str(one) for one in definition.scenarios)} for {definition.name}"
        console.warn(f"{definition.name} {scenario} is not defined, and left out: {why}")
        rows.append(undefined_row(definition.name, str(scenario), str(request["action"]), why))
    return rows


def _status_of(rows: Sequence[ReportRow]) -> int:
    """The exit status of --strict where nothing failed."""
    return INVALID_STATUS if any(row.outcome in (Outcome.INVALID, Outcome.FAILED) for row in rows) else 0


def names() -> list[str]:
    """Names of all actions, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str | None) -> Action:
    """The action called `name`; UsageError for an unknown one."""
    if not name:
        raise UsageError(
            "no action given",
            "a make target names the action (`make help` lists them; `python3 -m code.main --help` lists every option)",
            'make run RUN_ARGS="--benchmarks=bert --scenarios=offline --fast"',
        )
    name = name.replace("-", "_")
    if name not in names():
        raise unknown("action", name, names(), "--action")
    return cast(Action, importlib.import_module(f"code.actions.{name}").ACTION)
