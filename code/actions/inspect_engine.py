"""inspect_engine: what is inside a workload's engine: inputs, outputs, and the layers that the runtime computes."""

from __future__ import annotations

from collections import Counter

from code.actions import Context, EachWorkload
from code.common import console, paths
from code.precision import inspection
from code.run.job import Job


def run(job: Job, context: Context) -> None:
    """Print the engine of each kind of device; every layer with --layers.

    Raises MissingError for an engine that is not built, or without Polygraphy where the engine is an ONNX file or a TensorRT plan.
    """
    for where in job.engines.addresses:
        found = inspection.inspect(job.backend, where.require())
        console.say(f"{job.label}: {paths.shown(where.folder)}")
        for line in found.notes:
            console.say(f"  {line}")
        counted = Counter((one.kind, one.precision) for one in found.layers)
        console.table(
            f"{len(found.layers)} layers",
            ("Layer type", "Precision", "Number"),
            [(kind, precision, str(number)) for (kind, precision), number in counted.most_common()],
        )
        if context.request["layers"]:
            rows = [(one.name, one.kind, one.precision, one.detail) for one in found.layers]
            console.table("Layers in order", ("Layer", "Type", "Precision", "Computed as"), rows)
        else:
            console.say("add --layers to list them")


ACTION = EachWorkload(run)
