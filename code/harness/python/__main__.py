"""`python -m code.harness.python [--probe|--background|--serve] run.json`: the harness process. It runs one LoadGen test or one probe and
exits, or loads its devices, or serves a head over several nodes, until it is ended.

LoadGen runs on its own thread, and a watch (code/harness/python/watch.py) handles signals and stuck engines. LoadGen cannot stop a test,
so an interrupted or failed run ends the process; the caller's INCOMPLETE marker tells that the logs are partial.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from code.common.errors import HarnessError, RunError, UsageError
from code.common.files import write_json
from code.common.parent import end_with_launcher
from code.harness.python import background, recordings
from code.harness.python.devices import USAGE_FILE
from code.harness.python.progress import ProgressPipe
from code.harness.python.sample_memory import require_fits
from code.harness.python.watch import Watch
from code.harness.schema import run_spec as contract
from code.harness.schema.datasets import PromptData
from code.harness.schema.run_spec import RunSpec

RUNS: dict[type, str] = {PromptData: "code.harness.python.generation_run"}
"""Data set class → the module that runs it; every other kind runs in batches."""

FLAGS = ("--probe", "--background", "--serve")


def main(arguments: list[str]) -> int:
    """Run the harness. Returns the exit status: 0 success, 2 usage, 3 missing prerequisite, 4 failed, 130 interrupted."""
    pipe = ProgressPipe()
    watch = Watch(pipe)
    watch.catch_signals()
    end_with_launcher()
    try:
        probing, beside, serving = (word in arguments for word in FLAGS)
        files = [a for a in arguments if a not in FLAGS]
        if len(files) != 1:
            raise UsageError(
                "the harness takes exactly one run.json", f"it was given {len(files)}", "run it through `make run_harness`"
            )
        spec = contract.read(Path(files[0]))
        watch.limit(spec.watchdog_s, None if probing or serving else Path(spec.output_dir))
        watch.enter("load")
        loaded = load(spec)
        if probing:
            watch.enter("probe", loaded)
            pipe.send(probe=loaded.probe())
            loaded.close()
            return 0
        if serving:
            importlib.import_module("code.harness.python.serving_node").run(spec, loaded, pipe, watch)
        if beside:
            import mlperf_loadgen as lg

            background.run(_settings(lg, spec), spec, loaded, watch, pipe.end_process)
        _run(spec, loaded, pipe, watch)
        return 0
    except HarnessError as error:
        pipe.error(error)
        print(error, file=sys.stderr, flush=True)
        return error.exit_status


def load(spec: RunSpec) -> Any:
    """Load the data set and the engines. The run object has dataset, probe, close, warm_up, start, log and usage, and is Watched."""
    return importlib.import_module(RUNS.get(type(spec.dataset), "code.harness.python.batched_run")).load(spec)


def _run(spec: RunSpec, loaded: Any, pipe: ProgressPipe, watch: Watch) -> None:
    import mlperf_loadgen as lg

    output = Path(spec.output_dir)
    if not os.access(output, os.W_OK | os.X_OK):
        raise RunError(f"cannot write to {output}", "LoadGen's logs go there", "choose another folder with LOG_DIR")
    settings = _settings(lg, spec)
    require_fits(spec, settings)
    if spec.warmup_s > 0:
        watch.enter("warmup", loaded)
        loaded.warm_up(spec.warmup_s)
    fail = pipe.end_process
    sut = loaded.start(lg, fail)
    dataset = loaded.dataset
    handle = lg.ConstructFastSUT(sut.issue, sut.flush)
    resident = int(settings.performance_sample_count_override) or dataset.count
    qsl = lg.ConstructQSL(dataset.count, min(resident, dataset.count), dataset.load, lambda _: None)
    ended = threading.Event()

    def test() -> None:
        try:
            lg.StartTestWithLogSettings(handle, qsl, settings, _log_settings(lg, spec), spec.audit_conf)
        except Exception as error:
            fail(RunError("LoadGen stopped", str(error), "see mlperf_log_detail.txt in the log folder"))
        ended.set()

    watch.enter("run", loaded, lambda: sut.counts)
    start = time.monotonic()
    thread = threading.Thread(target=test, name="loadgen", daemon=True)
    thread.start()
    ended.wait()
    thread.join()
    elapsed_s = time.monotonic() - start
    sut.close()
    write_json(output / USAGE_FILE, loaded.usage(sut, elapsed_s))
    recordings.write(output, start, loaded.log(sut), loaded.requests(sut), loaded.texts(sut), loaded.log_columns)
    lg.DestroyQSL(qsl)
    lg.DestroyFastSUT(handle)
    watch.enter("end")


def _settings(lg: Any, spec: RunSpec) -> Any:
    settings = lg.TestSettings()
    settings.scenario = getattr(lg.TestScenario, spec.scenario)
    settings.mode = getattr(lg.TestMode, spec.test_mode)
    if settings.FromConfig(spec.user_conf, spec.benchmark, spec.scenario, 1) != 0:
        raise RunError(f"LoadGen cannot read {spec.user_conf}", "", "run `make run_harness` again, which rewrites it")
    for name, seed in spec.seeds.items():
        setattr(settings, name, seed)
    if spec.server.issue_threads:
        raise UsageError(
            "the Python harness does not support issue threads",
            f"server_num_issue_query_threads is {spec.server.issue_threads}",
            "remove the field, or run with --harness_lang=cpp",
        )
    return settings


def _log_settings(lg: Any, spec: RunSpec) -> Any:
    log = lg.LogSettings()
    log.log_output.outdir = spec.output_dir
    log.log_output.copy_summary_to_stdout = spec.log.copy_summary_to_stdout
    log.log_output.copy_detail_to_stdout = spec.log.copy_detail_to_stdout
    log.enable_trace = spec.log.enable_trace
    log.log_mode = getattr(lg.LoggingMode, spec.log.mode)
    log.log_mode_async_poll_interval_ms = spec.log.async_poll_interval_ms
    return log


if __name__ == "__main__":
    # LoadGen's own threads may still be shutting down; all results are already on disk.
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
