"""What both ways of TensorRT-LLM share: groups of GPUs, one runtime for each, and the words of its fields."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code.backends.base import EngineSpec
from code.backends.generators.base import TextGenerator
from code.backends.generators.streams import GeneratorStreams
from code.common.errors import UsageError, unknown
from code.fields.consumer import Consumer

PRECISION = Consumer(
    "TensorRT-LLM", ("precision", "use_fp8", "use_int4awq"), engine=True, backends=("tensorrt_llm", "tensorrt_llm_api")
)
POLICIES = {
    "max_util": "MAX_UTILIZATION",
    "max_utilization": "MAX_UTILIZATION",
    "guaranteed_no_evict": "GUARANTEED_NO_EVICT",
    "no_evict": "GUARANTEED_NO_EVICT",
    "static_batch": "STATIC_BATCH",
}
NO_EVICTION = "GUARANTEED_NO_EVICT"
KV_FRACTION = 0.9


def precision_of(values: Mapping[str, Any]) -> str:
    """The precision, or that of the fields which older configs set for it."""
    read = PRECISION.of(values)
    if read.get("use_int4awq"):
        return "int4"
    return "fp8" if read.get("use_fp8") else str(read["precision"])


def choice(name: str, given: Any, known: Mapping[str, str]) -> str:
    """TensorRT-LLM's word for a field's value; '' where it is not set. UsageError for an unknown one."""
    if not given:
        return ""
    folded = {word.lower(): meaning for word, meaning in known.items()}
    if str(given).lower() not in folded:
        raise unknown(name, str(given), known)
    return folded[str(given).lower()]


def grouped(name: str, folder: Path, specs: Sequence[EngineSpec], ranks: int) -> TextGenerator:
    """A process for each group of `ranks` devices, which sees those alone. UsageError where they are no whole number of groups."""
    if len(specs) % ranks:
        raise _wrong_count(folder, ranks, len(specs))
    require_one_stream(name, specs)
    groups = [tuple(spec.device for spec in specs[first : first + ranks]) for first in range(0, len(specs), ranks)]
    return GeneratorStreams(name, folder, specs[::ranks], groups)


def require_visible(folder: Path, ranks: int) -> None:
    """UsageError where CUDA_VISIBLE_DEVICES lists fewer than `ranks` devices."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen is not None and len(seen.split(",")) < ranks:
        raise _wrong_count(folder, ranks, len(seen.split(",")))


def require_one_stream(name: str, specs: Sequence[EngineSpec]) -> None:
    """UsageError for several streams on a device."""
    most = max(spec.streams for spec in specs)
    if most > 1:
        raise UsageError(
            f"{name} cannot use {most} streams on a device",
            "it has one executor for each device, which takes its own batches of the requests in flight",
            "set gpu_inference_streams = 1, and the requests in flight with gpu_batch_size",
        )


def _wrong_count(folder: Path, ranks: int, devices: int) -> UsageError:
    return UsageError(
        f"cannot run the engine {folder.name} on {devices} GPU{'s' if devices > 1 else ''}",
        f"an executor of it takes {ranks} (tensor_parallelism times pipeline_parallelism)",
        f"choose a multiple of {ranks} with --devices=…, or build an engine for one GPU",
    )
