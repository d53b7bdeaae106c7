"""The simulated backend: an engine that takes the time given by a table and computes nothing.

LoadGen, queues, batches and lanes are real; only the answers and the device times are not. It shows how the harness would drive and
behave on a system that is not available. Its measurements are not results: every line is marked SIMULATED.

The engine is the table itself: JSON with `batches` [B] and `lengths` [L], both ascending, and `microseconds` [B][L], which the harness
interpolates; optionally also `slowdown` (a factor per device), `load_s`, `at_once` (batches that a device computes at the same time),
`fault` ('throw', 'short' or 'hang') and `fault_after`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.backends.base import Backend, Engine, EngineSpec
from code.common.errors import UsageError
from code.fields.consumer import Consumer
from code.harness.schema.options import SimulatedOptions

READS = Consumer("simulated engines", ("precision",), engine=True, backends=("simulated",))
TABLE_FILE = "table.json"
VERSION = "1"


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


class Simulated(Backend):
    """The simulated backend."""

    name = "simulated"
    label = "SIMULATED"
    runtime_key = "simulated_version"
    device = "ANY"
    makes_precision = True
    computes = False
    harness_languages = ("cpp",)
    reads = (READS,)

    def version(self) -> str:
        """The version of the table's format."""
        return VERSION

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The precision reported in results; the table is the model."""
        return {"precision": READS.of(values)["precision"]}

    def device_identity(self) -> str:
        """No device."""
        return "none"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> None:
        """Copy the table into `folder`."""
        shutil.copyfile(model, folder / TABLE_FILE)

    def options(self, values: Mapping[str, Any], folder: Path) -> SimulatedOptions:
        """The table."""
        content = json.loads((folder / TABLE_FILE).read_text(encoding="utf-8"))
        return SimulatedOptions(**{name: _frozen(value) for name, value in content.items()})

    def load(self, folder: Path, spec: EngineSpec) -> Engine:
        """UsageError: only the C++ harness can simulate."""
        raise UsageError(
            "the Python harness does not support simulated engines",
            "its own overhead would distort the measurement",
            "run with --harness_lang=cpp after `make build`",
        )


BACKEND = Simulated()
