"""download_model: download the models of the requested benchmarks, or check them for the tiny variant."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.actions.download_data import variants
from code.benchmarks.benchmark import definition_of


def run(context: Context) -> int:
    """Get every model; raises the first one's error."""
    for benchmark in context.request.benchmarks():
        for variant in variants(context):
            definition_of(benchmark).download_model(variant)
    return 0


ACTION = OncePerRequest(run)
