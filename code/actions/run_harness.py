"""run_harness: one LoadGen test of a workload in each mode asked for, judged, and stored with its metadata.json."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from code.actions import Context, explain
from code.actions.generate_engines import say_ignored
from code.backends import store
from code.backends.base import Backend, backend
from code.benchmarks.benchmark import BenchmarkDefinition, definition_of
from code.common import console, paths
from code.common.errors import UsageError
from code.common.files import atomic_write, storage_error, write_json
from code.harness.schema.run_spec import RunSpec
from code.plan.request import Value
from code.plan.workload import Workload
from code.precision import graph_for
from code.results import loadgen_log, metadata, provenance, report, settings_check
from code.results.verdict import judge
from code.run import audit_config, language, launch
from code.run.settings import conf_text, seeds, user_conf
from configs.configuration import Probed

SCOPE = "workload"
INCOMPLETE = "INCOMPLETE"
WARMUP_S = 0.7
RULES_MIN_DURATION_MS = 600_000


def run(workload: Workload, context: Context) -> list[report.ReportRow]:
    """Each mode's run; a mode that fails is a row of its own and the error of the workload if nothing else ran."""
    audit_config.refuse_leftover(paths.project_root(), Path.cwd(), log_root(workload))
    runtime = backend(workload["backend"])
    say_ignored(workload, runtime, context)
    definition = definition_of(workload.benchmark)
    definition.prepare(workload.plain())
    engine = store.address(runtime, definition.name, graph_for(workload), workload.plain()).require()
    workload = with_harness(workload, runtime, definition, context)
    workload = with_probed_values(workload, runtime, definition, engine)
    asked = workload["test_mode"]
    modes = ["PerformanceOnly", "AccuracyOnly"] if asked == "SubmissionRun" else [asked]
    return [_one_mode(workload, mode, runtime, definition, engine) for mode in modes]


def _one_mode(workload: Workload, mode: str, runtime: Backend, definition: BenchmarkDefinition, engine: Path) -> report.ReportRow:
    values = workload.plain()
    dataset = definition.dataset(values)
    conf = user_conf(str(workload.scenario), values, int(dataset["count"]), int(dataset["usual_count"]), definition.whole_passes)
    folder = new_log_folder(log_root(workload), workload)
    console.say(f"{workload.label} {mode}: logs in {paths.shown(folder)}")
    with atomic_write(folder / "user.conf") as out:
        out.write(conf_text(definition.name, str(workload.scenario), conf))
    write_json(folder / provenance.FILE_NAME, provenance.collect(explain.as_json(workload), mode, engine))
    spec = run_spec(workload, mode, runtime, engine, dataset, folder, conf)
    launch.run(spec, f"{workload.label} {mode}", values["harness_lang"])
    log = loadgen_log.read_detail(folder / "mlperf_log_detail.txt")
    settings_check.require_settings(conf, log, scenario=str(workload.scenario), mode=mode)
    verdict = judge(log)
    identity = run_identity(workload, mode, runtime, int(dataset["count"]))
    if mode == "AccuracyOnly":
        scores = definition.check_accuracy(folder, values, workload.setting.accuracy_target)
        content = metadata.accuracy_metadata(identity, log, scores, verdict)
        row = report.accuracy_row(identity, scores, verdict)
    else:
        content = metadata.performance_metadata(identity, log, verdict)
        row = report.performance_row(identity, log, verdict)
    if not values["log_enable_trace"]:
        (folder / "mlperf_log_trace.json").unlink(missing_ok=True)  # LoadGen leaves an empty one
    metadata.write_metadata(folder, content)
    (folder / INCOMPLETE).unlink()
    console.say(f"{workload.label} {mode}: {content['summary_string']}")
    return row


