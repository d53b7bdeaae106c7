"""list_engines: list the built engines and what each was built from."""

from __future__ import annotations

from code.actions import Context, OncePerRequest
from code.backends import store
from code.common import console


def run(context: Context) -> int:
    """Print a table, or JSON with --json."""
    found = store.built()
    if context.request["json"]:
        console.emit([dict(sorted({"name": e.folder.name, "bytes": e.size, **e.sidecar}.items())) for e in found])
        return 0
    if not found:
        console.say('no engines built; run `make generate_engines RUN_ARGS="--benchmarks=… --scenarios=…"`')
        return 0
    console.table(
        "Engines",
        ("Name", "Runtime", "For", "Precision", "MB", "Built in"),
        [
            (
                e.folder.name,
                f"{e.sidecar.get('backend')} {e.sidecar.get('runtime_version')}" if e.sidecar else "damaged",
                _device(e.sidecar),
                e.sidecar.get("settings", {}).get("precision", ""),
                f"{e.size / 1e6:.1f}",
                f"{e.sidecar.get('build_seconds', 0):.1f} s",
            )
            for e in found
        ],
    )
    return 0


def _device(sidecar: dict[str, object]) -> str:
    details = sidecar.get("details")
    if isinstance(details, dict) and "compute_capability" in details:
        return f"{details.get('gpu')} ({details['compute_capability']})"
    return str(sidecar.get("device", "")).split(" ")[0]


ACTION = OncePerRequest(run)
