"""The server that a test's engines are behind, if any: this harness's own, or Triton."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from code.run import llm_serving, serving
from code.run.language import has_own_server
from code.run.triton_requests import Asked

if TYPE_CHECKING:
    from code.harness.schema.run_spec import RunSpec
    from code.run.launch import Take
    from code.run.resolved import Resolved


def behind(job: Resolved, spec: RunSpec, watch: Take | None = None) -> AbstractContextManager[Asked]:
    """The run.json that asks the server, which is started for the block where it has to be; `spec` itself where there is none.

    Args:
        watch: gets each report of the harness process.
    """
    start = llm_serving.behind_own_server if has_own_server(job.values) else serving.serving
    return start(job, spec, watch)
