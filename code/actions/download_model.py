"""download_model: fetch, or for the tiny variant check, the models of the benchmarks asked for."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.actions.download_data import variants
from code.benchmarks.benchmark import definition_of


def run(context: Context) -> int:
    """All of them; the first that cannot be had is the error."""
    for benchmark in context.request.benchmarks():
        for variant in variants(context):
            definition_of(benchmark).download_model(variant)
    return 0


ACTION = OncePerRequest(run)
