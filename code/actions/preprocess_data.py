"""preprocess_data: convert downloaded data into the arrays that the harness memory-maps."""

from __future__ import annotations

from code.actions import Context, EachBenchmark
from code.actions.download_data import variants
from code.benchmarks.announce import announce_arrays
from code.benchmarks.benchmark import BenchmarkDefinition
from code.fields.table import FIELDS


def run(definition: BenchmarkDefinition, context: Context) -> None:
    """Preprocess a benchmark's data; arrays that are up to date are left alone."""
    defaults = {f.name: f.default for f in FIELDS}
    given = {name: item.value for name, item in context.request.overrides().items()}
    for variant in variants(context):
        if variant == "reference":
            announce_arrays(definition.name, definition.facts.space[variant])
        definition.prepare({**defaults, **given, "model_variant": variant})


ACTION = EachBenchmark(run)
