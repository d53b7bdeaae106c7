"""audit.config: writes LoadGen's settings for an audit test, and refuses leftover files.

A LoadGen that finds an audit.config in its working directory lets it override everything else, so a leftover file silently turns
the next result into an audit. Here it exists in the audit run's own folder only and is removed when the run ends, also on errors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from code.common.errors import UsageError
from code.common.files import atomic_write
from code.rules.benchmarks import facts_of

NAME = "audit.config"
LOG_SEED = 720381539243781796
SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")


def settings(test: str, benchmark: str, sampling: int | None = None) -> dict[str, int]:
    """The keys of a test's audit.config: 'scenario.key' → value, '*' for all scenarios.

    Args:
        test: 'TEST01', 'TEST04' or 'TEST06'.
        benchmark: the short name.
        sampling: accuracy_log_sampling_target, if it differs from the benchmark's.
    """
    if test == "TEST04":
        issue = {"performance_issue_unique": 0, "performance_issue_same": 1, "performance_issue_same_index": 3}
        return {f"{name}.{key}": value for name in SCENARIOS for key, value in {"mode": 2, **issue}.items()}
    keys = {"mode": 2, "accuracy_log_rng_seed": LOG_SEED}
    keys["accuracy_log_sampling_target"] = sampling or facts_of(benchmark).audits.sampling[test]
    if test == "TEST06":
        keys.update(min_query_count=100, min_duration=0, sample_concatenate_permutation=0)
    return {f"*.{key}": value for key, value in keys.items()}


def text(test: str, content: Mapping[str, int]) -> str:
    """The text of audit.config."""
    lines = [f"# {test}. Format: model.scenario.key = value; mode 2 is performance."]
    return "\n".join([*lines, *(f"*.{key} = {value}" for key, value in content.items())]) + "\n"


@contextlib.contextmanager
def written(folder: Path, test: str, content: Mapping[str, int]) -> Iterator[Path]:
    """Keep an audit.config in `folder` during the block."""
    path = folder / NAME
    with atomic_write(path) as out:
        out.write(text(test, content))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def refuse_leftover(*folders: Path) -> None:
    """UsageError if one of the folders a run starts in or logs to contains an audit.config."""
    for folder in dict.fromkeys(folders):
        path = folder / NAME
        if path.exists():
            raise UsageError(
                f"leftover {path}",
                "LoadGen applies any audit.config it finds, so the run would be an audit, not a result",
                f"remove it: rm {path}",
            )
