"""Server rates of configs that are not written yet, simulated: a process of its own reads the configs as a run would.

`python -m code.run.rehearsal SYSTEM BENCHMARK…` prints JSON: an object for each Server workload of the system.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from code.common import console, jsonfile, paths
from code.common.errors import HarnessError, MissingError, RunError
from code.common.notices import Notices
from code.common.typed import flag, listing, real, record, words
from code.plan.request import parse
from code.plan.workload import Workload, build
from code.run import service_times, simulation, virtual
from code.run.job import Job
from code.run.language import binary
from code.systems.custom import DEFINITION_PATH

LONGEST_S = 600.0
QUERIES = 1e5
"""Queries of a simulation: enough for a rate of which nine tenths are proposed."""
SHAPE = listing(
    record(
        required={
            "benchmark": words(100),
            "scenario": words(100),
            "rate": real(0, 1e12),
            "valid": flag(),
            "verdict": words(1000),
            "highest": real(0, 1e12),
            "source": words(1000),
        }
    )
)


@dataclass(frozen=True)
class Rehearsed:
    """A Server workload as simulated.

    Args:
        benchmark: with its accuracy target.
        rate: the config's, in queries/s.
        verdict: such as 'INVALID: target_latency', or why it was not simulated.
        highest: the highest VALID rate in queries/s, where `rate` is INVALID; 0 where none is.
        source: where the service times come from.
    """

    benchmark: str
    scenario: str
    rate: float
    valid: bool
    verdict: str
    highest: float
    source: str

    @property
    def refused(self) -> bool:
        """Whether the simulation ran and found the rate INVALID."""
        return not self.valid and self.verdict.startswith("INVALID")

    def words(self) -> str:
        """'bert-99 Server at 1,200 queries/s: VALID, by service times from …'."""
        most = f" (VALID up to {self.highest:,.4g})" if self.highest else " (VALID at no rate)" if self.refused else ""
        times = f", by service times from {self.source}" if self.source else ""
        return f"{self.benchmark} {self.scenario} at {self.rate:,.6g} queries/s: {self.verdict}{most}{times}"


def rehearse(name: str, entry: str | None, configs: Mapping[tuple[str, str], str], benchmarks: Sequence[str]) -> list[Rehearsed]:
    """Simulate the Server configs of a system that exists as text only.

    Args:
        entry: text of the list that has the system; None for a known one.
        configs: (folder of a benchmark, scenario) → text of the file with its config.
        benchmarks: names of those to simulate.

    MissingError where the C++ harness is not built, RunError where the process fails.
    """
    step = f'after adding it: make simulate RUN_ARGS="--benchmarks={",".join(benchmarks)} --scenarios=server --system={name}"'
    if not binary().is_file():
        raise MissingError("Server rates were not simulated", "the C++ harness is not built", f"make build; {step}")
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as made:
        folder = Path(made)
        if entry is not None:
            _write(folder / "custom_systems" / "custom_list.py", entry)
        for (benchmark, scenario), text in configs.items():
            _write(folder / "custom_configs" / benchmark / scenario / "custom.py", text)
        command = [sys.executable, "-m", "code.run.rehearsal", name, *benchmarks]
        environment = {**os.environ, DEFINITION_PATH: made}
        try:
            done = subprocess.run(
                command,
                cwd=paths.project_root(),
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LONGEST_S,
                check=False,
            )
            found = SHAPE.read(jsonfile.parse(done.stdout), "rehearsal", [])
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise RunError("Server rates were not simulated", str(error), step) from error
    return [Rehearsed(**one) for one in found or []]


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _simulated(workload: Workload) -> Rehearsed:
    job = service_times.simulated(Job(workload, Notices()))
    model = service_times.model_of(job, service_times.PUBLIC)
    table = service_times.table(job, model)
    found = virtual.simulate(job, table, job.label, QUERIES)
    highest = 0.0 if found.valid else virtual.highest(job, table, QUERIES) or 0.0
    source = model.source if model else "the config's expected rate"
    rate = float(simulation.READS.of(workload)["server_target_qps"])
    return Rehearsed(workload.full_name, str(workload.scenario), rate, found.valid, found.verdict(), highest, source)


def _not_simulated(workload: Workload, error: HarnessError) -> Rehearsed:
    rate = float(simulation.READS.of(workload)["server_target_qps"])
    return Rehearsed(workload.full_name, str(workload.scenario), rate, False, f"not simulated: {error.what}", 0.0, "")


def main(arguments: Sequence[str]) -> int:
    """Simulate, and print the JSON."""
    name, *benchmarks = arguments
    console.for_programs(True)
    given = [f"--benchmarks={','.join(benchmarks)}", "--scenarios=server,interactive", f"--system={name}", "--config_ver=all"]
    workloads, _ = build(parse(["--action=simulate", *given]))
    found: list[dict[str, Any]] = []
    for workload in workloads:
        if not isinstance(simulation.READS.of(workload)["server_target_qps"], (int, float)):
            continue  # left to a measurement
        try:
            found.append(asdict(_simulated(workload)))
        except HarnessError as error:
            found.append(asdict(_not_simulated(workload, error)))
    console.emit(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
