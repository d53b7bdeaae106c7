"""Plans of the stand-in's TensorRT, and what its functions answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from code.common.files import sha256

CAPABILITY = 90
BERT_INPUTS = ("input_ids", "input_mask", "segment_ids")
BERT_OUTPUTS = ("output_start_logits", "output_end_logits")


def bert(batch: int, ends: Sequence[int], capturable: bool = True, outputs: str = "float32", inputs: str = "int64") -> str:
    """A plan with BERT's inputs and outputs, and a profile for each range of lengths.

    Args:
        batch: most samples.
        ends: the longest length of each profile, ascending.
        capturable: whether a call may be captured as a CUDA graph.
        outputs, inputs: their types.
    """
    tensors = [f"tensor {name} input {inputs} -1 -1" for name in BERT_INPUTS]
    tensors += [f"tensor {name} output {outputs} -1 -1" for name in BERT_OUTPUTS]
    profiles = []
    for start, end in zip((0, *ends), ends, strict=False):
        profiles += ["profile", *(f"shape {name} 1 {start + 1} / {batch} {end} / {batch} {end}" for name in BERT_INPUTS)]
    return _plan("tokens", tensors, profiles, capturable)


def unet(windows: int, roi: Sequence[int]) -> str:
    """A plan with 3D-UNet's input and output, three classes.

    Args:
        windows: most windows in a call.
        roi: depth, height, width of a window.
    """
    extents = " ".join(map(str, roi))
    tensors = [f"tensor input input float32 -1 1 {extents}", f"tensor output output float32 -1 3 {extents}"]
    return _plan("voxels", tensors, ["profile", f"shape input 1 1 {extents} / {windows} 1 {extents} / {windows} 1 {extents}"])


def _plan(function: str, tensors: Sequence[str], profiles: Sequence[str], capturable: bool = True) -> str:
    capability = f"capability {CAPABILITY // 10}.{CAPABILITY % 10}"
    head = ["cuda-stand-in plan 1", f"function {function}", capability, "weights 65536", "scratch 16"]
    return "\n".join([*head, f"capturable {'yes' if capturable else 'no'}", *tensors, *profiles, "end"]) + "\n"


def write(folder: Path, plan: str, **changed: str) -> Path:
    """An engine's folder with this plan and the part of engine.json that harnesses read, with other details where `changed`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engine.plan").write_text(plan, encoding="utf-8")
    digest = sha256(folder / "engine.plan")
    capability = f"{CAPABILITY // 10}.{CAPABILITY % 10}"
    details: dict[str, Any] = {"engine": "engine.plan", "sha256": digest, "compute_capability": capability, "gpu": "stand-in"}
    (folder / "engine.json").write_text(json.dumps({"details": {**details, **changed}}), encoding="utf-8")
    return folder


def bert_answer(ids: NDArray[Any], mask: NDArray[Any], segments: NDArray[Any]) -> NDArray[np.float32]:
    """Both logits of each token, [tokens, 2], as nvinfer/plan.cc computes them."""
    columns = []
    for factor in (1, 2):
        logits = np.float32(factor) * (ids % 1000).astype(np.float32) / 4 + segments.astype(np.float32)
        columns.append(np.where(mask != 0, logits, np.float32(-factor)))
    return np.stack(columns, axis=-1).astype(np.float32)


def unet_answer(volume: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The class of each voxel: the first of the greatest of x, 2x - 1/4 and 3x - 1."""
    return np.digitize(volume, [0.25, 0.75], right=True).astype(np.uint8)
