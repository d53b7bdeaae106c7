"""download_model: download the models of the requested benchmarks, or check them for the tiny variant."""

from __future__ import annotations

from code.actions import Context, EachBenchmark
from code.actions.download_data import variants
from code.benchmarks.announce import announce
from code.benchmarks.benchmark import BenchmarkDefinition


def run(definition: BenchmarkDefinition, context: Context) -> None:
    """Get the model; for the tiny variant, check it."""
    for variant in variants(context):
        announce(definition.name, [file for file in definition.downloads(variant) if file.kind == "model"])
        definition.download_model(variant)


ACTION = EachBenchmark(run)
