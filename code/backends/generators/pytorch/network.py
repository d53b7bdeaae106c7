"""Opens a Hugging Face checkpoint as a PyTorch network on one device, in one precision."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from code.backends import memory
from code.backends.base import missing_sdk
from code.common.errors import MissingError, RunError, last_words

DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""Precision of the run → PyTorch's name of the type of weights, computation and KV cache."""
BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
SMALLER = {"fp32": "bf16"}
SPARE = 1.15
"""Memory of loaded weights, as a multiple of their size: workspaces, activations and the allocator's own blocks."""


def imported() -> tuple[Any, Any]:
    """The packages torch and transformers, which print nothing and ask no server. MissingError where one is not installed."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        import torch
    except ImportError as error:
        raise missing_sdk("torch", "pytorch", error) from error
    try:
        import transformers
    except ImportError as error:
        raise missing_sdk("transformers", "pytorch", error) from error
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return torch, transformers


def device_of(torch: Any, on_gpu: bool, index: int) -> Any:
    """The device of a run. MissingError where there is no such CUDA device."""
    if not on_gpu:
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if index < count:
        return torch.device("cuda", index)
    built = f"torch {torch.__version__} was built for CUDA {torch.version.cuda}" if torch.version.cuda else ""
    raise MissingError(
        f"PyTorch finds no CUDA device {index}",
        f"it finds {count}; {built}" if built else f"torch {torch.__version__} was built without CUDA",
        "check nvidia-smi and CUDA_VISIBLE_DEVICES, or install a wheel for CUDA: pip install --force-reinstall torch"
        if built
        else "install a wheel for CUDA (pip install --force-reinstall torch), or run on a processor with --system=CPU_x86_64",
    )


def require_memory(torch: Any, device: Any, wanted: int, name: str, precision: str) -> None:
    """MissingError where `wanted` bytes are not free on the device."""
    on_gpu = device.type == "cuda"
    have = int(torch.cuda.mem_get_info(device)[0]) if on_gpu else memory.available()
    where = "on the GPU " if on_gpu else ""
    batch = "gpu_batch_size" if on_gpu else "cpu_batch_size"
    memory.require(
        wanted,
        f"run {name} {where}in {precision}",
        f"lower --{batch}",
        have=have,
        lower=SMALLER,
    )


def opened(torch: Any, transformers: Any, folder: Path, precision: str, device: Any) -> Any:
    """The network in `folder`, ready to generate. RunError with PyTorch's message where it cannot be loaded."""
    try:
        network = transformers.AutoModelForCausalLM.from_pretrained(  # nosec B615  # a folder
            str(folder), dtype=getattr(torch, DTYPES[precision]), local_files_only=True, attn_implementation="sdpa"
        )
        network = network.to(device).eval()
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        raise RunError(
            f"PyTorch cannot load the checkpoint {folder}", last_words(error), "check that it loads with transformers"
        ) from error
    network.generation_config = transformers.GenerationConfig()  # a checkpoint's own may sample, or bound the length
    return network
