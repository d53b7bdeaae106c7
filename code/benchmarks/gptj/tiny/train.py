"""Trains the tiny variant's GPT-J and writes everything that is committed of it: vocabulary, weights, engine source and record.

    python -m code.benchmarks.gptj.tiny.train

Needs torch, transformers and optimum-intel (the project's optional extras `train` and `export`). Everything follows from fixed
seeds; matrix products are computed in bfloat16, so that another CPU gives an equally good model rather than the same bits.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.benchmarks.gptj import facts
from code.benchmarks.gptj.tiny import MODEL, RECORD
from code.common import console
from code.common.errors import HarnessError, MissingError
from code.common.files import atomic_directory, write_json

if TYPE_CHECKING:
    from code.benchmarks.gptj.tiny.samples import Batch


@dataclass(frozen=True)
class Phase:
    """A part of training: `share` of the steps on batches of `tokens` tokens (padding included).

    `longest` bounds an article in words; without it, lengths are the evaluation set's.
    """

    share: float
    tokens: int
    longest: int | None = None


@dataclass(frozen=True)
class Settings:
    """How the model is trained.

    Attributes:
        hidden, layers, heads, rotary: the model's sizes; `rotary` dimensions of each head are rotated.
        steps: optimiser steps.
        phases: what the steps are spent on. Short articles and small batches first: where to look is learnt in many small steps.
        rate: the peak learning rate, reached after `warm_up` steps and let down along a cosine.
        seed: of the articles and the initial weights.
    """

    hidden: int = 96
    layers: int = 3
    heads: int = 3
    rotary: int = 16
    positions: int = 2048
    steps: int = 5_000
    phases: tuple[Phase, ...] = (Phase(0.45, 1280, 30), Phase(0.25, 1792, 60), Phase(0.3, 2560))
    rate: float = 1.5e-3
    warm_up: int = 200
    weight_decay: float = 0.01
    seed: int = 1

    def phase(self, step: int) -> Phase:
        """The phase that this step belongs to."""
        done = 0.0
        for phase in self.phases:
            done += phase.share
            if step < done * self.steps:
                return phase
        return self.phases[-1]

    def rate_at(self, step: int) -> float:
        """The learning rate of this step."""
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.rate * min(1.0, (step + 1) / self.warm_up) * (0.98 * cosine + 0.02)


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


class Trainer:
    """The model, its float32 weights and the bfloat16 copy that computes."""

    def __init__(self, settings: Settings, vocabulary: int) -> None:
        import torch

        # One thread: with more, a busy neighbour makes every matrix product wait for the slowest.
        torch.set_num_threads(1)
        self.settings = settings
        self.model = new_model(settings, vocabulary)
        self._quick = copy.deepcopy(self.model).to(torch.bfloat16).train()
        self._weights, self._quick_weights = list(self.model.parameters()), list(self._quick.parameters())
        plain = [w for name, w in self.model.named_parameters() if w.dim() > 1 and "wte" not in name]
        known = {id(w) for w in plain}
        groups = [
            {"params": plain, "weight_decay": settings.weight_decay},
            {"params": [w for w in self._weights if id(w) not in known], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98), fused=True)

    def step(self, batch: Batch, rate: float) -> float:
        """One optimiser step; returns the mean cross-entropy of the summaries' tokens."""
        import torch
        from torch.nn import functional

        ids = torch.from_numpy(batch.ids)
        summary = torch.from_numpy(batch.summary)[:, 1:]
        hidden = self._quick.transformer(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
        logits = self._quick.lm_head(hidden[summary])
        loss = functional.cross_entropy(logits.float(), ids[:, 1:][summary])
        self._quick.zero_grad()
        loss.backward()
        for weight, quick in zip(self._weights, self._quick_weights, strict=True):
            weight.grad = quick.grad.float()
        torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        with torch.no_grad():
            torch._foreach_copy_(self._quick_weights, self._weights)
        return float(loss.detach())


def fit(settings: Settings, vocabulary: Path, checkpoint: Path | None = None) -> Any:
    """Train on articles written on the fly and return the model with its float32 weights."""
    from tokenizers import ByteLevelBPETokenizer

    from code.benchmarks.gptj.tiny.samples import Stream

    tokenizer = ByteLevelBPETokenizer(str(vocabulary / "vocab.json"), str(vocabulary / "merges.txt"))
    size = tokenizer.get_vocab_size()
    trainer = Trainer(settings, size)
    stream = Stream(f"train-{settings.seed}", tokenizer, size - 1)
    mean, last = 0.0, time.monotonic()
    with console.Progress("training", settings.steps, "steps") as progress:
        for step in range(settings.steps):
            phase = settings.phase(step)
            loss = trainer.step(stream.batch(phase.tokens, phase.longest), settings.rate_at(step))
            mean = loss if step == 0 else 0.99 * mean + 0.01 * loss
            progress.note = f"loss {mean:.3f}"
            progress.advance(1)
            if time.monotonic() - last > 60:
                last = time.monotonic()
                console.say(f"step {step + 1}: loss {mean:.3f}, articles up to {phase.longest or 'any'} words")
                if checkpoint is not None:
                    trainer.model.save_pretrained(checkpoint)
    return trainer.model


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
    _require_packages()
    from code.benchmarks.gptj.tiny import record, vocabulary

    start = time.monotonic()
    with atomic_directory(out) as folder:
        if ready is None:
            console.say("learning the vocabulary")
            vocabulary.learn(vocabulary.corpus(), folder)
            network = fit(settings, folder, checkpoint)
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
        _export(folder)
        record.write_expected(record.expect(folder), folder / record.EXPECTED_FILE)
        scores = record.measure(folder)
        write_json(folder / RECORD.name, {**scores, "training": asdict(settings)})
    best = scores["scores"][f"beams_{facts.NUM_BEAMS}"]
    console.say(f"ROUGE-1 {best['ROUGE1']:.3f}, ROUGE-2 {best['ROUGE2']:.3f}, ROUGE-L {best['ROUGEL']:.3f}: {out}")


def _export(folder: Path) -> None:
    """The model in OpenVINO's format in openvino/ below it."""
    from code.backends.generators.text import IR, IR_WEIGHTS
    from code.benchmarks.gptj import export
    from code.benchmarks.gptj.checkpoint import EXPORTED, open_checkpoint

    place = folder / EXPORTED
    with tempfile.TemporaryDirectory() as scratch:
        export.to_openvino(open_checkpoint(folder), "fp32", Path(scratch))
        place.mkdir()
        for name in (IR, IR_WEIGHTS):
            shutil.copyfile(Path(scratch) / name, place / name)


def _require_packages() -> None:
    for package in ("torch", "transformers", "optimum.intel"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingError(f"{package} is not installed", str(error), "run `pip install '.[train,export]'`") from error


if __name__ == "__main__":
    sys.exit(main())
