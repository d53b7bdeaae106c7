"""Engines that hang in any phase, harnesses that report nothing, and tests that memory cannot hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code.common.errors import HarnessError, RunError
from code.harness.python.progress import ProgressPipe
from code.harness.python.watch import PATIENCE, Watch
from code.harness.python.watch import _logged_bytes as logged_bytes
from code.run import launch

ROOT = Path(__file__).resolve().parents[2]


# ── stuck engines ────────────────────────────────────────────────────────────────────────────


class Engine:
    """What a watch observes."""

    patience = 1.0

    def __init__(self, pending: bool = True, busy: float = 0.0, works: bool = False) -> None:
        self._pending, self._busy, self._works, self._count = pending, busy, works, 0

    def answers(self) -> int:
        self._count += self._works
        return self._count

    def pending(self) -> bool:
        return self._pending

    def longest_busy_s(self, _now: float) -> float:
        return self._busy

    def describe(self, _now: float) -> str:
        return "node 0: lane 0 in the engine"


@pytest.fixture
def watched() -> Iterator[Callable[..., list[HarnessError]]]:
    """Watches a phase for a while; returns the errors that ended it."""
    made: list[Watch] = []

    def look(phase: str, engine: Any, after_s: float, folder: Path | None = None) -> list[HarnessError]:
        watch = Watch(ProgressPipe(), end=lambda error: None)
        made.append(watch)
        watch.limit(10.0, folder)
        watch.enter(phase, engine)
        error = watch._look(time.monotonic() + after_s)
        return [error] if error is not None else []

    yield look
    for watch in made:
        watch.close()


@pytest.mark.parametrize("phase", ["probe", "warmup", "run"])
def test_an_engine_that_does_not_answer_is_stuck_in_every_phase(phase: str, watched: Callable[..., list[HarnessError]]) -> None:
    (error,) = watched(phase, Engine(), 11.0)
    assert isinstance(error, RunError) and f"no answer after 11 s in phase {phase}" in error.what and "lane 0" in error.why
    assert watched(phase, Engine(), 9.0) == []
    assert watched(phase, Engine(pending=False), 1000.0) == [], "nothing is due"
    assert watched(phase, Engine(works=True), 1000.0) == []
    (error,) = watched(phase, Engine(works=True, busy=11.0), 0.1)
    assert "no answer after 11 s" in error.what, "one lane of many"


def test_an_engine_that_does_not_load_is_stuck(watched: Callable[..., list[HarnessError]]) -> None:
    (error,) = watched("load", None, PATIENCE * 10.0 + 1)
    assert "not loaded after 101 s in phase load" in error.what
    assert watched("load", None, PATIENCE * 10.0 - 1) == []


def test_a_log_folder_that_is_removed_ends_the_run(watched: Callable[..., list[HarnessError]], tmp_path: Path) -> None:
    (error,) = watched("run", Engine(pending=False), 0.0, tmp_path / "none")
    assert "log folder was removed" in error.what


def test_a_log_that_goes_while_it_is_looked_at_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "mlperf_log_detail.txt").write_text("12345")
    assert logged_bytes(tmp_path) == 5 and logged_bytes(None) == 0
    (tmp_path / "mlperf_log_summary.txt").symlink_to(tmp_path / "gone")
    assert logged_bytes(tmp_path) == 0


@pytest.fixture
def answered(tmp_path: Path) -> tuple[Watch, SimpleNamespace]:
    """A watch of a test whose five samples were answered, with ten seconds of patience, and its counts. It looks when it is asked only."""
    counts = SimpleNamespace(issued=5, completed=5, share=0.0)
    watch = Watch(ProgressPipe(), end=lambda error: None)
    watch.close()
    watch.limit(10.0, tmp_path)
    watch.enter("run", Engine(pending=False), lambda: counts)
    return watch, counts


LONG_S = PATIENCE * 10.0


def test_a_test_that_loadgen_does_not_end_is_ended(answered: tuple[Watch, SimpleNamespace]) -> None:
    watch, _ = answered
    now = time.monotonic() + 1
    assert watch._look(now) is None and watch._look(now + LONG_S - 1) is None
    error = watch._look(now + LONG_S + 2)
    assert error is not None and error.what == "LoadGen does not end the test" and error.exit_status == 4
    assert "all 5 samples were answered" in error.why and "logged nothing" in error.why


@pytest.mark.parametrize(
    "sign", ["a longer log", "another query", "another answer", "an answer that is due", "nothing asked", "warmup"]
)
def test_loadgen_is_left_alone_while_anything_happens(answered: tuple[Watch, SimpleNamespace], tmp_path: Path, sign: str) -> None:
    watch, counts = answered
    now = time.monotonic() + 1
    if sign == "nothing asked":
        counts.issued = counts.completed = 0
    if sign == "warmup":
        watch.enter("warmup", Engine(pending=False))
    assert watch._look(now) is None
    if sign == "a longer log":
        (tmp_path / "mlperf_log_accuracy.json").write_text("[")
    counts.issued += sign in ("another query", "an answer that is due")
    counts.completed += sign in ("another query", "another answer")
    assert watch._look(now + LONG_S + 1) is None
    ended = watch._look(now + 2 * LONG_S + 3) is not None
    assert ended is (sign in ("a longer log", "another query", "another answer")), "once is not for ever"


def test_a_watch_ends_the_process_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[HarnessError] = []
    called = threading.Event()
    watch = Watch(ProgressPipe(), end=lambda error: (ended.append(error), called.set())[0])
    watch.limit(0.01)
    watch.enter("run", Engine())
    assert called.wait(10)
    watch.close()
    assert len(ended) == 1 and "stuck" in ended[0].what


def test_a_harness_that_reports_nothing_is_ended() -> None:
    reading, writing = os.pipe()
    os.write(writing, b'{"phase": "load"}\n{"phase"')
    found = launch._lines(reading, 0.2)
    assert next(found) == b'{"phase": "load"}'
    with pytest.raises(RunError, match="reported nothing for 0 s"):
        next(found)
    os.close(writing)
    assert list(launch._lines(reading, 0.2)) == []
    os.close(reading)


# ── memory ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("scenario", "settings", "samples"),
    [
        ("Offline", {"offline_expected_qps": 1e9}, 1.1 * 600 * 1e9),
        ("Server", {"server_target_qps": 1e9}, 600 * 1e9),
        ("SingleStream", {"single_stream_expected_latency_ns": 2}, 600 * 1e9),
        ("MultiStream", {"multi_stream_expected_latency_ns": 200, "multi_stream_samples_per_query": 100}, 600 * 1e9),
        ("Server", {"server_target_qps": 1, "min_query_count": 10**12}, 1e12),
    ],
)
def test_more_samples_than_memory_is_an_error_before_the_test(scenario: str, settings: dict[str, Any], samples: float) -> None:
    from code.common.errors import UsageError
    from code.harness.python.sample_memory import expected_samples, require_fits

    given: Any = SimpleNamespace(**{"min_duration_ms": 600_000, "min_query_count": 100, **settings})
    spec: Any = SimpleNamespace(scenario=scenario, test_mode="PerformanceOnly")
    assert expected_samples(spec, given) == pytest.approx(samples)
    with pytest.raises(UsageError, match="does not fit in memory") as caught:
        require_fits(spec, given)
    assert "GB are free" in caught.value.why
    usual = {"min_duration_ms": 0, "min_query_count": 1, "multi_stream_samples_per_query": 8}
    require_fits(spec, SimpleNamespace(**{**dict.fromkeys(settings, 10**9), **usual}))


@pytest.mark.parametrize("phase", ["load", "probe", "warmup", "run"])
def test_the_python_harness_ends_where_its_engine_hangs(phase: str, tmp_path: Path) -> None:
    """In a process of its own, with the whole harness and LoadGen around the engine."""
    np = pytest.importorskip("numpy")
    pytest.importorskip("mlperf_loadgen", reason="mlcommons-loadgen is not installed: make venv")
    from tests import run_documents as documents

    np.save(tmp_path / "input_ids.npy", np.ones((4, 8), dtype=np.int32))
    np.save(tmp_path / "lengths.npy", np.full(4, 8, dtype=np.int32))
    (tmp_path / "user.conf").write_text("bert.Offline.target_qps = 1\nbert.Offline.min_duration = 0\n")
    dataset = {**documents.SEQUENCE, "folder": str(tmp_path), "count": 4, "outputs": ["start", "end"], "lengths": "lengths.npy"}
    run = documents.document({**dataset, "arrays": {"input_ids": "input_ids.npy"}}, documents.engine("onnxruntime", {}))
    run.update(output_dir=str(tmp_path), user_conf=str(tmp_path / "user.conf"), seeds={}, warmup_s=0.0)
    run["watchdog_s"] = 0.05 if phase == "load" else 0.5
    run["warmup_s"] = 0.01 if phase in ("warmup", "run") else 0.0
    run["devices"][0].update(streams=1, cores=[])
    (tmp_path / "run.json").write_text(json.dumps(run))
    words = [phase, *(["--probe"] if phase == "probe" else []), str(tmp_path / "run.json")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.stuck_harness", *words], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 4, done.stderr
    missing = "not loaded" if phase == "load" else "no answer"
    assert f"the engine is stuck: the engine is {missing}" in done.stderr or f"the engine is stuck: {missing}" in done.stderr
    assert f"in phase {phase}" in done.stderr
