"""Measures what limits a workload on this machine's processors, remembers it, and compares runs with it.

Products of the workload's own shapes through OpenVINO in each precision, memory bandwidth, and how fast LoadGen itself is. A measurement is
kept beside the probes with its date, and only where the machine was otherwise idle.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from code.backends import products, store
from code.backends.base import package_version
from code.common import console
from code.common.errors import HarnessError, UsageError
from code.fields.consumer import Consumer
from code.machine import peaks
from code.machine.measurements import PRECISIONS, SHARES, Measurement, Memory, best_of
from code.results import bound, devices
from code.results.page import measured
from code.run import machine_rates
from code.run.language import binary
from code.run.sample_lengths import sample_lengths
from code.run.surroundings import watched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from code.results.machine import MachineState
    from code.run.resolved import Resolved

READS = Consumer("the roofline", ("precision",))
NEEDS = {"bf16": ("avx512_bf16", "amx_bf16"), "fp16": ("avx512_fp16",)}
"""Precision → instruction sets of which a processor needs one; without them OpenVINO computes in another precision."""
USUAL_LENGTH = 1


@dataclass(frozen=True)
class Measured:
    """One measurement of a workload's limits.

    Args:
        network: its products; None for a benchmark that generates text.
        rows: of the matrix products.
        own: values of the workload, by names of code/machine/measurements.py.
        machine: values of the machine as a whole.
        lengths: of the data set's samples.
        state: of the machine meanwhile.
    """

    network: products.Network | None
    rows: int
    own: Mapping[str, float]
    machine: Mapping[str, float]
    lengths: NDArray[np.int64]
    state: MachineState

    def samples_per_second(self, precision: str) -> float | None:
        """Most samples per second by the products alone; None where the benchmark has none that are known."""
        gflops = self.own.get(f"gflops_{precision}")
        if self.network is None or not gflops:
            return None
        roof = _roofline(precision, self.own, {}, "")
        return None if roof is None else roof.rate(self.lengths)


def measure(job: Resolved) -> Measured:
    """Measure what limits a job. UsageError for one that does not compute on processors; raises what the runtime raises."""
    if job.placement.on_gpus or not job.backend.computes:
        raise UsageError(
            f"{job.label}: its limits cannot be measured here",
            f"the {job.backend.name} backend does not compute on this machine's processors, which `make roofline` measures",
            "name a backend for processors, such as --backend=openvino",
        )
    job.definition.prepare(job.values)
    network = _network(job)
    lengths = _lengths(job)
    rows = max(1, int((job.placement.batch or 1) * float(lengths.mean())))
    with watched([device.name for device in job.placement.devices], job.label, False) as seen:
        steps = _steps(job, network, rows, lengths)
        found: dict[str, dict[str, float]] = {"own": {}, "machine": {}}
        with console.Progress(f"{job.label} roofline", len(steps), "measurements") as bar:
            for where, step in steps:
                found[where].update(step())
                bar.advance(1)
    return Measured(network, rows, found["own"], found["machine"], lengths, seen.state)


def remember(job: Resolved, one: Measured) -> bool:
    """Keep a measurement with its date, unless other work disturbed it. Returns whether it was kept."""
    if one.state.disturbed:
        return False
    for memory, values in ((_machine_memory(job), one.machine), (_own_memory(job), one.own)):
        if values:
            memory.add(Measurement(values, time.time(), "probe", one.state.load_before))
    return True


def of_workload(job: Resolved, precision: str) -> bound.Roofline | None:
    """What was measured last of a workload's limits; None where nothing was in the last 30 days, or with another model or processor."""
    if job.placement.on_gpus or not job.backend.computes or job.definition.facts.family == "text":
        return None
    found = _own_memory(job).read()
    best = best_of(found, f"gflops_{precision}")
    if best is None:
        return None
    # Each measurement has every precision's rate, and the operators of the one that it was for.
    profiled = next((one.values for one in reversed(found) if f"products_{precision}" in one.values), {})
    return _roofline(precision, best[1].values, profiled, best[1].shown())


