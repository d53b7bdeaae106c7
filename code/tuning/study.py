"""The search: an Optuna study kept in a file, so that an interrupted search resumes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from code.backends.base import missing_sdk
from code.common import paths
from code.common.errors import HarnessError
from code.plan.workload import Workload

SEED = 0


def study_path(workload: Workload, space: Mapping[str, list[Any]]) -> Path:
    """Path of the study's file: one for each workload, engine format, model and space on this machine."""
    values = workload.plain()
    of = [values[name] for name in ("backend", "precision", "model_path", "model_variant", "data_path", "harness_lang")]
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
        self._study = optuna.create_study(
            study_name="tune",
            storage=JournalStorage(JournalFileBackend(str(path))),
            direction="maximize" if more_is_better else "minimize",
            sampler=optuna.samplers.TPESampler(seed=SEED),
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
        """Measured points: point as JSON → measured value."""
        state = self._optuna.trial.TrialState.COMPLETE
        return {_key(t.params): float(t.value) for t in self._study.get_trials(deepcopy=False, states=(state,))}

    def search(
        self,
        trials: int,
        first: Mapping[str, Any] | None,
        measure: Callable[[dict[str, Any]], float],
        warn: Callable[[str], None],
    ) -> None:
        """Measure new points until `trials` or all points are known. A point that fails is reported through `warn` and skipped.

        Args:
            first: the starting point of a new study.
        """
        if first is not None and not self.known():
            self._study.enqueue_trial(dict(first))
        failed: set[str] = set()
        idle = 0
        while len(self.known()) + len(failed) < min(trials, self.size) and idle < 20 * trials:
            trial = self._study.ask()
            point = {name: trial.suggest_categorical(name, values) for name, values in self._space.items()}
            known = self.known()
            if _key(point) in known or _key(point) in failed:
                self._study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)
                idle += 1
                continue
            try:
                value = measure(point)
            except HarnessError as error:
                if error.exit_status == 130:
                    raise
                failed.add(_key(point))
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                warn(f"{_key(point)}: {error.what}")
                continue
            self._study.tell(trial, value)

    def best(self) -> tuple[dict[str, Any], float] | None:
        """The best point and its measured value; None if nothing was measured."""
        if not self.known():
            return None
        return dict(self._study.best_params), float(self._study.best_value)


def _key(point: Mapping[str, Any]) -> str:
    return json.dumps(dict(sorted(point.items())))
