"""download_data: download the data sets of the requested benchmarks, or generate them for the tiny variant."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, OncePerRequest
from code.benchmarks.benchmark import definition_of


def run(context: Context) -> int:
    """Get every data set; raises the first one's error."""
    for benchmark in context.request.benchmarks():
        definition = definition_of(benchmark)
        source = context.request[definition.facts.import_field] if definition.facts.import_field else None
        if source:
            definition.import_data(Path(source))
            continue
        for variant in variants(context):
            definition.download_data(variant)
    return 0


def variants(context: Context) -> list[str]:
    """The variants requested with --model_variant, else the one this machine's configs use."""
    given = context.request["model_variant"] if "model_variant" in context.request.given else None
    if given:
        return [given]
    from code.plan.workload import resolve_system

    name, *_ = resolve_system(context.request)
    return ["tiny" if name.startswith("CPU_") else "reference"]


ACTION = OncePerRequest(run)
