"""Checks that a folder holds a complete model: a Hugging Face checkpoint, or a model exported to OpenVINO's format.

Only headers are read, so that 24 GB are checked quickly: the index lists the shards, a safetensors header gives
the length of its file, and an OpenVINO model's XML the length of its weights.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable, Mapping
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
_SPAN = re.compile(rb'offset="(\d+)"[^>]*?\bsize="(\d+)"')


@dataclass(frozen=True)
class Architecture:
    """A benchmark's architecture, as a checkpoint's config.json describes it.

    Args:
        benchmark: short name of the benchmark, for error messages.
        label: the architecture's name, for error messages.
        model_type: `model_type` of config.json.
        needs: the keys that config.json must have.
        positions: most tokens of prompt and text together.
        parameters: approximate number of weights.
        kv_numbers: number of KV cache elements per token.
    """

    benchmark: str
    label: str
    model_type: str
    needs: tuple[str, ...]
    positions: Callable[[Mapping[str, Any]], int]
    parameters: Callable[[Mapping[str, Any]], int]
    kv_numbers: Callable[[Mapping[str, Any]], int]

    @property
    def again(self) -> str:
        """How to get another checkpoint."""
        command = f"make download_model BENCHMARKS={self.benchmark} RUN_ARGS=--model_variant=reference"
        return f"fetch it again: {command}, or select another with --model_path"


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
    architecture: Architecture

    @property
    def positions(self) -> int:
        """Maximum number of tokens of prompt and text together."""
        return self.architecture.positions(self.config)

    @property
    def parameters(self) -> int:
        """Approximate number of weights, from its dimensions."""
        return self.architecture.parameters(self.config)

    @property
    def kv_numbers(self) -> int:
        """Number of KV cache elements per token."""
        return self.architecture.kv_numbers(self.config)

    @property
    def is_exported(self) -> bool:
        """Whether it is already in OpenVINO's format."""
        return self.exported is not None


def open_checkpoint(folder: Path, architecture: Architecture) -> Checkpoint:
    """Check the model in `folder`.

    Raises MissingError for an absent file, RunError for a truncated one, UsageError for a model of another architecture.
    """
    again = architecture.again
    if not folder.is_dir():
        what = f"{architecture.benchmark}'s model does not exist: {folder}"
        raise MissingError(what, "it is a folder with config.json and the weights", again)
    config = _config(folder / CONFIG, architecture)
    weights = _weights(folder, again)
    exported = next((place for place in (folder / EXPORTED, folder) if (place / IR).is_file()), None)
    if exported is not None:
        _check_ir(exported, again)
    elif not weights:
        raise MissingError(
            f"{folder} has no weights", f"it needs {' or '.join(WHOLE_FILES)}, shards with an index, or {IR}", again
        )
    return Checkpoint(folder, config, weights, exported, architecture)


def _config(path: Path, architecture: Architecture) -> dict[str, Any]:
    content = _json(path, architecture.again)
    if content.get("model_type") != architecture.model_type:
        raise UsageError(
            f"{path.parent} is not a {architecture.label} checkpoint",
            f"its config.json says model_type {content.get('model_type')!r}",
            "select another with --model_path",
        )
    absent = [name for name in architecture.needs if name not in content]
    if absent:
        raise UsageError(f"{path} lacks {absent[0]}", f"it must contain a {architecture.label}'s dimensions", architecture.again)
    return content


def _weights(folder: Path, again: str) -> tuple[Path, ...]:
    for name in INDEXES:
        if (folder / name).is_file():
            shards = sorted(set(_json(folder / name, again).get("weight_map", {}).values()))
            found = tuple(folder / shard for shard in shards)
            for shard in found:
                _check_file(shard, f"{name} lists it", again)
            return found
    for name in WHOLE_FILES:
        if (folder / name).is_file():
            _check_file(folder / name, "", again)
            return (folder / name,)
    return ()


def _check_file(path: Path, why: str, again: str) -> None:
    if not path.is_file():
        raise MissingError(f"a shard of the checkpoint is missing: {path}", why, again)
    size = path.stat().st_size
    if path.suffix == ".bin":
        if not zipfile.is_zipfile(path):
            raise RunError(
                f"a shard of the checkpoint is truncated or corrupt: {path}",
                f"its {size:,} bytes are not a complete archive",
                again,
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
        raise RunError(f"a shard of the checkpoint is damaged: {path}", str(error) or type(error).__name__, again) from error
    if size != wanted:
        raise RunError(f"a shard of the checkpoint is truncated: {path}", f"it has {size:,} of {wanted:,} bytes", again)


def _check_ir(folder: Path, again: str) -> None:
    model, weights = folder / IR, folder / IR_WEIGHTS
    if not weights.is_file():
        raise MissingError(f"the exported model's weights are missing: {weights}", f"{IR} exists without them", again)
    spans = [int(offset) + int(size) for offset, size in _SPAN.findall(model.read_bytes())]
    if not spans:
        raise RunError(f"{model} is truncated or corrupt", "it does not refer to weights", again)
    size, wanted = weights.stat().st_size, max(spans)
    if size < wanted:
        raise RunError(f"the exported model's weights are truncated: {weights}", f"it has {size:,} of {wanted:,} bytes", again)


def _json(path: Path, again: str) -> dict[str, Any]:
    try:
        content = jsonfile.read(path)
    except OSError as error:
        raise MissingError(f"cannot read {path}", error.strerror or str(error), again) from error
    except ValueError as error:
        raise RunError(f"{path} is damaged", str(error), again) from error
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged", "it is not a JSON object", again)
    return content


def require_fit(tokenizer_file: Path, vocabulary: int, end: int, checkpoint: Checkpoint) -> None:
    """UsageError where the tokenizer is not the model's: it has ids that the model lacks, or ends texts with another token."""
    entries, given = int(checkpoint.config["vocab_size"]), checkpoint.config.get("eos_token_id")
    ends = given if isinstance(given, list) else [given]
    why = ""
    if vocabulary > entries:
        why = f"the tokenizer has {vocabulary:,} entries, and the model knows {entries:,}"
    elif ends != [None] and end not in ends:
        why = f"the tokenizer ends a text with token {end}, and the model with {', '.join(str(one) for one in ends)}"
    if why:
        raise UsageError(
            f"{tokenizer_file} is the wrong tokenizer for {checkpoint.folder}", why, "name the model's own with --vocab_path"
        )
