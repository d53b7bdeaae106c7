"""Models in OpenVINO's format: exports Hugging Face checkpoints with optimum-intel, and rewrites exported models for engines.

Export has its own extra (`pip install '.[export]'`): optimum-intel requires an older transformers than the other packages
here, and a machine with an exported model needs neither. Weights are compressed to int8 or int4 with NNCF.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from code.backends.base import missing_sdk
from code.backends.generators.text import IR
from code.benchmarks.text.checkpoint import CONFIG, Checkpoint
from code.common.errors import MissingError, RunError

WEIGHTS = {"fp32": "fp32", "bf16": "fp16", "fp16": "fp16", "int8": "int8", "int4": "int4"}
"""Precision → optimum-intel's weight format. OpenVINO's files have no bf16; fp16 represents every bf16 weight of normal size."""
GROUP = 32
_SCRIPT = "code.benchmarks.text.export"

Rewrite = Callable[[Any], list[str]]
"""Changes an openvino.Model in place and returns a list of the changes."""


def to_openvino(checkpoint: Checkpoint, precision: str, folder: Path, rewrite: Rewrite | None = None) -> dict[str, Any]:
    """Write openvino_model.xml, openvino_model.bin and config.json for `precision` into `folder`; returns how they were made.

    `rewrite` changes the network before it is written.

    Raises MissingError if a package is not installed, RunError with its message if the model cannot be exported or written.
    """
    if checkpoint.exported is None:
        made = f"exported with optimum-intel {_version('optimum-intel')}, weights in {WEIGHTS[precision]}"
        with tempfile.TemporaryDirectory(dir=folder) as exported:
            _export(checkpoint, WEIGHTS[precision], Path(exported))
            made += _written(_read(Path(exported) / IR), folder, rewrite)
    elif precision in ("int8", "int4"):
        made = f"weights compressed to {precision} with NNCF {_version('nncf')}"
        made += _written(_compressed(checkpoint.exported / IR, precision), folder, rewrite)
    else:
        made = "of the exported model"
        made += _written(_read(checkpoint.exported / IR), folder, rewrite)
    # GenAI reads this at loading; each request carries its own generation settings.
    (folder / CONFIG).write_text(json.dumps(checkpoint.config, indent=2) + "\n", encoding="utf-8")
    return {"made": made}


def _read(model: Path) -> Any:
    import openvino

    try:
        return openvino.Core().read_model(str(model))
    except RuntimeError as error:
        raise RunError(f"OpenVINO cannot read {model}", _last_line(error), "export it again") from error


def _written(network: Any, folder: Path, rewrite: Rewrite | None) -> str:
    """Write the network, rewritten if requested, with unchanged weight formats; returns the changes as text."""
    import openvino

    done = rewrite(network) if rewrite is not None else []
    try:
        openvino.save_model(network, str(folder / IR), compress_to_fp16=False)
    except RuntimeError as error:
        raise RunError(
            f"the engine cannot be written to {folder}", _last_line(error), "check that the disk is not full"
        ) from error
    return "".join(f", {change}" for change in done)


def _compressed(model: Path, precision: str) -> Any:
    """Keep NNCF's messages and progress bars off the terminal, which shows one line per engine."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            import nncf
        except ImportError as error:
            raise missing_sdk("nncf", "calibration", error) from error
        logging.getLogger("nncf").setLevel(logging.ERROR)
        network = _read(model)
        try:
            if precision == "int8":
                return nncf.compress_weights(network, mode=nncf.CompressWeightsMode.INT8_ASYM)
            return nncf.compress_weights(network, mode=nncf.CompressWeightsMode.INT4_SYM, group_size=GROUP, ratio=1.0)
        except (RuntimeError, ValueError) as error:
            raise RunError(f"the weights of {model} cannot be compressed to {precision}", _last_line(error)) from error


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _export(checkpoint: Checkpoint, weight_format: str, folder: Path) -> None:
    """Export in a child process, so that all its memory is released and its warnings stay in its log."""
    if not has_exporter():
        raise MissingError(
            "exporting a checkpoint needs the Python packages optimum-intel, torch and transformers",
            "one of them is not installed",
            "run `pip install '.[export]'` in a separate environment and pass the exported folder with --model_path, "
            "or install it here",
        )
    command = [sys.executable, "-m", _SCRIPT, str(checkpoint.folder), weight_format, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0 or not (folder / IR).is_file():
        words = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        how = f"killed by signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        raise RunError(
            f"the checkpoint {checkpoint.folder} could not be exported ({how})",
            words[-1] if words else "it printed nothing",
            "check that it loads with transformers and that memory suffices",
        )


def has_exporter() -> bool:
    """Whether the packages of the extra `export` are installed."""
    return all(_version(package) for package in ("optimum-intel", "torch", "transformers"))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def main(arguments: list[str]) -> int:
    """`python -m code.benchmarks.text.export CHECKPOINT WEIGHT_FORMAT FOLDER`: entry point of the export process.

    fp32 is traced in fp32, everything else in bf16, which halves the checkpoint's memory; shards are read one by one.
    """
    checkpoint, weight_format, folder = Path(arguments[0]), arguments[1], Path(arguments[2])
    import torch
    from optimum.intel import OVModelForCausalLM, OVWeightQuantizationConfig

    options: dict[str, Any] = {"torch_dtype": torch.float32 if weight_format == "fp32" else torch.bfloat16}
    if weight_format in ("int8", "int4"):
        bits = 8 if weight_format == "int8" else 4
        options["quantization_config"] = OVWeightQuantizationConfig(
            bits=bits, **({} if bits == 8 else {"group_size": GROUP, "sym": True})
        )
    else:
        options["load_in_8bit"] = False
    model = OVModelForCausalLM.from_pretrained(str(checkpoint), export=True, compile=False, use_cache=True, **options)
    model.save_pretrained(str(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
