"""TensorRT-LLM's flags, which configs of newer rounds hold as dicts, as the fields of the same meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from code.fields.consumer import Consumer
from code.fields.table import field_table
from code.plan.request import Value

DICTS = ("trtllm_build_flags", "trtllm_checkpoint_flags", "trtllm_runtime_flags")
READS = Consumer("TensorRT-LLM flags", DICTS, backends=("tensorrt_llm", "tensorrt_llm_api"))
FIELD_OF = {
    "max_beam_width": "num_beams",
    "max_num_tokens": "max_num_tokens",
    "tensor_parallelism": "tensor_parallelism",
    "tp_size": "tensor_parallelism",
    "pipeline_parallelism": "pipeline_parallelism",
    "pp_size": "pipeline_parallelism",
    "kvcache_free_gpu_mem_frac": "kvcache_free_gpu_mem_frac",
    "batch_scheduler_policy": "trtllm_batch_sched_policy",
}
"""Flag → the field that it sets, unless something sets that field itself."""
INFLIGHT = "use_inflight_batching"
UNSET = "default"


def with_flags(values: Mapping[str, Value], benchmark: str) -> dict[str, Value]:
    """The values with the fields that flags set. A flag's value is checked as that of its field is."""
    read = READS.of(values)
    out = dict(values)
    for name in DICTS:
        item = read[name]
        for flag, given in (item.value or {}).items():
            field = "trtllm_batching_mode" if flag == INFLIGHT else FIELD_OF.get(flag, "")
            option = field_table().get(field)
            if option is None or (option.benchmarks and benchmark not in option.benchmarks) or out[field].origin != UNSET:
                continue
            value = ("IFB" if given else "STATIC") if flag == INFLIGHT else given
            out[field] = Value(option.check(value, item.origin), f"{item.origin}: {name}[{flag!r}]")
    return out


def merged(config: Value, given: Value) -> Value:
    """A dict of flags from the command line or the environment, merged into the config's."""
    if not isinstance(config.value, dict) or not isinstance(given.value, dict):
        return given
    return Value({**config.value, **given.value}, f"{given.origin} for {', '.join(given.value)}; {config.origin}")


def leftover(values: Mapping[str, Value]) -> list[str]:
    """A message for each dict of flags that says which of them have no field here."""
    read = READS.of(values)
    out = []
    for name in DICTS:
        content: Mapping[str, Any] = read[name].value or {}
        strange = [flag for flag in content if flag not in FIELD_OF and flag != INFLIGHT]
        if strange:
            out.append(f"{name}: not used here: {', '.join(strange)}: this harness does not hand flags on to TensorRT-LLM")
    return out
