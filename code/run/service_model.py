"""Service times of a device: how long it takes for a batch, with the source they come from.

Three sources: the batch log of a run, public results (code/systems/prediction.py), or the config's own expected rate. A batch's time is
taken as `fixed + sample × samples × longest`, in microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.common import jsonfile, paths
from code.common.errors import MissingError, UsageError, unknown
from code.common.files import write_json
from code.common.typed import choice, real, record, whole, words
from code.harness.schema import run_spec
from code.results import devices as device_shares
from code.results.page import measured
from code.rules.benchmark_facts import BenchmarkFacts
from code.run.job import Job
from code.run.spec import most_samples
from code.systems.estimate import lone_seconds
from code.systems.prediction import Prediction

Floats = NDArray[np.float64]

FOLDER = "service_models"
KINDS = ("run", "public results", "config")
SHAPE = record(
    required={
        "name": words(200),
        "benchmark": words(100),
        "kind": choice(*KINDS),
        "source": words(1000),
        "fixed_us": real(0, 1e12),
        "unit_us": real(0, 1e12),
        "fast": real(0.01, 1),
        "slow": real(1, 100),
    },
    optional={"at_once": whole(1, 4096)},
)
DEVICE = 4
"""Column of a batch's device in the log."""
LEAST_BATCHES = 20
"""Batches that a log must have."""
BLOCK = 5
"""Batches in a row that go into the same half of a log. Offline's are sorted by length: its first half has other ones than its second."""
LEAST_SPREAD = 0.1
"""Half the width of the interval at least, as a logarithm: what predicted rates were off by (documentation/simulation.md)."""
THINNED = 1.05
"""Samples of a run over those in its log, from which on the log does not have every batch."""


@dataclass(frozen=True)
class ServiceModel:
    """How long one device takes for a batch.

    Args:
        name: under which it is kept.
        benchmark: with its accuracy target.
        kind: one of KINDS.
        source: a sentence that says what it was made from.
        fixed_us: time of a batch besides its work, in µs.
        unit_us: time for each sample and unit of length (the batch's longest), in µs.
        fast, slow: factors on the times between which 90 % of what would be measured lies.
        at_once: batches that a device computes at the same time.
    """

    name: str
    benchmark: str
    kind: str
    source: str
    fixed_us: float
    unit_us: float
    fast: float = 1.0
    slow: float = 1.0
    at_once: int = 1

    def table(self, batch: int, lengths: Sequence[int], factor: float = 1.0) -> dict[str, Any]:
        """The options of a simulated engine, with all times multiplied by `factor`.

        Args:
            batch: the largest; between one sample and that many times are exact.
            lengths: of the data set's samples.
        """
        sizes, spread = (1, max(2, batch)), (min(lengths), max(max(lengths), min(lengths) + 1))
        return {
            "batches": list(sizes),
            "lengths": list(spread),
            "microseconds": [[round(factor * self.time_us(n, longest), 3) for longest in spread] for n in sizes],
            **({"at_once": self.at_once} if self.at_once > 1 else {}),
        }

    def time_us(self, samples: float, longest: float) -> float:
        """How long a batch takes, in µs."""
        return self.fixed_us + self.unit_us * samples * longest

    def rate(self, batch: int, lengths: Sequence[int]) -> float:
        """Samples/s of one device in full batches of about one length."""
        mean = sum(lengths) / len(lengths)
        return 1e6 * self.at_once * batch / self.time_us(batch, mean)


def of_prediction(name: str, found: Prediction, devices: int, batch: int, facts: BenchmarkFacts, benchmark: str) -> ServiceModel:
    """Times with which full batches reach a predicted Offline rate, and one sample alone takes what is known of such (BenchmarkFacts).

    Args:
        found: of the whole system with its `devices`.
        batch: size of a full one.
    """
    share_us = 1e6 * devices / found.rate
    times = through(share_us, 1e6 * lone_seconds(facts, share_us / 1e6), batch, facts.length_spread or (1,))
    source = f"Offline {found.words()} samples/s predicted from {found.source}"
    return ServiceModel(name, benchmark, "public results", source, *times, found.rate / found.high, found.rate / found.low)


