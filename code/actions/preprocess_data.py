"""preprocess_data: convert downloaded data into the arrays that the harness memory-maps."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.actions.download_data import variants
from code.benchmarks.benchmark import definition_of
from code.fields.table import FIELDS


def run(context: Context) -> int:
    """Preprocess the requested benchmarks; arrays that are up to date are left alone."""
    defaults = {f.name: f.default for f in FIELDS}
    given = {name: item.value for name, item in context.request.overrides().items()}
    for benchmark in context.request.benchmarks():
        for variant in variants(context):
            definition_of(benchmark).prepare({**defaults, **given, "model_variant": variant})
    return 0


ACTION = OncePerRequest(run)