def recorded(job: Resolved, folder: Path) -> dict[str, Any]:
    """metadata.json's `bound` of the run in `folder`; {} where the limits were not measured before it."""
    if job.workload["test_mode"] == "AccuracyOnly":
        return {}
    try:
        roofline = of_workload(job, str(READS.of(job.workload)["precision"]))
    except HarnessError:  # no model, no runtime: the result stands without
        return {}
    shares = devices.read(folder)
    if roofline is None or not shares:
        return {}
    batches = measured.batches(folder)
    lengths = sample_lengths(job.dataset)
    if lengths is None and batches is not None:
        lengths = np.repeat(batches[:, 3], batches[:, 2].astype(np.int64)).astype(np.int64)
    if lengths is None:
        return {}
    found = bound.of_run(roofline, lengths, shares, batches, job.placement.streams, max(one.elapsed_s for one in shares))
    return {} if found is None else {"bound": found}


def supported(job: Resolved) -> list[str]:
    """Precisions that this processor computes in itself, slowest format first."""
    isa = job.workload.detected.isa
    return [name for name in PRECISIONS if name not in NEEDS or isa & set(NEEDS[name])]


def _steps(
    job: Resolved, network: products.Network | None, rows: int, lengths: NDArray[np.int64]
) -> list[tuple[str, Callable[[], Mapping[str, float]]]]:
    """What to measure: the part it belongs to, and a function that measures it."""
    cores = job.workload.detected.usable_cores
    steps: list[tuple[str, Callable[[], Mapping[str, float]]]] = []

    def rate(of: products.Network, many: int, precision: str) -> Callable[[], Mapping[str, float]]:
        return lambda: {f"gflops_{precision}": products.rate(of, precision, many, cores)}

    for precision in supported(job):
        steps.append(("machine", rate(products.general(), products.GENERAL_ROWS, precision)))
        if network is not None:
            steps.append(("own", rate(network, rows, precision)))
    if network is not None:
        steps.append(("own", lambda: {"flops_per_unit": network.flops_per_unit, "flops_per_square": network.flops_per_square}))
        steps.append(("own", lambda: _operators(job, int(lengths.mean()))))
    steps.append(("machine", lambda: machine_rates.bandwidth(cores)))
    if binary().is_file():
        steps.append(("machine", lambda: machine_rates.loadgen_ceiling(job.workload.loadgen_model)))
    return steps


def _network(job: Resolved) -> products.Network | None:
    if job.definition.facts.family == "text":
        return None
    return products.read_network(job.definition.model(job.values))


def _lengths(job: Resolved) -> NDArray[np.int64]:
    found = sample_lengths(job.dataset)
    return np.array([USUAL_LENGTH]) if found is None else found


def _operators(job: Resolved, length: int) -> dict[str, float]:
    """Where the time of the workload's own engine goes; {} where its graph is not made yet."""
    precision = str(READS.of(job.workload)["precision"])
    try:
        graph = job.graph
    except HarnessError:
        return {}
    found = products.profile(graph, precision, job.placement.batch or 1, length)
    return {f"{kind}_{precision}": share for kind, share in found.items()}


def _roofline(precision: str, values: Mapping[str, float], profiled: Mapping[str, float], shown: str) -> bound.Roofline | None:
    unit = values.get("flops_per_unit")
    if unit is None:
        return None
    operators = {kind: profiled[f"{kind}_{precision}"] for kind in SHARES if f"{kind}_{precision}" in profiled}
    return bound.Roofline(precision, values[f"gflops_{precision}"], unit, values.get("flops_per_square", 0.0), operators, shown)


def _machine_identity(job: Resolved) -> dict[str, Any]:
    detected = job.workload.detected
    return peaks.identity(detected.processors.model, detected.isa, detected.usable_cores, package_version("openvino"))


def _machine_memory(job: Resolved) -> Memory:
    return peaks.memory(peaks.word(_machine_identity(job)))


def _own_memory(job: Resolved) -> Memory:
    model = job.definition.model(job.values)
    # What was measured before operators were told by the executed layers is not taken up.
    own = {"what": "roofline", "operators": "executed layers", "model": store.model_digest(model), "batch": job.placement.batch}
    return Memory({**_machine_identity(job), **own})
