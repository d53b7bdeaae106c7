"""Rates of systems nobody measured here, predicted from public results with an interval.

The logarithm of an accelerator's rate is taken as a sum of Gaussian effects (a Gaussian process; Rasmussen and Williams, 2006, ch. 2): of
benchmark, target and scenario; linear ones of memory bandwidth, dense INT8 throughput, power limit and memory; of the architecture and of
the accelerator; of the count, in Server; of the submitted machine; of the run; and of the distance between a vendor's config and what
it reaches. Results that share more effects with a system say more of it: its own decide, of an unknown accelerator its data sheet does,
with an interval as much wider. documentation/predictions.md shows how far predictions were off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from code.common.constants import Memory
from code.systems.data.gpus import GPUS
from code.systems.data.migs import MIGS
from code.systems.data.public_configs import PUBLIC_CONFIGS, VENDOR
from code.systems.data.results import MACHINES
from code.systems.data.token_results import BENCHMARK, TOKEN_RESULTS, TOKENS, VLLM
from code.systems.estimate import MIG_COMPUTE_SLICES, SYSTEM_OF, speed_of

Matrix = NDArray[np.floating[Any]]

SCENARIOS = ("Offline", "Server")
NINETY = 1.6449
"""Standard deviations on either side that hold 90 % of a normal distribution."""
ORIGIN = (3000.0, 1500.0, 500.0, 80.0)
"""GB/s, TOPS and watts at which the linear effects are zero: about an H100's."""
OF_ORIN = {"Orin": 87, "Orin_NX": 87}
"""Compute capabilities that the table of GPUs leaves open, times ten."""
INTEGRATED_WATTS = 60.0
"""Power limit of a module whose data sheet states none for the GPU (Jetson AGX Orin, 60 W)."""


class Point(NamedTuple):
    """What is predicted, or was measured: `machine` names the submitted machine, '' for one of nobody.
    `configured` marks the rate that a vendor's config expects, which is near what it reached.
    """

    accelerator: str
    accelerators: int
    benchmark: str
    scenario: str
    machine: str = ""
    configured: bool = False

    @property
    def network(self) -> str:
        """The benchmark without its accuracy target."""
        return self.benchmark.removesuffix("-99.9").removesuffix("-99")


@dataclass(frozen=True)
class Prediction:
    """A predicted rate in samples/s (Server: completed queries/s) of the whole system.

    Args:
        rate: its median.
        low, high: the bounds that hold 90 % of what would be submitted.
        source: a phrase that names the results it comes from.
    """

    rate: float
    low: float
    high: float
    source: str

    def words(self) -> str:
        """'71,690 (68,100 to 75,500)'."""
        return " ".join((shown(self.rate), f"({shown(self.low)} to {shown(self.high)})"))


def shown(rate: float) -> str:
    """Four significant digits: '71,690', '0.6108'."""
    digits = float(f"{rate:.4g}")
    return f"{digits:,.0f}" if digits >= 1000 else f"{digits:g}"


AMPLITUDES: dict[str, float] = {
    "benchmark": 4.58,
    "target": 0.132,
    "benchmark, scenario": 0.115,
    "bandwidth": 0.0507,
    "throughput": 0.653,
    "power": 0.295,
    "benchmark, throughput": 0.114,
    "benchmark, power": 0.0655,
    "benchmark, memory": 0.0325,
    "architecture, benchmark": 0.123,
    "architecture, target": 0.126,
    "MIG": 0.0595,
    "accelerator": 0.0269,
    "accelerator, benchmark": 0.0184,
    "accelerator, benchmark, scenario": 0.0605,
    "system": 0.00548,
    "system, Server": 0.0395,
    "count, Server": 0.0146,
    "machine": 0.0455,
    "machine, Server": 0.0545,
    "run": 0.0215,
    "run, Server": 0.025,
    "config, scenario": 0.0145,
    "config, benchmark": 0.19,
    "config": 0.038,
}
"""Effect → standard deviation of the rate's natural logarithm, or of its slope over the logarithm of a quantity.

Those of the highest likelihood; `python -m scripts.write_predictions --fit` computes them."""


def measured() -> Iterator[tuple[Point, float]]:
    """Each public result and each vendor's config, and its rate."""
    for machine in MACHINES:
        name = f"{machine.submitter} {machine.system} {machine.round}"
        for benchmark, rates in machine.rates.items():
            for scenario, rate in zip(SCENARIOS, rates, strict=True):
                if rate is not None:
                    yield Point(machine.accelerator, machine.accelerators, benchmark, scenario, name), rate
    for run in TOKEN_RESULTS:
        if run.submitter not in VLLM:
            name = f"{run.submitter} {run.system} {run.round}"
            for scenario, tokens in zip(SCENARIOS, (run.offline, run.server), strict=True):
                yield Point(run.accelerator, run.accelerators, BENCHMARK, scenario, name), tokens / TOKENS
    for row in PUBLIC_CONFIGS:
        if row.scenario in SCENARIOS:
            yield Point(*SYSTEM_OF[row.system], row.benchmark, row.scenario, f"{VENDOR} {row.system}", True), row.expected


