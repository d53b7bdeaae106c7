"""A run of engines that compute batches, for every data set kind except prompts."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np

from code.common.errors import HarnessError
from code.harness.python.datasets import open_dataset
from code.harness.python.devices import Device, Pulse, load_devices, on_all, usage
from code.harness.python.probe import measure
from code.harness.python.sut import Sut
from code.harness.schema.run_spec import RunSpec


class BatchedRun(Pulse):
    """Devices, data set and, once started, the system under test. A watch observes it."""

    patience = 1.0

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self.dataset = open_dataset(spec.dataset)
        super().__init__(load_devices(spec))
        self._sut: Sut | None = None

    def pending(self) -> bool:
        """Whether an answer is due: always in a probe or warm-up, in a run while samples are issued and not completed."""
        return self._sut is None or self._sut.counts.issued != self._sut.counts.completed

    def probe(self) -> dict[str, float]:
        """Measure the engines on this machine, for config values that are left to it (`Probed`)."""
        return measure(self._devices, self.dataset, self._spec)

    def close(self) -> None:
        """End after a probe: engines have no processes of their own."""

    def warm_up(self, seconds: float) -> None:
        """Run one batch per length on every device, longest first, while time allows: first-use costs stay outside the test."""
        _, first_of_length = np.unique(self.dataset.lengths, return_index=True)
        end = time.monotonic() + seconds

        def work(device: Device) -> None:
            stream = device.lane()
            for index in first_of_length[::-1]:
                self.dataset.meet(stream, int(index))
                if time.monotonic() > end:
                    break

        on_all(self._devices, work)

    def start(self, lg: Any, failed: Callable[[HarnessError], None]) -> Sut:
        """The system under test."""
        spec = self._spec
        self._sut = Sut(
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
        return self._sut

    log_columns = 5

    @staticmethod
    def log(sut: Sut) -> array[float]:
        """The rows of batches.npy, float64 [batches, 5]."""
        return sut.batches

    @staticmethod
    def requests(sut: Sut) -> array[float]:
        """Rows of (issued, answered) in monotonic seconds, a row for each sample whose arrival is known."""
        return sut.requests

    @staticmethod
    def texts(_sut: Sut) -> array[float]:
        """Nothing: samples are no texts."""
        return array("d")

    def usage(self, sut: Sut, elapsed_s: float) -> list[dict[str, Any]]:
        """The content of devices.json."""
        return usage(self._spec.devices, sut.lanes, elapsed_s)


def load(spec: RunSpec) -> BatchedRun:
    """Open the data set and load the engines."""
    return BatchedRun(spec)
