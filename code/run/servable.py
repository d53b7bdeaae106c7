"""Whether Triton can serve a workload, said before anything is built."""

from __future__ import annotations

from code.backends.base import Backend
from code.backends.triton import repository
from code.benchmarks.benchmark import definition_of
from code.common.errors import MissingError
from code.plan.workload import Workload

TEXT = "text"


def require_servable(workload: Workload, runtime: Backend) -> None:
    """Raises MissingError for text generation, which Triton's LLM backends would serve, and UsageError for a backend without a way."""
    if definition_of(workload.benchmark).facts.family == TEXT:
        raise MissingError(
            f"{workload.label} cannot run behind Triton yet",
            "text generators would be served by Triton's LLM backends, which this harness does not drive",
            "leave triton out of --config_ver",
        )
    repository.runtime_of(runtime.name)
