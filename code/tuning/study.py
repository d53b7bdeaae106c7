"""The search: an Optuna study kept in a file, so that an interrupted search resumes.

Each point is the one from which the measured ones and a model's prediction promise most (code/tuning/surrogate.py). It is probed once, and
again where that shows it among the best so far (Optuna's PercentilePruner), so that time goes where the decision is close. What those
probes differ by is the machine's noise, and the less they tell the more points are measured.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from code.backends.base import missing_sdk
from code.common import paths
from code.common.errors import HarnessError
from code.plan.workload import Workload
from code.tuning.surrogate import Known, Next, Point, Surrogate, noise_of

TURNS = 2
"""Probes of a point that may be the best; their median counts."""
KEPT_PERCENT = 25.0
"""Share of the points so far to which a first probe must belong for the others to follow."""
LEAST = 4
"""Points that are measured in any case."""
PROBES = "probes"
"""Attribute of a trial: the values of its probes."""
PAYS = 0.002
"""Expected relative gain below which the next point is not worth its time."""


def study_path(workload: Workload, space: Mapping[str, list[Any]], power_w: float | None = None) -> Path:
    """Path of the study's file: one for each workload, engine format, model, space and power limit on this machine."""
    values = workload.plain()
    limited = [] if power_w is None else [power_w]
    of = [
        *limited,
        *(values[name] for name in ("backend", "precision", "model_path", "model_variant", "data_path", "harness_lang")),
    ]
    digest = hashlib.sha256(json.dumps([of, dict(space), workload.detected.usable_cores]).encode()).hexdigest()[:12]
    return paths.build_dir() / "tune" / f"{workload.system_name}-{workload.full_name}-{workload.scenario}-{digest}.log"


class Study:
    """Trials over the points of a space, stored in a file.

    Raises MissingError without Optuna.
    """

    def __init__(self, path: Path, space: Mapping[str, list[Any]], more_is_better: bool) -> None:
        try:
            import optuna
            from optuna.storages import JournalStorage
            from optuna.storages.journal import JournalFileBackend
        except ImportError as error:
            raise missing_sdk("optuna", "tune", error) from error
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._optuna = optuna
        self._space = {name: list(values) for name, values in space.items()}
        self._more_is_better = more_is_better
        self._study = optuna.create_study(
            study_name="tune",
            storage=JournalStorage(JournalFileBackend(str(path))),
            direction="maximize" if more_is_better else "minimize",
            pruner=optuna.pruners.PercentilePruner(KEPT_PERCENT, n_startup_trials=1),
            load_if_exists=True,
        )

    @property
    def size(self) -> int:
        """Number of points in the space."""
        out = 1
        for values in self._space.values():
            out *= len(values)
        return out

    def known(self) -> dict[str, float]:
        """Measured points: point as JSON → measured value, of one probe where it was not among the best."""
        return {_key(one.point): one.value for one in self._measured()[0]}

    def _measured(self) -> tuple[list[Known], float]:
        """The measured points, and the relative noise of one probe."""
        states = self._optuna.trial.TrialState
        trials = self._study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED))
        probes: dict[str, list[float]] = {}
        found: dict[str, Known] = {}
        for trial in trials:
            if trial.value is None or not trial.params:
                continue
            key = _key(trial.params)
            probes[key] = trial.user_attrs.get(PROBES) or [trial.value]
            if trial.value:
                found[key] = Known(dict(trial.params), float(trial.value), len(probes[key]))
        known = [one for one in found.values() if all(one.point.get(name) in values for name, values in self._space.items())]
        return known, noise_of([*probes.values()])

    def search(
        self,
        trials: int,
        first: Point | None,
        measure: Callable[[Point], float],
        warn: Callable[[str], None],
        predicted: Callable[[Point], float] | None = None,
    ) -> str:
        """Measure new points until `trials` are known or no other is expected to pay. Returns why it ended.

        A point that fails is reported through `warn` and skipped.

        Args:
            first: the starting point of a new study.
            measure: one probe of a point.
            predicted: a figure proportional to the measurement, by a model.
        """
        surrogate = Surrogate(self._space, self._more_is_better, predicted)
        failed: list[Point] = []
        start = [point for point in (first, surrogate.first()) if point is not None]
        while True:
            known, noise = self._measured()
            if len(known) + len(failed) >= min(trials, self.size):
                return f"{len(known) + len(failed)} points are measured"
            point = self._first_of(start, known, failed)
            if point is None:
                found = surrogate.next(known, failed, noise) if known else Next(_other(surrogate.points, failed), PAYS)
                if found is None:
                    return "every point is measured"
                if len(known) >= LEAST and found.gain < PAYS:
                    return f"no other point is expected to gain {PAYS:.1%}"
                point = found.point
            if not self._tried(point, measure, warn):
                failed.append(point)

    @staticmethod
    def _first_of(start: Sequence[Point], known: Sequence[Known], failed: Sequence[Point]) -> Point | None:
        """The first of the starting points that is neither known nor failed."""
        tried = [*(one.point for one in known), *failed]
        return next((point for point in start if point not in tried), None)

    def _tried(self, point: Point, measure: Callable[[Point], float], warn: Callable[[str], None]) -> bool:
        """Measure a point; whether that was possible."""
        states = self._optuna.trial.TrialState
        self._study.enqueue_trial(point)
        trial = self._study.ask()
        for name, values in self._space.items():
            trial.suggest_categorical(name, values)
        values_: list[float] = []
        try:
            for turn in range(1, TURNS + 1):
                values_.append(measure(point))
                trial.set_user_attr(PROBES, values_)
                trial.report(statistics.median(values_), turn)
                if turn == 1 and trial.should_prune():
                    self._study.tell(trial, state=states.PRUNED)
                    return True
        except HarnessError as error:
            if error.exit_status == 130:
                raise
            self._study.tell(trial, state=states.FAIL)
            warn(f"{_key(point)}: {error.what}")
            return False
        self._study.tell(trial, statistics.median(values_))
        return True

    def best(self) -> tuple[dict[str, Any], float] | None:
        """The point that is best by all measurements, and its own; None if nothing was measured."""
        known, noise = self._measured()
        if not known:
            return None
        found = Surrogate(self._space, self._more_is_better).best(known, noise)
        return found.point, found.value


def _other(points: Sequence[Point], failed: Sequence[Point]) -> Point:
    return next(point for point in points if point not in failed)


def _key(point: Mapping[str, Any]) -> str:
    return json.dumps(dict(sorted(point.items())))
