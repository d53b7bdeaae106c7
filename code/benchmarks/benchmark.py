"""The interface of a benchmark, and the registry of benchmarks.

A new benchmark is a package with `facts.py`, which has `FACTS`, and `benchmark.py`, which has `BENCHMARK`; and one entry here.
Code that needs only the facts uses code/rules/benchmarks.py, which imports nothing else of the package.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from code.benchmarks import verify
from code.common.constants import AccuracyTarget, Benchmark, Scenario
from code.common.errors import UsageError
from code.fields.consumer import Consumer
from code.rules.benchmark_facts import BenchmarkFacts, PublishedFile
from code.rules.benchmarks import BENCHMARKS

if TYPE_CHECKING:
    from code.results.accuracy import AccuracyBound, AccuracyResult


Check = verify.Check
Downloads = tuple[PublishedFile, ...]


class BenchmarkDefinition(Protocol):
    """One benchmark: its data, its model, its inputs and its score.

    The defaults here suit most benchmarks.

    `values` is always a workload's resolved fields, name → value.
    """

    facts: BenchmarkFacts

    @property
    def name(self) -> str:
        """Short name."""
        return self.facts.name

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios MLPerf defines for it."""
        return tuple(Scenario[name] for name in self.facts.scenarios)

    reads: tuple[Consumer, ...] = ()
    """The consumers of options in its code."""

    def require_values(self, values: Mapping[str, Any]) -> None:
        """UsageError for values of its own options that no run can have; asked before anything starts. None by default."""
        return

    @property
    def samples(self) -> int:
        """Number of samples in the benchmark's data set, as LoadGen's mlperf.conf assumes."""
        return self.facts.samples

    @property
    def whole_passes(self) -> bool:
        """Whether mlperf.conf requires whole passes over the data set (sample_concatenate_permutation = 1)."""
        return self.facts.whole_passes

    def full_name(self, target: AccuracyTarget) -> str:
        """The benchmark's name in results, such as 'bert-99.9'. One without the target has its only one's name."""
        targets = self.facts.targets
        return targets.get(target.name, next(iter(targets.values()))).full_name

    def download_data(self, variant: str) -> None:
        """Download (reference) or generate (tiny) the data set. MissingError with manual steps on failure."""

    def downloads(self, variant: str) -> Downloads:
        """The published files that download_data and download_model of a variant fetch, in order; () where there are none."""
        return ()

    def beside(self, variant: str) -> Downloads:
        """Files that a download leaves beside the published ones, and that a mirror has as well."""
        return ()

    def verify(self, values: Mapping[str, Any]) -> Iterator[Check]:
        """Check the reference's files and arrays that are there, and name those that are not.

        Args:
            values: the defaults of all fields and the request's options.
        """
        for file in self.downloads("reference"):
            yield verify.check_file(self.name, file)

    def import_data(self, source: Path) -> None:
        """Convert a user's file, given by the field `facts.import_field`, into the data set."""
        return None

    def download_model(self, variant: str) -> None:
        """Download (reference) or check (tiny) the model. MissingError with manual steps on failure."""

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Create everything that needs no large download: tiny data, preprocessed arrays. Cheap when all exists."""

    def model(self, values: Mapping[str, Any]) -> Path:
        """Path of the ONNX model. MissingError when it does not exist."""

    def dataset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The `dataset` part of run.json (code/harness/schema/run_spec.py); MissingError when arrays are absent or corrupt."""

    def calibration_dataset(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The `dataset` part for samples that calibrate and are not scored; None when they are drawn from the data set itself."""
        return None

    def open_reason(self, values: Mapping[str, Any]) -> str:
        """Why a result with these values is for the open division only; '' if it may be closed."""
        return ""

    def check_accuracy(self, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
        """Score the accuracy log in `log_dir` against the target."""

    def partial_scores(self, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
        """Scores of a partial accuracy log as the official scripts have them (audit tests), and the text for accuracy.txt."""

    def accuracy_bound(self, values: Mapping[str, Any], target: AccuracyTarget, count: int) -> AccuracyBound | None:
        """Bounds of what an accuracy run over `count` samples can still score; None where none is known."""
        return None

    def subset_scores(self, log_dir: Path, values: Mapping[str, Any]) -> dict[str, float]:
        """Scores of a partial accuracy log over the samples in it alone (calibration)."""
        return self.partial_scores(log_dir, values)[0]


def definition_of(benchmark: Benchmark | str) -> BenchmarkDefinition:
    """The definition of a benchmark. UsageError for one that this harness does not implement."""
    package = BENCHMARKS.get(str(benchmark))
    if package is None:
        raise UsageError(
            f"{benchmark} does not run in this harness",
            "its configs load, but this harness has no implementation of it",
            f"run one of {', '.join(sorted(BENCHMARKS))}",
        )
    return cast(BenchmarkDefinition, importlib.import_module(f"{package}.benchmark").BENCHMARK)
