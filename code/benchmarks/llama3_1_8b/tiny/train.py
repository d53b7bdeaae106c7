"""Trains the tiny variant's Llama and writes everything that is committed of it: tokenizer, weights, engine source and record.

    python -m code.benchmarks.llama3_1_8b.tiny.train

Needs torch, transformers and optimum-intel (the project's optional extras `train` and `export`). Everything follows from fixed
seeds; matrix products are computed in bfloat16, so that another CPU gives an equally good model rather than the same bits.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from code.benchmarks.llama3_1_8b import tokenizer
from code.benchmarks.llama3_1_8b.checkpoint import open_checkpoint
from code.benchmarks.llama3_1_8b.prompt import prompt
from code.benchmarks.llama3_1_8b.tiny import MODEL, RECORD
from code.benchmarks.text.tiny import generating, training
from code.benchmarks.text.tiny.articles import Article
from code.benchmarks.text.tiny.samples import Batch, Encode, Stream
from code.benchmarks.text.tiny.training import Phase, Schedule
from code.common import console
from code.common.errors import HarnessError
from code.common.files import atomic_directory, write_json


@dataclass(frozen=True)
class Settings(Schedule):
    """How the model is trained.

    Attributes:
        hidden, inner, layers, heads, kv_heads: the model's sizes; `heads` of queries share `kv_heads` of keys and values.
        theta, scaling, trained_positions: rotary positions as in Llama 3.1: their base, and by how much those are stretched that turn
            less than once in `trained_positions` tokens.
    """

    hidden: int = 128
    inner: int = 256
    layers: int = 3
    heads: int = 4
    kv_heads: int = 2
    positions: int = 4096
    theta: float = 500_000.0
    scaling: float = 8.0
    trained_positions: int = 512
    steps: int = 3_000
    phases: tuple[Phase, ...] = (Phase(0.5, 1024, 30), Phase(0.25, 1536, 60), Phase(0.25, 2048))
    rate: float = 2.5e-3
    warm_up: int = 150
    taken: int = 893


def new_model(settings: Settings, opened: tokenizer.Llama3Tokenizer) -> Any:
    """A Llama of these sizes as transformers builds it, with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(settings.seed)
    config = LlamaConfig(
        vocab_size=opened.size,
        hidden_size=settings.hidden,
        intermediate_size=settings.inner,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.kv_heads,
        head_dim=settings.hidden // settings.heads,
        max_position_embeddings=settings.positions,
        rms_norm_eps=1e-5,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": settings.theta,
            "factor": settings.scaling,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": settings.trained_positions,
        },
        bos_token_id=opened.encode([""])[0][0],
        eos_token_id=list(opened.ends),
        tie_word_embeddings=False,
        use_cache=False,
    )
    model = LlamaForCausalLM(config)
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.05 if "embed" in name else 1.0 / math.sqrt(weight.shape[1]))
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.data /= math.sqrt(2 * settings.layers)
    return model


def encoder(opened: tokenizer.Llama3Tokenizer) -> Encode:
    """How articles become samples of training."""

    def encode(written: Sequence[Article]) -> list[tuple[list[int], list[int]]]:
        prompts = opened.encode([prompt(one.text) for one in written])
        summaries = opened.encode([one.highlights for one in written], special=False)
        return [(p, [*s, opened.ends[0]]) for p, s in zip(prompts, summaries, strict=True)]

    return encode


def batches(settings: Settings, opened: tokenizer.Llama3Tokenizer) -> Callable[[int], Batch]:
    """What each step is spent on."""
    return training.of_articles(settings, Stream(f"llama-train-{settings.seed}", encoder(opened), opened.ends[0]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, export and score; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m code.benchmarks.llama3_1_8b.tiny.train", description=__doc__)
    parser.add_argument("--steps", type=int, default=Settings.taken, help="optimiser steps (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=MODEL, help="the folder to write (default: the committed one)")
    parser.add_argument("--checkpoint", type=Path, help="a folder that gets the weights once a minute")
    parser.add_argument("--from_checkpoint", type=Path, help="export and score these weights instead of training")
    options = parser.parse_args(arguments)
    try:
        train(Settings(taken=options.steps), options.out, options.checkpoint, options.from_checkpoint)
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status
    return 0


def train(settings: Settings, out: Path, checkpoint: Path | None = None, ready: Path | None = None) -> None:
    """Replace the folder `out` by a new tokenizer, model and record; until all is done, the old ones stay.

    Args:
        checkpoint: gets the weights once a minute, and the tokenizer.
        ready: a folder with trained weights and their tokenizer, in place of training.
    """
    training.require_packages()
    from code.benchmarks.llama3_1_8b.tiny import record, vocabulary

    start = time.monotonic()
    with atomic_directory(out) as folder:
        if ready is None:
            console.say("learning the vocabulary")
            vocabulary.learn(vocabulary.corpus(), folder)
            ends = [vocabulary.SIZE - 1, vocabulary.SIZE - 2]  # the end of a turn, which the model gives, and of plain text
            write_json(folder / tokenizer.GENERATION, {"bos_token_id": vocabulary.SIZE - 3, "eos_token_id": ends})
            if checkpoint is not None:
                shutil.copytree(folder, checkpoint, dirs_exist_ok=True)
            opened = tokenizer.read(folder)
            network = training.fit(settings, new_model(settings, opened), batches(settings, opened), checkpoint)
            console.say(f"trained in {console.duration(time.monotonic() - start)}")
        else:
            from transformers import LlamaForCausalLM

            for name in (tokenizer.WHOLE, tokenizer.SETTINGS, tokenizer.GENERATION):
                shutil.copyfile(ready / name, folder / name)
            opened = tokenizer.read(folder)
            network = LlamaForCausalLM.from_pretrained(str(ready), local_files_only=True)  # nosec B615  # a folder
        network.config.use_cache = True
        network.generation_config.update(bos_token_id=opened.encode([""])[0][0], eos_token_id=list(opened.ends))
        network.save_pretrained(str(folder))
        (folder / "model.safetensors").chmod(0o644)
        console.say("exporting and scoring")
        training.keep_export(open_checkpoint(folder))
        generating.write_expected(record.expect(folder), folder / record.EXPECTED_FILE)
        scores = record.measure(folder)
        write_json(folder / RECORD.name, {**scores, "training": asdict(settings)})
    best = scores["scores"]
    console.say(f"ROUGE-1 {best['ROUGE1']:.3f}, ROUGE-2 {best['ROUGE2']:.3f}, ROUGE-L {best['ROUGEL']:.3f}: {out}")


if __name__ == "__main__":
    sys.exit(main())
