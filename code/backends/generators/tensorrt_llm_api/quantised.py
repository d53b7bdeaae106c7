"""Which checkpoint TensorRT-LLM loads for a precision: the model's own, or one that NVIDIA's ModelOpt quantised.

ModelOpt writes the algorithm into hf_quant_config.json (`quantization.quant_algo`), and into config.json (`quantization_config`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from code.common import jsonfile
from code.common.errors import MissingError, RunError, UsageError

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
"""Precision of a checkpoint that is not quantised → the type in which it is loaded."""
ALGORITHMS = {"fp8": "FP8", "fp4": "NVFP4", "int4": "W4A16_AWQ"}
"""Precision → ModelOpt's name of its algorithm."""
FORMATS = {"fp8": "fp8", "fp4": "nvfp4", "int4": "int4_awq"}
"""Precision → the format that ModelOpt's script is asked for."""
PRECISIONS = (*DTYPES, *ALGORITHMS)
_PLACES = (("hf_quant_config.json", "quantization"), ("config.json", "quantization_config"))


def checkpoint_for(model: Path, precision: str) -> Path:
    """The folder of the checkpoint: `model`, or of a quantised precision the one inside it, `quantised-<precision>`.

    UsageError where `model` is quantised to something else, MissingError where there is no checkpoint of the precision.
    """
    wanted, found = ALGORITHMS.get(precision, ""), algorithm(model)
    if found == wanted:
        return model
    if found:
        known = next((name for name, algo in ALGORITHMS.items() if algo == found), "")
        raise UsageError(
            f"{model} is quantised by {found}",
            f"the precision of the run is {precision}",
            f"add --precision={known}, or select another with --model_path" if known else "select another with --model_path",
        )
    inside = model / f"quantised-{precision}"
    if not (inside / "config.json").is_file():
        raise _absent(model, inside, precision)
    if algorithm(inside) != wanted:
        raise UsageError(
            f"{inside} is not quantised by {wanted}", f"its quant_algo is {algorithm(inside) or 'not set'}", "remove or rename it"
        )
    return inside


def algorithm(folder: Path) -> str:
    """The algorithm by which the checkpoint in a folder is quantised; '' for one that is not."""
    for name, key in _PLACES:
        if not (folder / name).is_file():
            continue
        try:
            content: Mapping[str, Any] = jsonfile.read_object(folder / name)
        except (OSError, ValueError) as error:
            raise RunError(
                f"{folder / name} is damaged", str(error), "copy it again, or select another with --model_path"
            ) from error
        given = content.get(key)
        if isinstance(given, dict):
            return str(given.get("quant_algo") or given.get("quant_method") or "")
    return ""


def _absent(model: Path, inside: Path, precision: str) -> MissingError:
    return MissingError(
        f"there is no {precision} checkpoint {inside}",
        f"{model} is not quantised, and TensorRT-LLM loads {precision} from a checkpoint that is",
        "in a checkout of NVIDIA's Model-Optimizer run "
        f"`python examples/llm_ptq/hf_ptq.py --pyt_ckpt_path {model} --qformat {FORMATS[precision]} --kv_cache_qformat fp8 "
        f"--export_path {inside}`, or select a quantised checkpoint with --model_path",
    )
