"""list_models: list the service-time models that simulations have made, and where each comes from."""

from __future__ import annotations

from dataclasses import asdict

from code.actions import Context, OncePerRequest
from code.common import console
from code.run import service_model


def run(context: Context) -> int:
    """Print a table, or JSON with --json."""
    models = service_model.kept(console.warn)
    if context.request["json"]:
        console.emit([asdict(model) for model in models])
        return 0
    if not models:
        console.say(
            'no service-time models yet; `make simulate RUN_ARGS="--benchmarks=… --system=…"` makes them from public results,'
        )
        console.say("and with --service_model=build/logs/<time>/<system>/<benchmark>/<scenario> of a run")
        return 0
    console.table(
        "Service-time models",
        ("Name", "Benchmark", "A batch takes", "90 % between", "From"),
        [
            (
                model.name,
                model.benchmark,
                f"{model.fixed_us:,.4g} µs + {model.unit_us:.4g} µs × samples × longest",
                f"{model.fast:.2f} and {model.slow:.2f} times",
                f"{model.kind}: {model.source}",
            )
            for model in models
        ],
    )
    return 0


ACTION = OncePerRequest(run)
