"""A run of an engine that computes batches: what `python -m code.harness.python` drives for every network of fixed shape."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np

from code.common.errors import HarnessError
from code.harness.python.datasets import open_dataset
from code.harness.python.devices import Device, load_devices, on_all, usage
from code.harness.python.probe import measure
from code.harness.python.sut import Sut
from code.harness.schema.run_spec import RunSpec


class BatchedRun:
    """Devices, data set and, once started, the system under test."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self.dataset = open_dataset(spec.dataset)
        self._devices = load_devices(spec)

    def probe(self) -> dict[str, float]:
        """What this machine does, for values that configs leave to it."""
        return measure(self._devices, self.dataset, self._spec)

    def warm_up(self, seconds: float) -> None:
        """Run one batch of every length that time allows on every device, longest first, so that no query pays for a first use."""
        _, first_of_length = np.unique(self.dataset.lengths, return_index=True)
        end = time.monotonic() + seconds

        def work(device: Device) -> None:
            stream = device.engine.stream()
            for index in first_of_length[::-1]:
                self.dataset.meet(stream, int(index))
                if time.monotonic() > end:
                    break

        on_all(self._devices, work)

    def start(self, lg: Any, failed: Callable[[HarnessError], None]) -> Sut:
        """The system under test."""
        spec = self._spec
        return Sut(
            spec.scenario,
            [lane for device in self._devices for lane in device.lanes()],
            self.dataset,
            limit=spec.batch.max_samples,
            padding=spec.batch.padding,
            timeout_s=spec.batch.timeout_us / 1e6,
            complete=lg.QuerySamplesComplete,
            respond=lg.QuerySampleResponse,
            failed=failed,
        )

    @staticmethod
    def log(sut: Sut) -> array[float]:
        """What batches.npy holds."""
        return sut.batches

    def usage(self, sut: Sut, elapsed_s: float) -> list[dict[str, Any]]:
        """What devices.json holds."""
        return usage(self._spec.devices, sut.lanes, elapsed_s)


def load(spec: RunSpec) -> BatchedRun:
    """Open the data set and load the engines."""
    return BatchedRun(spec)
