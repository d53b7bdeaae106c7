"""What a benchmark offers to the rest of the harness, and where each one is.

A new benchmark is a package with a `benchmark.py` that has `BENCHMARK`, and one entry here.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from code.common.constants import AccuracyTarget, Benchmark, Scenario
from code.common.errors import UsageError
from code.results.accuracy import AccuracyResult

BENCHMARKS: dict[str, str] = {
    "bert": "code.benchmarks.bert.benchmark",
    "gptj": "code.benchmarks.gptj.benchmark",
    "3d-unet": "code.benchmarks.unet3d.benchmark",
}
"""Benchmark name → the module that has its BENCHMARK."""


class BenchmarkDefinition(Protocol):
    """One benchmark: its data, its model, its inputs and its score.

    A definition inherits what most benchmarks have nothing of their own for.

    `values` is always a workload's resolved fields, name → value.
    """

    name: str
    """Short name, which is also LoadGen's model name."""

    scenarios: tuple[Scenario, ...]
    """The scenarios MLPerf defines for it."""

    samples: int
    """Samples of the benchmark's own data set, which LoadGen's mlperf.conf assumes."""

    length_spread: tuple[int, ...] = (1,)
    """Lengths of the samples of the benchmark's own data set in its own unit (tokens, windows), or quantiles of them."""

    whole_passes: bool = False
    """Whether mlperf.conf has whole passes over the data set made (sample_concatenate_permutation = 1)."""

    def full_name(self, target: AccuracyTarget) -> str:
        """The name results carry, such as 'bert-99.9'."""

    def download_data(self, variant: str) -> None:
        """Fetch (reference) or generate (tiny) the data set. MissingError with manual steps where it cannot."""

    def import_data(self, source: str) -> bool:
        """Make the data set of a file of the user's (--cnndm_source); False where the benchmark knows no such file."""
        return False

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


def definition_of(benchmark: Benchmark) -> BenchmarkDefinition:
    """The definition of a benchmark that runs here; UsageError for one that does not."""
    module = BENCHMARKS.get(benchmark.valstr)
    if module is None:
        raise UsageError(
            f"{benchmark} does not run in this harness",
            "its configs load, but there is no code for it here",
            f"run one of {', '.join(sorted(BENCHMARKS))}",
        )
    return cast(BenchmarkDefinition, importlib.import_module(module).BENCHMARK)