def of_probe(job: Job, probed: Mapping[str, float]) -> ServiceModel:
    """Times with which full batches reach a probe's throughput, and single samples theirs; where no such was measured, their latency.

    A processor computes the batches of its streams at once, a GPU in turn.
    """
    placement = job.placement
    at_once = 1 if placement.on_gpus else max(1, placement.devices[0].streams)
    each_us = 1e6 * at_once * placement.system_devices
    share_us = each_us / probed["samples_per_second"]
    alone_us = each_us / probed["singles_per_second"] if "singles_per_second" in probed else probed["latency_ns"] / 1e3
    times = through(share_us, alone_us, most_samples(job.workload, placement), job.lengths)
    return ServiceModel(job.label, job.workload.full_name, "run", f"a probe of {job.label}", *times, at_once=at_once)


def through(share: float, alone: float, batch: float, lengths: Sequence[float]) -> tuple[float, float]:
    """The fixed time and the time for each unit of work of two measurements, in the unit of time of both.

    Args:
        share: a sample's share of a full batch.
        alone: a batch of one sample; at least as long.
        batch: size of a full one.
    """
    mean, alone = sum(lengths) / len(lengths), max(share, alone)
    if batch < 2:
        return 0.0, share / mean
    fixed = (alone - share) * batch / (batch - 1)
    return fixed, (alone - fixed) / mean


def of_run(folder: Path) -> ServiceModel:
    """Times that fit the batch log of a performance run, and what its probe measured of single samples, of which the log has few.

    MissingError for a folder without one, UsageError for a run that was simulated itself or has too few batches.
    """
    step = "name the log folder of a performance run, such as build/logs/…/bert-99/Offline"
    log = measured.batches(folder)
    if log is None:
        raise MissingError(f"{folder} has no batch log", f"there is no readable {measured.BATCHES_FILE} in it", step)
    spec = run_spec.read(folder / "run.json")
    if any(engine.backend in ("simulated", "null") for engine in spec.engines):
        raise UsageError(f"{folder} was simulated", "its times came from a table, not from a device", step)
    if len(log) < LEAST_BATCHES:
        raise UsageError(f"{folder} has {len(log)} batches", f"at least {LEAST_BATCHES} show how times depend on sizes", step)
    times, at_once = attributed(log, len(spec.devices), spec.devices[0].streams)
    shares = device_shares.read(folder)
    seen = sum(share.samples for share in shares) / float(np.sum(log[:, 2]))
    if seen > THINNED:  # gaps between the rows hold batches that are not in the log
        span = float(np.max(log[:, 1]) - np.min(log[:, 0]))
        times *= span * at_once * sum(share.busy for share in shares) / (seen * float(np.sum(times)))
    work = log[:, 2] * log[:, 3]
    fixed, unit = fitted(work, times)
    singles = _singles_per_second(folder)
    if singles is not None:
        mean = float(np.sum(work) / np.sum(log[:, 2]))
        share, alone = float(np.sum(times) / np.sum(log[:, 2])), at_once * len(spec.devices) / singles
        fixed, unit = through(share, alone, float(np.mean(log[:, 2])), (mean,))
    half = np.arange(len(log)) // BLOCK % 2 == 0
    drift = abs(math.log(_total(work[~half], fitted(work[half], times[half])) / float(np.sum(times[~half]))))
    *_, stamp, system, benchmark, scenario = folder.resolve().parts
    name = f"{stamp}-{system}-{benchmark}-{scenario}"
    source = f"{len(log):,} batches of {paths.shown(folder)}, {spec.engines[0].backend} {spec.engines[0].precision}"
    off = max(drift, LEAST_SPREAD)
    spread = math.exp(-off), math.exp(off)
    return ServiceModel(name, benchmark, "run", source, 1e6 * fixed, 1e6 * unit, *spread, at_once)


def _singles_per_second(folder: Path) -> float | None:
    """The rate of all lanes in batches of one sample, of which metadata.json tells; None where it does not."""
    found = jsonfile.object_or_empty(folder / "metadata.json").get("engine_alone")
    value = found.get("singles_per_second") if isinstance(found, dict) else None
    return float(value) if isinstance(value, (int, float)) and 0 < value < math.inf else None


