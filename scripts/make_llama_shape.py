#!/usr/bin/env python3
"""Makes a Llama checkpoint of any size with random weights, to measure and to check shapes with: by default Llama 3.1 8B's, of one layer.

    python scripts/make_llama_shape.py build/models/llama-8b-layer
    make generate_engines RUN_ARGS="--benchmarks=llama3.1-8b --scenarios=offline --precision=int8
        --model_path=build/models/llama-8b-layer"

Needs torch and transformers (the project's extra `export`); the export to OpenVINO's format, which `make generate_engines` makes, needs
optimum-intel as well. Tokenizer and ends of text are the tiny model's, whose tokens are the first of the vocabulary. Random weights
hardly ever end a text.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from code.benchmarks.llama3_1_8b import tiny
from code.benchmarks.llama3_1_8b.checkpoint import open_checkpoint
from code.common import console, jsonfile
from code.common.errors import HarnessError, MissingError
from code.common.files import atomic_directory

SHAPE: dict[str, Any] = {
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 131_072,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
"""Llama 3.1 8B Instruct's config.json, but for its number of layers."""
ROTARY = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
LAYERS = 32
OWN = ("config.json", "generation_config.json")
"""Files of a checkpoint that are not its tokenizer's."""


def main() -> int:
    """Write the model; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--layers", type=int, default=1, help=f"of the network (default: %(default)s; the 8B has {LAYERS})")
    options = parser.parse_args()
    try:
        make(options.out, options.layers)
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status
    return 0


def make(out: Path, layers: int) -> None:
    """Write the checkpoint atomically, in bf16: 2.5 GB with one layer, and 0.44 GB for each further one."""
    try:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM
    except ImportError as error:
        raise MissingError("torch and transformers are not installed", str(error), "run `pip install '.[export]'`") from error
    given = jsonfile.read_object(tiny.MODEL / OWN[0])
    ends = {name: given[name] for name in ("bos_token_id", "eos_token_id")}
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    config = LlamaConfig(**SHAPE, **ends, num_hidden_layers=layers, rope_parameters=ROTARY)
    with atomic_directory(out) as folder:
        LlamaForCausalLM(config).eval().save_pretrained(str(folder))
        for file in sorted(tiny.MODEL.glob("*.json")):
            if file.name.startswith("tokenizer") or file.name in OWN[1:]:
                shutil.copyfile(file, folder / file.name)
        found = open_checkpoint(folder)
    console.say(f"{found.parameters / 1e6:,.0f} M weights, {found.kv_numbers:,} numbers of keys and values a token: {out}")


if __name__ == "__main__":
    sys.exit(main())