@cache
def traits(accelerator: str) -> tuple[float, float, float, float]:
    """Memory bandwidth in GB/s, dense INT8 throughput in TOPS, power limit in watts and memory in GiB of a known GPU or MIG slice."""
    speed = speed_of(accelerator)
    row = MIGS.get(accelerator)
    power = GPUS[row.parent if row else accelerator].max_power_limit or INTEGRATED_WATTS
    size = row.vram if row else (GPUS[accelerator].vram or ("64 GiB",))[0]
    share = row.gpcs / MIG_COMPUTE_SLICES if row else 1.0
    return speed.bandwidth, speed.int8_tops or speed.bandwidth, power * share, Memory.from_string(size).to_bytes() / 2**30


@cache
def architecture(accelerator: str) -> str:
    """The compute capability without what only tells boards apart: '8.0' and '8.6' are Ampere's, '8.9' Ada's."""
    row = MIGS.get(accelerator)
    capability = GPUS[row.parent if row else accelerator].compute_sm or OF_ORIN.get(accelerator, 0)
    return "8.9" if capability == 89 else str(capability // 10)


def effects(a: Sequence[Point], b: Sequence[Point]) -> dict[str, Matrix]:
    """Effect → its covariance [a, b] at an amplitude of 1."""

    def same(key: Callable[[Point], Any]) -> Matrix:
        known: dict[Any, int] = {}
        left, right = ([known.setdefault(key(p), len(known)) for p in points] for points in (a, b))
        return np.equal.outer(left, right).astype(np.float64)

    def product(value: Callable[[Point], float]) -> Matrix:
        return np.outer([value(p) for p in a], [value(p) for p in b])

    def trait(index: int) -> Matrix:
        return product(lambda p: math.log(traits(p.accelerator)[index] / ORIGIN[index]))

    server = product(lambda p: float(p.scenario == "Server"))
    network, throughput = same(lambda p: p.network), trait(1)
    kind = same(lambda p: (p.accelerator, p.network, p.scenario))
    machine = same(lambda p: p.machine or id(p))
    run = same(lambda p: p if p.machine else id(p))
    count = same(lambda p: p.accelerators)
    config = product(lambda p: float(p.configured))
    return {
        "benchmark": network,
        "target": same(lambda p: p.benchmark),
        "benchmark, scenario": same(lambda p: (p.network, p.scenario)),
        "bandwidth": trait(0),
        "throughput": throughput,
        "power": trait(2),
        "benchmark, throughput": network * throughput,
        "benchmark, power": network * trait(2),
        "benchmark, memory": network * trait(3),
        "architecture, benchmark": same(lambda p: (architecture(p.accelerator), p.network)),
        "architecture, target": same(lambda p: (architecture(p.accelerator), p.benchmark)),
        "MIG": product(lambda p: float(p.accelerator in MIGS)),
        "accelerator": same(lambda p: p.accelerator),
        "accelerator, benchmark": same(lambda p: (p.accelerator, p.network)),
        "accelerator, benchmark, scenario": kind,
        "system": kind * count,
        "system, Server": server * kind * count,
        "count, Server": server * product(lambda p: math.log(p.accelerators)),
        "machine": machine,
        "machine, Server": server * machine * network,
        "run": run,
        "run, Server": server * run,
        "config, scenario": config * same(lambda p: p.scenario),
        "config, benchmark": config * same(lambda p: (p.accelerator, p.network)),
        "config": config * run,
    }


def covariance(a: Sequence[Point], b: Sequence[Point], amplitudes: Mapping[str, float] = AMPLITUDES) -> Matrix:
    """Of the logarithms of each accelerator's rate, [a, b]."""
    parts = effects(a, b)
    out: Matrix = np.zeros((len(a), len(b)))
    for name, part in parts.items():
        out += amplitudes[name] ** 2 * part
    return out


@cache
def _known() -> tuple[list[Point], Matrix, Matrix]:
    """The measured points, the inverse of their covariance, and that times the logarithms of their rates."""
    return _weights(AMPLITUDES)


def _weights(amplitudes: Mapping[str, float]) -> tuple[list[Point], Matrix, Matrix]:
    points, rates = zip(*measured(), strict=True)
    inverse: Matrix = np.linalg.inv(covariance(points, points, amplitudes))
    logs = np.log([rate / point.accelerators for point, rate in zip(points, rates, strict=True)])
    weighted: Matrix = inverse @ logs
    return list(points), inverse, weighted


def predict(benchmark: str, scenario: str, accelerator: str, accelerators: int) -> Prediction | None:
    """The rate that a submission on such a system would reach; None where public results cannot tell.

    They cannot where none is of the benchmark on an accelerator of the same architecture: precisions and kernels differ too much. A
    vendor's config of one other accelerator there is not enough (`_supported`).

    Args:
        benchmark: with its accuracy target, such as "bert-99.9".
        accelerator: the known name of a GPU or a MIG slice.
        accelerators: of the system; they share one host.
    """
    known, inverse, weighted = _known()
    point = Point(accelerator, accelerators, benchmark, scenario)
    if scenario not in SCENARIOS or accelerator not in (GPUS | MIGS):
        return None
    if not _supported(point, [p for p in known if _support(p) == _support(point)]):
        return None
    towards = covariance([point], known)
    mean = float((towards @ weighted)[0])
    spread = math.sqrt(float((covariance([point], [point]) - towards @ inverse @ towards.T)[0, 0]))
    return _prediction(point, mean, spread, _source(point, known))


def _support(point: Point) -> tuple[str, str]:
    """What a prediction needs figures of: the benchmark on the architecture."""
    return point.network, architecture(point.accelerator)


def _supported(point: Point, among: Sequence[Point]) -> bool:
    """Whether figures of its benchmark on its architecture can tell its rate: a result, or configs of its accelerator or of two others.

    From the config of one other accelerator alone, the architecture's effect cannot be told from that accelerator's, and from how far the
    vendor's expectation is off.
    """
    accelerators = {p.accelerator for p in among}
    return any(not p.configured for p in among) or point.accelerator in accelerators or len(accelerators) > 1


def _prediction(point: Point, mean: float, spread: float, source: str) -> Prediction:
    low, middle, high = (point.accelerators * math.exp(mean + side * NINETY * spread) for side in (-1, 0, 1))
    return Prediction(middle, low, high, source)


def _source(point: Point, known: Sequence[Point]) -> str:
    same = [p for p in known if (p.accelerator, p.benchmark, p.scenario) == (point.accelerator, point.benchmark, point.scenario)]
    results = sum(not p.configured for p in known)
    exact = sum(p.accelerators == point.accelerators for p in same)
    nearest = (
        f"{exact} of this system"
        if exact
        else f"{len(same)} of this accelerator in other counts"
        if same
        else "none of this accelerator, whose figures come from its data sheet"
    )
    return f"{results} public results and {len(known) - results} configs of vendors, {nearest}"


class Check(NamedTuple):
    """A public result, and what the others predict of it."""

    point: Point
    rate: float
    predicted: Prediction

    @property
    def error(self) -> float:
        """Relative error of the prediction, 0 or more."""
        return abs(self.predicted.rate / self.rate - 1)

    @property
    def held(self) -> bool:
        """Whether the interval holds the result."""
        return self.predicted.low <= self.rate <= self.predicted.high


def leave_out(group: Callable[[Point], Any], fitted: Callable[[Sequence[int]], Mapping[str, float]] | None = None) -> list[Check]:
    """Each measured point predicted from those outside its group, of which none is used; without those that they cannot tell of.

    Of a Gaussian process it has a closed form (Rasmussen and Williams, 2006, §5.4.2), here for blocks.

    Args:
        fitted: the amplitudes to use where the points of these indices are left out; None for AMPLITUDES, which were fitted to all.
    """
    known, inverse, weighted = _known()
    rates = [rate for _, rate in measured()]
    members: dict[Any, list[int]] = {}
    for index, point in enumerate(known):
        members.setdefault(group(point), []).append(index)
    checks: list[Check] = []
    of_support: dict[tuple[str, str], list[int]] = {}
    for index, point in enumerate(known):
        of_support.setdefault(_support(point), []).append(index)
    for indices in members.values():
        own = set(indices)
        if fitted is not None:
            _, inverse, weighted = _weights(fitted(indices))
        spread = np.linalg.inv(inverse[np.ix_(indices, indices)])
        logs = np.log([rates[i] / known[i].accelerators for i in indices])
        means = logs - spread @ weighted[indices]
        for i, mean, variance in zip(indices, means, np.diag(spread), strict=True):
            if _supported(known[i], [known[j] for j in of_support[_support(known[i])] if j not in own]):
                checks.append(Check(known[i], rates[i], _prediction(known[i], float(mean), math.sqrt(float(variance)), "")))
    return checks
