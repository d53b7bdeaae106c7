"""Public results of MLPerf Inference rounds, by which expected values of other machines are estimated.

Closed division, valid, TensorRT (two with vLLM: token_results.py), one node: the median and the best of all submissions with the
same accelerators, in samples per second (Server: completed samples per second), and latencies of SingleStream. The rounds' results are
published at
https://github.com/mlcommons/inference_results_v4.1, …_v5.1 and …_v6.0.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import NamedTuple

from code.systems.data import token_results
from code.systems.data.results import MACHINES


class Published(NamedTuple):
    """The median and the best of `submissions` results on machines with that many `accelerators`."""

    accelerator: str
    accelerators: int
    benchmark: str
    scenario: str
    samples_per_second: float
    best: float
    submissions: int
    round: str = "v4.1"


def _groups() -> Iterator[Published]:
    """The results of each system in the first round that has them, systems in the order of the machines."""
    found: dict[tuple[str, int, str, str], tuple[str, list[float]]] = {}
    for machine in MACHINES:
        for benchmark, rates in machine.rates.items():
            for scenario, rate in zip(("Offline", "Server"), rates, strict=True):
                if rate is not None:
                    key = (machine.accelerator, machine.accelerators, benchmark, scenario)
                    round_, values = found.setdefault(key, (machine.round, []))
                    values.extend([rate] if round_ == machine.round else [])
    for key, (round_, values) in found.items():
        yield Published(*key, statistics.median(values), max(values), len(values), round_)
    for one in token_results.groups():
        system = (one.accelerator, one.accelerators, token_results.BENCHMARK, one.scenario)
        yield Published(*system, one.median, max(one.rates), len(one.rates), one.rounds)


PUBLISHED: tuple[Published, ...] = tuple(_groups())


class PublishedLatency(NamedTuple):
    """The 90th percentile of a SingleStream result, which one accelerator computes."""

    accelerator: str
    benchmark: str
    milliseconds: float
    round: str


LATENCIES: tuple[PublishedLatency, ...] = (
    PublishedLatency("GeForceRTX_4090", "3d-unet-99", 428.835, "v5.1"),
    PublishedLatency("RTX_2000E_Ada", "3d-unet-99", 3683.79, "v5.1"),
    PublishedLatency("L4", "3d-unet-99", 1880.73, "v6.0"),
    PublishedLatency("L4", "bert-99", 2.16652, "v6.0"),
)
