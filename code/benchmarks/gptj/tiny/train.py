"""Trains the tiny variant's GPT-J and writes everything that is committed of it: vocabulary, weights, engine source and record.

    python -m code.benchmarks.gptj.tiny.train

Needs torch, transformers and optimum-intel (the project's optional extras `train` and `export`). Everything follows from fixed
seeds; matrix products are computed in bfloat16, so that another CPU gives an equally good model rather than the same bits.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from code.benchmarks.gptj import facts
from code.benchmarks.gptj.checkpoint import open_checkpoint
from code.benchmarks.gptj.prompt import prompt
from code.benchmarks.gptj.tiny import MODEL, RECORD
from code.benchmarks.text.tiny import generating, training
from code.benchmarks.text.tiny.articles import Article
from code.benchmarks.text.tiny.samples import Encode, Stream
from code.benchmarks.text.tiny.training import Schedule
from code.common import console
from code.common.errors import HarnessError
from code.common.files import atomic_directory, write_json


@dataclass(frozen=True)
class Settings(Schedule):
    """How the model is trained.

    Attributes:
        hidden, layers, heads, rotary: the model's sizes; `rotary` dimensions of each head are rotated.
    """

    hidden: int = 96
    layers: int = 3
    heads: int = 3
    rotary: int = 16
    positions: int = 2048


def new_model(settings: Settings, vocabulary: int) -> Any:
    """A GPT-J of these sizes as transformers builds it, with random weights."""
    import torch
    from transformers import GPTJConfig, GPTJForCausalLM

    torch.manual_seed(settings.seed)
    config = GPTJConfig(
        vocab_size=vocabulary,
        n_positions=settings.positions,
        n_embd=settings.hidden,
        n_layer=settings.layers,
        n_head=settings.heads,
        rotary_dim=settings.rotary,
        attn_pdrop=0.0,
        embd_pdrop=0.0,
        resid_pdrop=0.0,
        bos_token_id=vocabulary - 1,
        eos_token_id=vocabulary - 1,
        tie_word_embeddings=False,
        use_cache=False,
    )
    model = GPTJForCausalLM(config)
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.05 if "wte" in name else 1.0 / math.sqrt(weight.shape[1]))
            if name.endswith(("out_proj.weight", "fc_out.weight")):
                weight.data /= math.sqrt(2 * settings.layers)
    return model


def encoder(vocabulary: Path) -> tuple[Encode, int]:
    """How articles become samples of training, and the number of entries, of which the last ends a text."""
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer(str(vocabulary / "vocab.json"), str(vocabulary / "merges.txt"))
    size = tokenizer.get_vocab_size()

    def encode(written: Sequence[Article]) -> list[tuple[list[int], list[int]]]:
        prompts = tokenizer.encode_batch([prompt(one.text) for one in written])
        summaries = tokenizer.encode_batch([one.highlights for one in written])
        return [(p.ids, [*s.ids, size - 1]) for p, s in zip(prompts, summaries, strict=True)]

    return encode, size


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, export and score; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m code.benchmarks.gptj.tiny.train", description=__doc__)
    parser.add_argument("--steps", type=int, default=Settings.steps, help="optimiser steps (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=MODEL, help="the folder to write (default: the committed one)")
    parser.add_argument("--checkpoint", type=Path, help="a folder that gets the weights once a minute")
    parser.add_argument("--from_checkpoint", type=Path, help="export and score these weights instead of training")
    options = parser.parse_args(arguments)
    try:
        train(Settings(steps=options.steps), options.out, options.checkpoint, options.from_checkpoint)
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status
    return 0


def train(settings: Settings, out: Path, checkpoint: Path | None = None, ready: Path | None = None) -> None:
    """Replace the folder `out` by a new vocabulary, model and record; until all is done, the old ones stay.

    Args:
        checkpoint: gets the weights once a minute.
        ready: a folder with trained weights and their vocabulary, in place of training.
    """
    training.require_packages()
    from code.benchmarks.gptj.tiny import record, vocabulary

    start = time.monotonic()
    with atomic_directory(out) as folder:
        if ready is None:
            console.say("learning the vocabulary")
            vocabulary.learn(vocabulary.corpus(), folder)
            encode, size = encoder(folder)
            stream = Stream(f"train-{settings.seed}", encode, size - 1)
            network = training.fit(settings, new_model(settings, size), training.of_articles(settings, stream), checkpoint)
            console.say(f"trained in {console.duration(time.monotonic() - start)}")
        else:
            from transformers import GPTJForCausalLM

            for name in ("vocab.json", "merges.txt"):
                shutil.copyfile(ready / name, folder / name)
            network = GPTJForCausalLM.from_pretrained(str(ready), local_files_only=True)  # nosec B615  # a folder
        network.config.use_cache = True
        network.save_pretrained(str(folder))
        (folder / "model.safetensors").chmod(0o644)
        console.say("exporting and scoring")
        training.keep_export(open_checkpoint(folder))
        generating.write_expected(record.expect(folder), folder / record.EXPECTED_FILE)
        scores = record.measure(folder)
        write_json(folder / RECORD.name, {**scores, "training": asdict(settings)})
    best = scores["scores"][f"beams_{facts.NUM_BEAMS}"]
    console.say(f"ROUGE-1 {best['ROUGE1']:.3f}, ROUGE-2 {best['ROUGE2']:.3f}, ROUGE-L {best['ROUGEL']:.3f}: {out}")


if __name__ == "__main__":
    sys.exit(main())
