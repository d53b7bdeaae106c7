"""A benchmark whose configs load, resolve and are checked, and whose data and model code is not in this version yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from code.common.constants import AccuracyTarget, Scenario
from code.common.errors import MissingError
from code.results.accuracy import AccuracyResult


@dataclass(frozen=True)
class PlannedRoom:
    """Names, scenarios and counts of a benchmark; everything that would touch its data or model raises MissingError."""

    name: str
    scenarios: tuple[Scenario, ...]
    samples: int
    full_names: Mapping[str, str]

    def full_name(self, target: AccuracyTarget) -> str:
        """The name results carry."""
        return self.full_names[target.name]

    def download_data(self, variant: str) -> None:
        """Not yet."""
        self._missing("data set")

    def download_model(self, variant: str) -> None:
        """Not yet."""
        self._missing("model")

    def prepare(self, values: Mapping[str, Any]) -> None:
        """Not yet."""
        self._missing("preprocessing")

    def model(self, values: Mapping[str, Any]) -> Path:
        """Not yet."""
        self._missing("model")

    def dataset(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Not yet."""
        self._missing("data set")

    def check_accuracy(self, log_dir: Path, values: Mapping[str, Any], target: AccuracyTarget) -> list[AccuracyResult]:
        """Not yet."""
        self._missing("accuracy check")

    def partial_scores(self, log_dir: Path, values: Mapping[str, Any]) -> tuple[dict[str, float], str]:
        """Not yet."""
        self._missing("accuracy check")

    def _missing(self, part: str) -> NoReturn:
        raise MissingError(
            f"{self.name} does not run in this version yet: there is no code for its {part}",
            "its configs resolve (--dry_run, explain, list_configs), so that a machine's plan can be read before the code is there",
            f'run it with --dry_run, or run another benchmark: make run RUN_ARGS="--benchmarks=bert …" instead of {self.name}',
        )
