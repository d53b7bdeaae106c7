"""The note that stands for an engine where a runtime reads the checkpoint itself: where it is, and which files it had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.backends.generators.text import TextModel
from code.common import jsonfile
from code.common.errors import MissingError, RunError

FILE = "generator.json"
AGAIN = "run with --force_build, or select another with --model_path"


def note(folder: Path, settings: Mapping[str, Any], model: Path, checkpoint: TextModel, reader: str) -> None:
    """Write the note of the checkpoint in `model`. MissingError where it has no weights.

    Args:
        settings: what else identifies the engine.
        reader: the runtime, for error messages.
    """
    if not checkpoint.weights:
        raise MissingError(
            f"{model} has no weights that {reader} reads",
            "it holds a model in OpenVINO's format only",
            "select the Hugging Face checkpoint that it was exported from with --model_path",
        )
    content = {
        **settings,
        "checkpoint": str(model.absolute()),
        "weights": {path.name: path.stat().st_size for path in checkpoint.weights},
        "positions": checkpoint.positions,
        "parameters": checkpoint.parameters,
        "kv_numbers": checkpoint.kv_numbers,
    }
    (folder / FILE).write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")


def noted(folder: Path) -> dict[str, Any]:
    """What `note` wrote, of a checkpoint that is still there. MissingError where it is not, RunError where it is another."""
    try:
        content = dict(jsonfile.read_object(folder / FILE))
        checkpoint, weights = Path(content["checkpoint"]), dict(content["weights"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"the engine {folder.name} is incomplete", str(error), AGAIN) from error
    for name, size in weights.items():
        path = checkpoint / name
        if not path.is_file():
            raise MissingError(f"a file of the checkpoint is missing: {path}", "the engine was made of it", AGAIN)
        if path.stat().st_size != size:
            why = f"it has {path.stat().st_size:,} bytes, and had {size:,} when the engine was made"
            raise RunError(f"a file of the checkpoint has changed: {path}", why, AGAIN)
    return content
