"""What a benchmark offers to the rest of the harness, and where each one is.

A new benchmark is a package with `facts.py`, which has `FACTS`, and `benchmark.py`, which has `BENCHMARK`; and one entry here.
Code that needs no more than facts asks code/rules/benchmarks.py, which imports nothing else of the package.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from code.common.constants import AccuracyTarget, Benchmark, Scenario
from code.common.errors import UsageError
from code.fields.consumer import Consumer
from code.rules.benchmark_facts import BenchmarkFacts
from code.rules.benchmarks import BENCHMARKS

if TYPE_CHECKING:
    from code.results.accuracy import AccuracyResult


class BenchmarkDefinition(Protocol):
    """One benchmark: its data, its model, its inputs and its score.

    A definition inherits what most benchmarks have nothing of their own for.

    `values` is always a workload's resolved fields, name → value.
    """

    facts: BenchmarkFacts

    @property
    def name(self) -> str:
        """Short name, which is also LoadGen's model name."""
        return self.facts.name

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios MLPerf defines for it."""
        return tuple(Scenario[name] for name in self.facts.scenarios)

    reads: tuple[Consumer, ...] = ()
    """The consumers of options in its code."""

    @property
    def samples(self) -> int:
        """Samples of the benchmark's own data set, which LoadGen's mlperf.conf assumes."""
        return self.facts.samples

    @property
    def whole_passes(self) -> bool:
        """Whether mlperf.conf makes whole passes over the data set (sample_concatenate_permutation = 1)."""
        return self.facts.whole_passes

    def full_name(self, target: AccuracyTarget) -> str:
        """The name results carry, such as 'bert-99.9'."""
        return self.facts.targets[target.name].full_name

    def download_data(self, variant: str) -> None:
        """Fetch (reference) or generate (tiny) the data set. MissingError with manual steps where it cannot."""

    def import_data(self, source: Path) -> None:
        """Make the data set of a file of the user's own, which the field `facts.import_field` names."""
        return None

    def download_model(self, variant: str) -> None:
        """Fetch (reference) or check (tiny) the model. MissingError with manual steps where it cannot."""

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Make what can be made here without a large download: tiny data, preprocessed arrays. Cheap when all is there."""

    def model(self, values: Mapping[str, Any]) -> Path:
        """The ONNX model; MissingError when it is not there."""

    def dataset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The `dataset` part of run.json (code/harness/schema/run_spec.py); MissingError when arrays are not there or broken."""

    def calibration_dataset(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The `dataset` part for samples that calibrate and are not scored; None where they are drawn from the data set itself."""
        return None

    def open_reason(self, values: Mapping[str, Any]) -> str:
        """Why a result with these values is for the open division only; '' where it need not be."""
        return ""

    def check_accuracy(self, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
        """Score the accuracy log in `log_dir` against the target."""

    def partial_scores(self, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
        """The scores of an accuracy log that holds only some samples (audit tests), and the text accuracy.txt would have."""


def definition_of(benchmark: Benchmark | str) -> BenchmarkDefinition:
    """The definition of a benchmark that runs here; UsageError for one that does not."""
    package = BENCHMARKS.get(str(benchmark))
    if package is None:
        raise UsageError(
            f"{benchmark} does not run in this harness",
            "its configs load, but there is no code for it here",
            f"run one of {', '.join(sorted(BENCHMARKS))}",
        )
    return cast(BenchmarkDefinition, importlib.import_module(f"{package}.benchmark").BENCHMARK)
