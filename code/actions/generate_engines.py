"""generate_engines: build the engine of a workload unless the very same one is there."""

from __future__ import annotations

from code.actions import Context
from code.backends import store
from code.backends.base import Backend, backend
from code.benchmarks.benchmark import definition_of
from code.common import console
from code.fields.table import FIELDS
from code.plan.workload import Workload
from code.precision import graph_for

SCOPE = "workload"
HARNESS_HONOURS = frozenset(
    f.name
    for f in FIELDS
    if f.loadgen or (f.group in ("The request", "Logs", "Model and data", "Calibration") and f.name != "cache_file")
) | {
    "batch_padding",
    "pad_to_multiple_of",
    "deque_timeout_usec",
    "devices",
    "performance_sample_count",
    "qsl_rng_seed",
    "round",
    "sample_index_rng_seed",
    "schedule_rng_seed",
    "server_num_issue_query_threads",
    "server_target_qps_adj_factor",
    "use_deque_limit",
    "warmup_duration",
}
"""Fields that the harness acts on whatever the backend."""


def run(workload: Workload, context: Context) -> None:
    """Build, or say that it is there. MissingError without the model, RunError with the runtime's words when it cannot be built."""
    runtime = backend(workload["backend"])
    say_ignored(workload, runtime, context)
    definition = definition_of(workload.benchmark)
    model = graph_for(
        workload, make=True, again=bool(workload["force_calibration"]) and context.once(f"again {workload.full_name}")
    )
    where = store.address(runtime, definition.name, model, workload.plain())
    if where.exists and not context.request["force_build"]:
        line = f"engine {where.folder.name}: already built"
        if context.once(line):
            console.say(line)
        return
    if not context.once(str(where.folder)):
        return
    console.say(f"engine {where.folder.name}: building with {runtime.label} {runtime.version()}")
    seconds = store.build(where, runtime, model, workload.plain())
    console.say(f"engine {where.folder.name}: built in {seconds:.1f} s")


def ignored(workload: Workload, runtime: Backend) -> list[str]:
    """The fields that somebody set and nothing here acts on."""
    acted_on = HARNESS_HONOURS | runtime.honours
    return [
        name
        for name, item in workload.values.items()
        if item.origin != "default" and item.value is not None and name not in acted_on
    ]


def say_ignored(workload: Workload, runtime: Backend, context: Context) -> None:
    """List them, once per invocation."""
    because = runtime.ignored_because
    names = [f"{name} ({because[name]})" if name in because else name for name in ignored(workload, runtime)]
    if names:
        line = f"{workload.label}: set but not used by {runtime.label} here: {', '.join(names)}"
        if context.once(line):
            console.warn(line)
