"""A run of an engine that computes batches: what `python -m code.harness.python` drives for every network of fixed shape."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from code.backends.base import EngineSpec, backend
from code.common.errors import HarnessError
from code.harness.python.datasets import open_dataset
from code.harness.python.probe import measure
from code.harness.python.sut import Sut
from code.harness.schema.run_spec import RunSpec


class BatchedRun:
    """Engine, data set and, once started, the system under test."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self.dataset = open_dataset(spec.dataset)
        engine_spec = EngineSpec(
            int(spec.engine["streams"]), int(spec.engine["threads"]), str(spec.engine["precision"]), spec.fields
        )
        self._engine = backend(spec.engine["backend"]).load(Path(spec.engine["folder"]), engine_spec)

    def probe(self) -> dict[str, float]:
        """What this machine does, for values that configs leave to it."""
        return measure(self._engine, self.dataset, self._spec)

    def warm_up(self, seconds: float) -> None:
        """Run one batch of every length that time allows, longest first, so that no query pays for a first use."""
        _, first_of_length = np.unique(self.dataset.lengths, return_index=True)
        stream = self._engine.stream()
        end = time.monotonic() + seconds
        for index in first_of_length[::-1]:
            self.dataset.meet(stream, int(index))
            if time.monotonic() > end:
                break

    def start(self, lg: Any, failed: Callable[[HarnessError], None]) -> Sut:
        """The system under test."""
        spec = self._spec
        return Sut(
            spec.scenario,
            self._engine,
            self.dataset,
            streams=int(spec.engine["streams"]),
            limit=int(spec.batch["max_samples"]),
            padding=float(spec.batch["padding"]),
            timeout_s=float(spec.batch["timeout_us"]) / 1e6,
            complete=lg.QuerySamplesComplete,
            respond=lg.QuerySampleResponse,
            failed=failed,
        )

    @staticmethod
    def log(sut: Sut) -> array[float]:
        """What batches.npy holds."""
        return sut.batches


def load(spec: RunSpec) -> BatchedRun:
    """Open the data set and load the engine."""
    return BatchedRun(spec)
