"""The installed TensorRT-LLM package: which versions have engines or the LLM API, and where its checkout has the checkpoint scripts."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from code.backends.base import missing_sdk
from code.common.errors import MissingError

FIRST, REMOVED = (0, 17), (1, 3)
"""The first version that the backend is written for, and the first without engines."""
REQUIREMENT = "tensorrt-llm>=0.17,<1.3"
API_FIRST = (1, 2)
"""The first version whose LLM API has what the harness asks of it."""
API_REQUIREMENT = "tensorrt-llm>=1.2"
CONTRIBUTED = ("gptj",)
"""Architectures whose example is among the contributed ones; those of others are in examples/models/core."""
EXAMPLES_MOVED = (0, 19)
"""The version since which examples are in examples/models/core and examples/models/contrib."""


def supported_version() -> str:
    """The installed version. MissingError without one, or where it does not build and run engines as the backend does."""
    try:
        found = importlib.metadata.version("tensorrt-llm")
    except importlib.metadata.PackageNotFoundError as error:
        raise missing(error) from error
    require_engines(found)
    return found


def supported_api_version() -> str:
    """The installed version. MissingError without one, or where its LLM API is too old."""
    try:
        found = importlib.metadata.version("tensorrt-llm")
    except importlib.metadata.PackageNotFoundError as error:
        raise missing(error, API_REQUIREMENT) from error
    if _number(found) < API_FIRST:
        raise MissingError(
            f"TensorRT-LLM {found} cannot run the tensorrt_llm_api backend",
            f"its LLM API is older than {API_FIRST[0]}.{API_FIRST[1]}'s, which the harness is written for",
            f"pip install '{API_REQUIREMENT}', or use --backend=tensorrt_llm, which builds engines",
        )
    return found


def require_engines(version: str) -> None:
    """MissingError for a version of TensorRT-LLM without engines, or with an older executor."""
    number = _number(version)
    if FIRST <= number < REMOVED:
        return
    why = (
        "its engine route (trtllm-build, the checkpoint scripts, the executor of engines) was removed after 1.2"
        if number >= REMOVED
        else f"its executor is older than {FIRST[0]}.{FIRST[1]}'s, which the harness is written for"
    )
    step = f"pip install '{REQUIREMENT}'" + (", or use --backend=tensorrt_llm_api" if number >= REMOVED else "")
    raise MissingError(f"TensorRT-LLM {version} cannot run the tensorrt_llm backend", why, step)


def no_checkpoint(checkpoint: Path, model: Path, architecture: str, precision: str, dtype: str, sizes: str) -> MissingError:
    """The error for a model without a TensorRT-LLM checkpoint, with the command that makes one.

    Args:
        architecture: `model_type` of the Hugging Face checkpoint in `model`.
        dtype: of everything that is not quantised.
        sizes: the options of tensor and pipeline parallelism.
    """
    try:
        version = importlib.metadata.version("tensorrt-llm")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    return MissingError(
        f"there is no TensorRT-LLM checkpoint {checkpoint}",
        "TensorRT-LLM's scripts convert it from the Hugging Face checkpoint",
        f"in a checkout of TensorRT-LLM at {f'v{version}' if version else 'the installed version (below 1.3)'} run "
        f"`python {_script(architecture, precision, version)} --model_dir {model} --dtype {dtype} {sizes} --output_dir {checkpoint}`",
    )


def missing(error: Exception, requirement: str = REQUIREMENT) -> MissingError:
    """The error for a missing package."""
    absent = missing_sdk("tensorrt_llm", "", error)
    step = f"install TensorRT-LLM on a machine with an NVIDIA GPU: pip install '{requirement}'"
    return MissingError(absent.what, absent.why, step)


def _number(version: str) -> tuple[int, int]:
    """'1.2.0rc3' is (1, 2)."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _script(architecture: str, precision: str, version: str) -> str:
    """The script of a checkout of TensorRT-LLM that makes a checkpoint, with its options of the precision."""
    if precision == "fp8":
        return "examples/quantization/quantize.py --qformat fp8 --kv_cache_dtype fp8"
    section = "contrib" if architecture in CONTRIBUTED else "core"
    moved = not version or _number(version) >= EXAMPLES_MOVED
    folder = f"examples/models/{section}/{architecture}" if moved else f"examples/{architecture}"
    weights = f" --use_weight_only --weight_only_precision {precision}" if precision in ("int8", "int4") else ""
    return f"{folder}/convert_checkpoint.py{weights}"
