"""Raises the opset of a graph."""

from __future__ import annotations

from typing import Any

from code.common.errors import UsageError


def at_least_opset(model: Any, wanted: int) -> Any:
    """The model in opset `wanted` or later. UsageError when onnx cannot convert it."""
    from onnx import version_converter

    now = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if now >= wanted:
        return model
    try:
        return version_converter.convert_version(model, wanted)
    except Exception as error:
        raise UsageError(
            f"the graph is in opset {now}and cannot be converted to opset {wanted}",
            str(error).strip().splitlines()[0],
            f"export the model again in opset {wanted} or later",
        ) from error