def run_spec(
    workload: Workload, mode: str, runtime: Backend, engine: Path, dataset: dict[str, Any], folder: Path, conf: Mapping[str, Any]
) -> RunSpec:
    """run.json's content for one LoadGen test."""
    values = workload.plain()
    multiple = int(values["pad_to_multiple_of"] or 1)
    if multiple < 1:
        raise UsageError(
            f"pad_to_multiple_of cannot be {multiple}",
            "lengths are rounded up to a multiple of one token or more",
            "for example --pad_to_multiple_of=16, or 1 for no rounding",
            workload.values["pad_to_multiple_of"].origin,
        )
    if multiple > 1:
        dataset = {**dataset, "pad_to_multiple_of": multiple}
    streams, threads, batch = lanes(workload, runtime)
    recorded = {name: value for name, value in values.items() if value is not None and not isinstance(value, Probed)}
    recorded["effective_min_duration_ms"] = conf.get("min_duration", RULES_MIN_DURATION_MS)
    return RunSpec(
        benchmark=definition_of(workload.benchmark).name,
        scenario=str(workload.scenario),
        test_mode=mode,
        output_dir=str(folder),
        user_conf=str(folder / "user.conf"),
        audit_conf="",
        engine={
            "backend": runtime.name,
            "folder": str(engine),
            "precision": values["precision"],
            "streams": streams,
            "threads": threads,
            "devices": [],
        },
        # Where windows fill the engine's batches, a sample is a batch of its own.
        batch={
            "max_samples": 1 if "windows_per_batch" in dataset else batch,
            "timeout_us": float(values["deque_timeout_usec"] or 0),
            "padding": float(values["batch_padding"]),
        },
        dataset=dataset,
        seeds=seeds(values, definition_of(workload.benchmark).name),
        log={
            "enable_trace": bool(values["log_enable_trace"]),
            "copy_summary_to_stdout": not values["disable_log_copy_summary_to_stdout"],
        },
        issue_threads=int(values["server_num_issue_query_threads"] or 0),
        warmup_s=float(WARMUP_S if values["warmup_duration"] is None else values["warmup_duration"]),
        fields=recorded,
    )


def lanes(workload: Workload, runtime: Backend) -> tuple[int, int, int]:
    """(streams, threads in all, most samples in a batch) for the runtime's kind of device."""
    kind = "cpu" if runtime.device == "CPU" else "gpu"
    cores = max(1, workload.detected.usable_cores)
    streams = int(workload[f"{kind}_inference_streams"] or 1)
    threads = int(workload["cpu_threads_per_stream"] or 0) * streams or cores
    size = workload[f"{kind}_batch_size"]
    if isinstance(size, dict):
        name = str(workload.benchmark)
        if name not in size:
            raise UsageError(
                f"{kind}_batch_size has no entry for {name}",
                f"it is {size!r}",
                f"write {kind}_batch_size = {{'{name}': 16}}",
                workload.values[f"{kind}_batch_size"].origin,
            )
        size = size[name]
    return streams, threads, int(size or 1)


def run_identity(workload: Workload, mode: str, runtime: Backend, samples: int) -> metadata.RunIdentity:
    """Which run this is, for its metadata.json."""
    system = f"{workload.system_id}_{runtime.label}" + ("" if workload.variant == "reference" else f"_{workload.variant}")
    extras: dict[str, Any] = {"precision": workload["precision"], "system_id": workload.system_id}
    if workload.open_only:
        extras["division_note"] = f"open division only: {workload.open_reason}"
    return metadata.RunIdentity(
        benchmark_full=workload.full_name,
        benchmark_short=str(workload.benchmark),
        config_name=f"{system}-{workload.setting.shortname()}-{workload.scenario}",
        system_name=system,
        detected_system=repr(workload.detected.config),
        scenario=str(workload.scenario),
        test_mode=mode,
        runtime_key=runtime.runtime_key,
        runtime_version=runtime.version(),
        model_variant=workload.variant,
        dataset_samples=samples,
        extras=extras,
    )


def log_root(workload: Workload) -> Path:
    """The folder of this invocation's results: --log_dir, else $LOG_DIR, else build/logs/<timestamp>."""
    given = workload["log_dir"] or os.environ.get("LOG_DIR", "")
    return Path(given).absolute() if given else paths.build_dir() / "logs" / _started()


