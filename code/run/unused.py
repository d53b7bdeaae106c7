"""Fields that somebody set and nothing acts on."""

from __future__ import annotations

from code.backends.base import Backend
from code.fields.table import FIELDS
from code.plan.workload import Workload

HARNESS_HONOURS = frozenset(
    f.name
    for f in FIELDS
    if f.loadgen or (f.group in ("The request", "Logs", "Model and data", "Calibration") and f.name != "cache_file")
) | {
    "batch_padding",
    "pad_to_multiple_of",
    "deque_timeout_usec",
    "devices",
    "numa_config",
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


def unused(workload: Workload, runtime: Backend) -> list[str]:
    """The fields that somebody set and nothing here acts on, each with its reason where there is one."""
    acted_on = HARNESS_HONOURS | runtime.honours
    names = [
        name
        for name, item in workload.values.items()
        if item.origin != "default" and item.value is not None and name not in acted_on
    ]
    because = runtime.ignored_because
    return [f"{name} ({because[name]})" if name in because else name for name in names]
