#!/usr/bin/env python3
"""Makes a GPT-J of any size with random weights, to measure with: a Hugging Face checkpoint and the same model exported.

    python scripts/make_gptj_shape.py build/models/gptj-shape --hidden 768 --layers 12

Needs torch, transformers and optimum-intel (the project's extra `export`). Its vocabulary is the tiny variant's unless another is named;
random weights never end a text, so that every text has the maximum length.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from code.backends.generators.text import IR, IR_WEIGHTS
from code.benchmarks.gptj import bpe, tiny
from code.benchmarks.gptj.checkpoint import open_checkpoint
from code.benchmarks.text import export
from code.benchmarks.text.checkpoint import EXPORTED
from code.common import console
from code.common.errors import HarnessError, MissingError
from code.common.files import atomic_directory

SPREAD = 0.05
"""Standard deviation of the weights, large enough for the next token to depend on the text."""


def main() -> int:
    """Write the model; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--rotary", type=int, default=32)
    parser.add_argument("--vocabulary", type=int, default=0, help="entries (default: those of the vocabulary's file)")
    parser.add_argument("--vocab_path", type=Path, default=tiny.MODEL)
    options = parser.parse_args()
    try:
        make(options)
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status
    return 0


def make(options: argparse.Namespace) -> None:
    """Write the checkpoint and its export atomically."""
    try:
        import torch
        from transformers import GPTJConfig, GPTJForCausalLM
    except ImportError as error:
        raise MissingError("torch and transformers are not installed", str(error), "run `pip install '.[export]'`") from error
    vocabulary = bpe.read(options.vocab_path)
    torch.manual_seed(0)
    config = GPTJConfig(
        vocab_size=max(options.vocabulary, vocabulary.size),
        n_positions=2048,
        n_embd=options.hidden,
        n_layer=options.layers,
        n_head=options.heads,
        rotary_dim=options.rotary,
        initializer_range=SPREAD,
        bos_token_id=vocabulary.end,
        eos_token_id=vocabulary.end,
        tie_word_embeddings=False,
    )
    with atomic_directory(options.out) as folder:
        network = GPTJForCausalLM(config).eval()
        network.save_pretrained(str(folder))
        for file in vocabulary.files:
            shutil.copyfile(file, folder / file.name)
        found = open_checkpoint(folder)
        with tempfile.TemporaryDirectory() as scratch:
            export.to_openvino(found, "fp32", Path(scratch))
            (folder / EXPORTED).mkdir()
            for name in (IR, IR_WEIGHTS):
                shutil.copyfile(Path(scratch) / name, folder / EXPORTED / name)
    console.say(f"{found.parameters / 1e6:.0f} M weights: {options.out}")


if __name__ == "__main__":
    sys.exit(main())
