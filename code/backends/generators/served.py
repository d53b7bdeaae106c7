"""What backends of text generators share whose engine is on a server that runs: nothing is built here but a note."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.backends.base import Backend
from code.backends.generators.text import require_text, text_definition
from code.fields.consumer import Consumer

ENGINE = Consumer("servers of texts", ("precision",), engine=True, backends=("openai", "triton_llm"))
FILE = "server.json"
IN_FLIGHT = 64
"""Concurrent requests where the workload does not say how many."""
TIMEOUT_S = 600.0


class ServedText(Backend):
    """A server's model; it has the devices and the engine."""

    device = "ANY"
    makes_precision = True
    harness_languages = ("python",)

    def build_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What is said of the server's model: it is built there."""
        return {"benchmark": require_text(self.name, values)[0].name, "precision": ENGINE.of(values)["precision"]}

    def device_identity(self) -> str:
        """Any: the server has the devices."""
        return "server"

    def build(self, model: Path, values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """Note which model is served and how many tokens it has room for."""
        name = require_text(self.name, values)[0].name
        positions = text_definition(name).open_model(model).positions
        (folder / FILE).write_text(json.dumps({"benchmark": name, "positions": positions}, indent=4) + "\n", encoding="utf-8")
        return {"made": "of the checkpoint's size; the server has the engine"}