def attributed(log: Floats, devices: int, streams: int) -> tuple[Floats, int]:
    """Time in the engine of each batch in s, without waiting for others, and how many a device computes at the same time.

    A device computes the batches of its streams in turn, or all at once. Which of the two it does shows in the times, which depend on a
    batch's own work and not on its neighbours'. Where the log does not say which device computed a batch, the mean time of several
    devices is right and its dependence on size too weak.

    Args:
        log: float64 [batches, 4 or 5]: begin and end in s, samples, longest, device.
        streams: of a device.
    """
    work = log[:, 2] * log[:, 3]
    ways = [(_of_each_device(log, devices, _in_turn), 1)]
    if streams > 1:
        ways.append((_of_each_device(log, devices, lambda own, number: _at_once(own, streams * number)), streams))
    return min(ways, key=lambda way: _unexplained(work, way[0]))


def _of_each_device(log: Floats, devices: int, way: Callable[[Floats, int], Floats]) -> Floats:
    """The times by `way` of each device's own batches; of all together where the log names no devices."""
    if log.shape[1] <= DEVICE:
        return way(log, devices)
    times = np.zeros(len(log))
    for device in np.unique(log[:, DEVICE]):
        own = log[:, DEVICE] == device
        times[own] = way(log[own], 1)
    return times


def _at_once(log: Floats, most: int) -> Floats:
    """While more than `most` batches are in flight, they share the devices equally."""
    edges = np.concatenate([log[:, 0], log[:, 1]])
    steps = np.concatenate([np.ones(len(log)), -np.ones(len(log))])
    order = np.lexsort((-steps, edges))
    at, flying = edges[order], np.cumsum(steps[order])
    share = np.minimum(1.0, most / np.maximum(flying, 1.0))
    spent = np.concatenate([[0.0], np.cumsum(share[:-1] * np.diff(at))])
    times: Floats = np.interp(log[:, 1], at, spent) - np.interp(log[:, 0], at, spent)
    return times


def _in_turn(log: Floats, devices: int) -> Floats:
    """The oldest batches in flight, as many as there are devices, have one each."""
    events = sorted([(begin, 1, i) for i, begin in enumerate(log[:, 0])] + [(end, 0, i) for i, end in enumerate(log[:, 1])])
    times = np.zeros(len(log))
    flying: list[int] = []
    before = 0.0
    for at, begins, index in events:
        for oldest in flying[:devices]:
            times[oldest] += at - before
        before = at
        if begins:
            flying.append(index)
        elif index in flying:
            flying.remove(index)
    return times


def _unexplained(work: Floats, times: Floats) -> float:
    """Share of the times that differs from what fits best."""
    fixed, unit = fitted(work, times)
    return float(np.sum(np.abs(times - fixed - unit * work)) / max(float(np.sum(times)), 1e-12))


def fitted(work: Floats, times: Floats) -> tuple[float, float]:
    """The fixed time and the time for each unit of work that fit best, neither below 0."""
    columns = np.stack([np.ones(len(work)), work], axis=1)
    fixed, unit = np.linalg.lstsq(columns, times, rcond=None)[0]
    if fixed < 0 or np.ptp(work) == 0:
        return 0.0, float(np.sum(times) / np.sum(work))
    return (float(np.mean(times)), 0.0) if unit < 0 else (float(fixed), float(unit))


def _total(work: Floats, of: tuple[float, float]) -> float:
    return max(float(np.sum(of[0] + of[1] * work)), 1e-12)


def keep(model: ServiceModel) -> Path:
    """Write it beside the engines, and return its file."""
    file = paths.build_dir() / FOLDER / f"{model.name}.json"
    write_json(file, asdict(model))
    return file


def kept(warn: Callable[[str], None] = lambda _: None) -> list[ServiceModel]:
    """The models that are kept, by name; `warn` gets a line for each file that is none."""
    found = []
    for file in sorted((paths.build_dir() / FOLDER).glob("*.json")):
        notes: list[str] = []
        try:
            content = SHAPE.read(jsonfile.read(file), file.name, notes)
        except (OSError, ValueError) as error:
            notes, content = [f"{file.name}: {error}"], None
        if content is None:
            warn(f"no service-time model: {'; '.join(notes)}")
        else:
            found.append(ServiceModel(**content))
    return found


def named(word: str) -> ServiceModel:
    """The kept model of that name, or one of the run in that folder, which is then kept. UsageError for neither."""
    models = {model.name: model for model in kept()}
    if word in models:
        return models[word]
    if Path(word).is_dir():
        model = of_run(Path(word))
        keep(model)
        return model
    raise unknown("service-time model", word, [*models], "--service_model")
