"""Machine time of `make tune`'s search against an exhaustive grid and against Optuna's TPE sampler, which it used before.

    python -m tests.benchmarks.tune_search measure GRID.json [--turns 3] [--within SECONDS] --benchmarks=bert --scenarios=offline
    python -m tests.benchmarks.tune_search replay GRID.json…

`measure` probes every point of the space, `--turns` times one after the other, and writes the medians; of a system that is not here it
simulates them in virtual time. Run it with nothing beside. The file is written after each probe, and another `measure` continues it, so
that `--within` makes a grid in pieces.
`replay` lets both searches ask for those values, a hundred times with noise of other seeds, as large as the grid's own, and prints how
many probes each took until it had asked for a point within 2 % of the grid's best, how many until it ended, and how far off the point was
that it chose. Needs Optuna.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from code.common.notices import Notices
from code.plan.request import parse
from code.plan.workload import build
from code.run import service_times, virtual
from code.run.job import Job
from code.tuning import measure
from code.tuning.expectations import expected_throughput
from code.tuning.space import point_of, search_space
from code.tuning.study import Study
from code.tuning.surrogate import Point, Surrogate, noise_of

TRIALS = 24
TIMES = 100
NEAR = 0.98
SHORT = 1e5


def key(point: Point) -> str:
    return json.dumps(point, sort_keys=True)


def measured(words: list[str], file: Path, within: float, turns: int) -> dict[str, Any]:
    """The value of every point of a workload's space, what a model predicts of it, and how long a probe took.

    Args:
        file: has those that are known, and gets each new one.
        within: seconds after which no further one is begun.
        turns: probes of each point.
    """
    workloads, _ = build(parse(["--action=tune", *words]))
    job = Job(workloads[0], Notices())
    elsewhere = any(word.startswith("--system=") for word in words)
    space = search_space(job.workload, "gpu" if job.placement.on_gpus else "cpu")
    predicted = expected_throughput(job, service_times.PUBLIC, space)
    if not elsewhere:
        job.prepare_data()
    empty = {"label": job.label, "space": space, "first": point_of(job.workload, space), "rows": [], "seconds": 0.0}
    grid: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else empty
    rows = {key(row["point"]): row for row in grid["rows"]}
    begin, probes = time.monotonic(), sum(len(row["values"]) for row in rows.values())
    points = Surrogate(space, True).points
    for turn in range(1, turns + 1):
        left = [point for point in points if len(rows.get(key(point), {"values": []})["values"]) < turn]
        random.Random(turn).shuffle(left)  # a machine that gets slower meanwhile is not mistaken for an effect of a field
        for point in left:
            start = time.monotonic()
            if start - begin > within:
                break
            at = Job(measure.at(job.workload, point), job.notices)
            value = simulated(at) if elsewhere else measure.probe(at)["samples_per_second"]
            new = {"point": point, "values": [], "predicted": predicted(point) if predicted else None}
            row = rows.setdefault(key(point), new)
            row["values"].append(value)
            row["value"] = statistics.median(row["values"])
            probes += 1
            grid["seconds"] += (time.monotonic() - start - grid["seconds"]) / probes
            grid["rows"] = list(rows.values())
            file.write_text(json.dumps(grid, indent=1), encoding="utf-8")
    print(f"{probes} of {turns * len(points)} probes")
    return grid


def simulated(job: Job) -> float:
    """Samples/s of an Offline run in virtual time."""
    twin = service_times.simulated(job)
    return virtual.simulate(
        twin, service_times.table(twin, service_times.model_of(twin, service_times.PUBLIC)), job.label, SHORT
    ).result


def replayed(grid: dict[str, Any], search: Callable[..., Point]) -> tuple[float, float, float, float]:
    """Of many searches: mean probes until within 2 % of the best (of a search that was not: all), all probes, mean and ninth decile of
    how far off the chosen point is.
    """
    values = {key(row["point"]): row["value"] for row in grid["rows"]}
    best, relative = max(values.values()), noise_of([row["values"] for row in grid["rows"]])
    until, total, off = [], [], []
    for seed in range(TIMES):
        noise = random.Random(seed)
        asked: list[str] = []

        def probe(point: Point, asked: list[str] = asked, noise: random.Random = noise) -> float:
            asked.append(key(point))
            return float(values[key(point)] * math.exp(noise.gauss(0, relative)))

        chosen = search(grid, probe, seed)
        near = next((i + 1 for i, one in enumerate(asked) if values[one] >= NEAR * best), len(asked))
        until.append(near)
        total.append(len(asked))
        off.append(1 - values[key(chosen)] / best)
    return statistics.mean(until), statistics.mean(total), statistics.mean(off), statistics.quantiles(off, n=10)[-1]


def now(grid: dict[str, Any], probe: Callable[[Point], float], _seed: int) -> Point:
    """The search of `make tune`."""
    figures = {key(row["point"]): row["predicted"] for row in grid["rows"]}
    predicted = None if None in figures.values() else lambda point: figures[key(point)]
    with tempfile.TemporaryDirectory() as folder:
        study = Study(Path(folder) / "study.log", grid["space"], True)
        study.search(TRIALS, grid["first"], probe, print, predicted)
        found = study.best()
    assert found is not None
    return found[0]


def before(grid: dict[str, Any], probe: Callable[[Point], float], seed: int) -> Point:
    """TPE, with one probe a point."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    if grid["first"]:
        study.enqueue_trial(grid["first"])
    known: set[str] = set()
    for _ in range(20 * TRIALS):
        if len(known) >= min(TRIALS, len(grid["rows"])):
            break
        trial = study.ask()
        point = {name: trial.suggest_categorical(name, choices) for name, choices in grid["space"].items()}
        if key(point) in known:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        known.add(key(point))
        study.tell(trial, probe(point))
    return dict(study.best_params)


def main(arguments: list[str]) -> None:
    """See the head of the file."""
    verb, *rest = arguments
    if verb == "measure":
        parser = argparse.ArgumentParser(usage=__doc__)
        parser.add_argument("--turns", type=int, default=3)
        parser.add_argument("--within", type=float, default=math.inf)
        asked, words = parser.parse_known_args(rest[1:])
        measured(words, Path(rest[0]), asked.within, asked.turns)
        return
    for file in rest:
        grid = json.loads(Path(file).read_text(encoding="utf-8"))
        relative = noise_of([row["values"] for row in grid["rows"]])
        print(f"{grid['label']}: {len(grid['rows'])} points, {grid['seconds']:.1f} s a probe, noise {relative:.1%}")
        for name, search in (("make tune", now), ("TPE", before)):
            until, total, off, worst = replayed(grid, search)
            print(
                f"  {name:10} {until:5.1f} probes to within 2 %, {total:5.1f} in all; ends {off:.1%} off, 9 in 10 within {worst:.1%}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
