"""The search: an Optuna study that is kept in a file, so that it goes on where it was stopped."""

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
    """The study's file: one for each workload, engine format, model and space on this machine."""
    values = workload.plain()
    of = [values[name] for name in ("backend", "precision", "model_path", "model_variant", "data_path", "harness_lang")]
    digest = hashlib.sha256(json.dumps([of, dict(space), workload.detected.usable_cores]).encode()).hexdigest()[:12]
    return paths.build_dir() / "tune" / f"{workload.system_name}-{workload.full_name}-{workload.scenario}-{digest}.log"


class Study:
    """Trials of points of a space, remembered in a file.

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
        """Points in the space."""
        out = 1
        for values in self._space.values():
            out *= len(values)
        return out

    def known(self) -> dict[str, float]:
        """The points measured so far, each as its JSON, and what was measured."""
        state = self._optuna.trial.TrialState.COMPLETE
        return {_key(t.params): float(t.value) for t in self._study.get_trials(deepcopy=False, states=(state,))}

    def search(
        self,
        trials: int,
        first: Mapping[str, Any] | None,
        measure: Callable[[dict[str, Any]], float],
        told: Callable[[str], None],
    ) -> None:
        """Measure new points until `trials` are known in all, or the whole space is. A point that fails is told and left out.

        Args:
            first: the point to begin a new study with.
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
                told(f"{_key(point)}: {error.what}")
                continue
            self._study.tell(trial, value)

    def best(self) -> tuple[dict[str, Any], float] | None:
        """The best point and what it measured; None when none is known."""
        if not self.known():
            return None
        return dict(self._study.best_params), float(self._study.best_value)


def _key(point: Mapping[str, Any]) -> str:
    return json.dumps(dict(sorted(point.items())))
