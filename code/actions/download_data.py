"""download_data: download the data sets of the requested benchmarks, or generate them for the tiny variant."""

from __future__ import annotations

from pathlib import Path

from code.actions import Context, EachBenchmark
from code.benchmarks.announce import announce
from code.benchmarks.benchmark import BenchmarkDefinition


def run(definition: BenchmarkDefinition, context: Context) -> None:
    """Get the data set, or make it of the file that the request names."""
    source = context.request[definition.facts.import_field] if definition.facts.import_field else None
    if source:
        definition.import_data(Path(source))
        return
    for variant in variants(context):
        announce(definition.name, [file for file in definition.downloads(variant) if file.kind == "data"])
        definition.download_data(variant)


def variants(context: Context) -> list[str]:
    """The variants requested with --model_variant, else the one this machine's configs use."""
    given = context.request["model_variant"] if "model_variant" in context.request.given else None
    if given:
        return [given]
    from code.plan.selection import resolve_system

    return ["tiny" if resolve_system(context.request).name.startswith("CPU_") else "reference"]


ACTION = EachBenchmark(run)
