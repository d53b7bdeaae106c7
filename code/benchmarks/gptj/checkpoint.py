"""Checks that a folder holds a complete GPT-J: a Hugging Face checkpoint, or a model exported to OpenVINO's format.

Only headers are read, so that 24 GB are checked quickly: the index lists the shards, a safetensors header gives
the length of its file, and an OpenVINO model's XML the length of its weights.
"""

from __future__ import annotations

import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.backends.generators.text import IR, IR_WEIGHTS
from code.common import jsonfile
from code.common.errors import MissingError, RunError, UsageError

CONFIG = "config.json"
EXPORTED = "openvino"
WHOLE_FILES = ("model.safetensors", "pytorch_model.bin")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
AGAIN = (
    "fetch it again: make download_model BENCHMARKS=gptj RUN_ARGS=--model_variant=reference, or select another with --model_path"
)
_SPAN = re.compile(rb'offset="(\d+)"[^>]*?\bsize="(\d+)"')


@dataclass(frozen=True)
class Checkpoint:
    """A checked model folder.

    Args:
        config: config.json.
        weights: the files that hold the weights of the checkpoint; () where only an exported model is there.
        exported: the folder with the exported model, or None.
    """

    folder: Path
    config: dict[str, Any]
    weights: tuple[Path, ...]
    exported: Path | None

    @property
    def positions(self) -> int:
        """Maximum number of tokens of prompt and summary together."""
        return int(self.config.get("n_positions", 2048))

    @property
    def parameters(self) -> int:
        """Approximate number of weights, from its dimensions."""
        hidden, layers = int(self.config["n_embd"]), int(self.config["n_layer"])
        inner = int(self.config.get("n_inner") or 4 * hidden)
        return layers * (4 * hidden * hidden + 2 * hidden * inner) + 2 * int(self.config["vocab_size"]) * hidden

    @property
    def kv_numbers(self) -> int:
        """Number of KV cache elements per token."""
        return 2 * int(self.config["n_layer"]) * int(self.config["n_embd"])

    @property
    def is_exported(self) -> bool:
        """Whether it is already in OpenVINO's format."""
        return self.exported is not None


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check the model in `folder`.

    Raises MissingError for an absent file, RunError for a truncated one, UsageError for a model that is not GPT-J.
    """
    if not folder.is_dir():
        raise MissingError(f"gptj's model does not exist: {folder}", "it is a folder with config.json and the weights", AGAIN)
    config = _config(folder / CONFIG)
    weights = _weights(folder)
    exported = next((place for place in (folder / EXPORTED, folder) if (place / IR).is_file()), None)
    if exported is not None:
        _check_ir(exported)
    elif not weights:
        raise MissingError(
            f"{folder} has no weights", f"it needs {' or '.join(WHOLE_FILES)}, shards with an index, or {IR}", AGAIN
        )
    return Checkpoint(folder, config, weights, exported)


def _config(path: Path) -> dict[str, Any]:
    content = _json(path)
    if content.get("model_type") != "gptj":
        raise UsageError(
            f"{path.parent} is not a GPT-J checkpoint",
            f"its config.json says model_type {content.get('model_type')!r}",
            "select another with --model_path",
        )
    absent = [name for name in ("n_embd", "n_layer", "n_head", "vocab_size", "rotary_dim") if name not in content]
    if absent:
        raise UsageError(f"{path} lacks {absent[0]}", "it must contain a GPT-J's dimensions", AGAIN)
    return content


def _weights(folder: Path) -> tuple[Path, ...]:
    for name in INDEXES:
        if (folder / name).is_file():
            shards = sorted(set(_json(folder / name).get("weight_map", {}).values()))
            found = tuple(folder / shard for shard in shards)
            for shard in found:
                _check_file(shard, f"{name} lists it")
            return found
    for name in WHOLE_FILES:
        if (folder / name).is_file():
            _check_file(folder / name, "")
            return (folder / name,)
    return ()


def _check_file(path: Path, why: str) -> None:
    if not path.is_file():
        raise MissingError(f"a shard of the checkpoint is missing: {path}", why, AGAIN)
    size = path.stat().st_size
    if path.suffix == ".bin":
        if not zipfile.is_zipfile(path):
            raise RunError(
                f"a shard of the checkpoint is truncated or corrupt: {path}",
                f"its {size:,} bytes are not a complete archive",
                AGAIN,
            )
        return
    try:
        with path.open("rb") as source:
            (length,) = struct.unpack("<Q", source.read(8))
            if length > size:
                raise ValueError("its header is incomplete")
            header = jsonfile.parse(source.read(length))
        wanted = 8 + length + max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise RunError(f"a shard of the checkpoint is damaged: {path}", str(error) or type(error).__name__, AGAIN) from error
    if size != wanted:
        raise RunError(f"a shard of the checkpoint is truncated: {path}", f"it has {size:,} of {wanted:,} bytes", AGAIN)


def _check_ir(folder: Path) -> None:
    model, weights = folder / IR, folder / IR_WEIGHTS
    if not weights.is_file():
        raise MissingError(f"the exported model's weights are missing: {weights}", f"{IR} exists without them", AGAIN)
    spans = [int(offset) + int(size) for offset, size in _SPAN.findall(model.read_bytes())]
    if not spans:
        raise RunError(f"{model} is truncated or corrupt", "it does not refer to weights", AGAIN)
    size, wanted = weights.stat().st_size, max(spans)
    if size < wanted:
        raise RunError(f"the exported model's weights are truncated: {weights}", f"it has {size:,} of {wanted:,} bytes", AGAIN)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = jsonfile.read(path)
    except OSError as error:
        raise MissingError(f"cannot read {path}", error.strerror or str(error), AGAIN) from error
    except ValueError as error:
        raise RunError(f"{path} is damaged", str(error), AGAIN) from error
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged", "it is not a JSON object", AGAIN)
    return content
