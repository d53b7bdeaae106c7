"""Machine time of `make tune`'s search against an exhaustive grid and against Optuna's TPE sampler, which it used before.

    python -m tests.benchmarks.tune_search measure GRID.json [--within SECONDS] --benchmarks=bert --scenarios=offline [--system=…]
    python -m tests.benchmarks.tune_search replay GRID.json…

`measure` probes every point of the space and writes the values; of a system that is not here it simulates them in virtual time. Run it with
nothing beside. The file is written after each point, and another `measure` continues it, so that `--within` makes a grid in pieces.
`replay` lets both searches ask for those values, a hundred times with noise of other seeds, and prints how many probes each
took until its best point was within 2 % of the grid's best, how many until it ended, and how far off it was then. Needs Optuna.
"""

from __future__ import annotations

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
from code.tuning.surrogate import NOISE, Point, Surrogate

TRIALS = 24
TIMES = 100
NEAR = 0.98
SHORT = 1e5


def key(point: Point) -> str:
    return json.dumps(point, sort_keys=True)


def measured(words: list[str], file: Path, within: float) -> dict[str, Any]:
    """The value of every point of a workload's space, what a model predicts of it, and how long a probe took.

    Args:
        file: has those that are known, and gets each new one.
        within: seconds after which no further one is begun.
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
    rows, begin = grid["rows"], time.monotonic()
    known = {key(row["point"]) for row in rows}
    left = [point for point in Surrogate(space, True).points if key(point) not in known]
    random.Random(0).shuffle(left)  # a machine that gets slower meanwhile is not mistaken for an effect of a field
    for point in left:
        start = time.monotonic()
        if start - begin > within:
            break
        at = Job(measure.at(job.workload, point), job.notices)
        value = simulated(at) if elsewhere else measure.probe(at)["samples_per_second"]
        rows.append({"point": point, "value": value, "predicted": predicted(point) if predicted else None})
        grid["seconds"] += (time.monotonic() - start - grid["seconds"]) / len(rows)
        file.write_text(json.dumps(grid, indent=1), encoding="utf-8")
    print(f"{len(rows)} of {len(known) + len(left)} points")
    return grid


def simulated(job: Job) -> float:
    """Samples/s of an Offline run in virtual time."""
    twin = service_times.simulated(job)
    return virtual.simulate(
        twin, service_times.table(twin, service_times.model_of(twin, service_times.PUBLIC)), job.label, SHORT
    ).result


def replayed(grid: dict[str, Any], search: Callable[..., None]) -> tuple[float, float, float]:
    """Means over many searches: probes until within 2 % of the best (those of a search that was not: all), all probes, the distance."""
    values = {key(row["point"]): row["value"] for row in grid["rows"]}
    best = max(values.values())
    until, total, off = [], [], []
    for seed in range(TIMES):
        noise = random.Random(seed)
        asked: list[str] = []

        def probe(point: Point, asked: list[str] = asked, noise: random.Random = noise) -> float:
            asked.append(key(point))
            return float(values[key(point)] * math.exp(noise.gauss(0, NOISE)))

        chosen = search(grid, probe, seed)
        near = next((i + 1 for i, one in enumerate(asked) if values[one] >= NEAR * best), len(asked))
        until.append(near)
        total.append(len(asked))
        off.append(1 - values[key(chosen)] / best)
    return statistics.mean(until), statistics.mean(total), statistics.quantiles(off, n=10)[-1]


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
        file, *words = rest
        within = math.inf
        if words[:1] == ["--within"]:
            within, words = float(words[1]), words[2:]
        measured(words, Path(file), within)
        return
    for file in rest:
        grid = json.loads(Path(file).read_text(encoding="utf-8"))
        print(f"{grid['label']}: {len(grid['rows'])} points, {grid['seconds']:.1f} s each in the grid")
        for name, search in (("make tune", now), ("TPE", before)):
            until, total, off = replayed(grid, search)
            print(f"  {name:10} {until:5.1f} probes to within 2 %, {total:5.1f} in all; 9 in 10 end within {off:.1%}")


if __name__ == "__main__":
    main(sys.argv[1:])
