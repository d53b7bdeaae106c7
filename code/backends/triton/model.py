"""A model of Triton's Python backend: each instance computes batches with one of the harness's own runners.

The harness copies this file into a model repository. What it needs stands in the model's config, in the parameter `harness`.
"""

from __future__ import annotations

import json
import sys
from typing import Any


class TritonPythonModel:
    """One instance, in a process of its own. Source of the interface: triton-inference-server/python_backend."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the engine. An exception here is what the server says of a model that it cannot load."""
        settings = json.loads(json.loads(args["model_config"])["parameters"]["harness"]["string_value"])
        sys.path[:0] = [settings["project"], *settings["packages"]]
        sys.modules.pop("code", None)  # the standard library's module of that name, where something imported it
        from code.backends.triton.instance import Instance

        self._instance = Instance(settings)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests, which Triton's batcher may have gathered."""
        return self._instance.execute(requests)