@cache
def _started() -> str:
    return time.strftime("%Y.%m.%d-%H.%M.%S")


def new_log_folder(root: Path, workload: Workload) -> Path:
    """A new folder <root>/<system_id>/<benchmark_full>/<scenario>, with '.2', '.3', … behind it where that one is taken.

    It holds an INCOMPLETE marker until its result is whole.
    """
    parent = root / workload.system_id / workload.full_name
    number = 1
    while True:
        folder = parent / (str(workload.scenario) + (f".{number}" if number > 1 else ""))
        try:
            parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
            (folder / INCOMPLETE).write_text(
                "This run has not ended, or ended badly. Its logs are no result.\n", encoding="utf-8"
            )
            return folder
        except FileExistsError:
            if not parent.is_dir():
                raise UsageError(f"{root} is no folder", "results go there", "choose another place with LOG_DIR") from None
            number += 1
        except OSError as error:
            raise storage_error(error, folder) from error


def with_harness(workload: Workload, runtime: Backend, definition: BenchmarkDefinition, context: Context) -> Workload:
    """The workload with its harness decided, which is said once."""
    choice = language.choose(workload["harness_lang"], runtime.name, str(definition.dataset(workload.plain())["kind"]))
    if choice.language == language.PYTHON:
        for name, instead in sorted(runtime.cpp_only.items()):
            line = (
                f"{workload.label}: {name} is set, but the Python harness does not act on it: {instead}; --harness_lang=cpp does"
            )
            if workload[name] and context.once(line):
                console.warn(line)
    if workload["harness_lang"] == choice.language:
        return workload
    line = f"harness: {choice.language} ({choice.why})"
    if context.once(line):
        console.say(line)
    return workload.with_values({"harness_lang": Value(choice.language, f"auto: {choice.why}")})


def with_probed_values(workload: Workload, runtime: Backend, definition: BenchmarkDefinition, engine: Path) -> Workload:
    """The workload with its `Probed` values replaced by what a short measurement gives; it is made once per engine and lanes."""
    probed = {name: item for name, item in workload.values.items() if isinstance(item.value, Probed)}
    if not probed:
        return workload
    if workload["test_mode"] == "AccuracyOnly" and str(workload.scenario) != "Server":
        # LoadGen paces an accuracy run by its expected rate in Server only.
        return workload.with_values(
            {name: Value(None, f"{v.origin}: not needed in an accuracy run") for name, v in probed.items()}
        )
    streams, threads, batch = lanes(workload, runtime)
    values = workload.plain()
    shape = f"s{streams}-t{threads}-b{batch}-m{values['pad_to_multiple_of'] or 1}"
    memory = paths.engine_dir() / ".probes" / f"{engine.name}-{values['harness_lang']}-{shape}.json"
    measured = _remembered(memory)
    if measured is None:
        console.say(f"{workload.label}: measuring this machine for values that its config leaves open")
        with tempfile.TemporaryDirectory() as scratch:
            spec = run_spec(workload, "PerformanceOnly", runtime, engine, definition.dataset(values), Path(scratch), {})
            measured = launch.probe(spec, f"{workload.label} probe", values["harness_lang"], Path(scratch))
        measured["when"] = time.time()
        write_json(memory, measured)
    day = time.strftime("%Y-%m-%d", time.localtime(measured["when"]))
    changed = {}
    for name, item in probed.items():
        result = measured[item.value.what] * item.value.factor
        origin = f"{item.origin}: {item.value.factor:g} × {measured[item.value.what]:,.6g} {item.value.what}, measured {day}"
        changed[name] = Value(int(result) if name.endswith("_ns") else float(f"{result:.4g}"), origin)
    return workload.with_values(changed)


def _remembered(memory: Path) -> dict[str, float] | None:
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
        return {str(k): float(v) for k, v in content.items()}
    except (OSError, ValueError, AttributeError):
        return None
