"""Trains the tiny variant's BERT and writes everything that is committed of it: vocabulary, ONNX model and record.

    python -m code.benchmarks.bert.tiny.train

Needs torch (the project's optional extra `train`). Everything follows from fixed seeds; matrix products are computed in
bfloat16, so that another CPU gives an equally good model rather than the same bits.
"""

from __future__ import annotations

import argparse
import copy
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code.benchmarks.bert.tiny import MODEL, RECORD, VOCAB, record, vocabulary
from code.benchmarks.bert.tiny.pieces import PieceCounter
from code.benchmarks.text.tiny.training import Course, Phase
from code.common import console
from code.common.errors import HarnessError, MissingError
from code.common.files import atomic_directory, write_json

if TYPE_CHECKING:
    from code.benchmarks.bert.tiny.samples import Batch


@dataclass(frozen=True)
class Settings(Course):
    """How the model is trained.

    Attributes:
        hidden, layers, heads, intermediate: the model's sizes.
    """

    hidden: int = 96
    layers: int = 3
    heads: int = 3
    intermediate: int = 384
    steps: int = 12_500
    phases: tuple[Phase, ...] = (Phase(0.32, 1536, 60), Phase(0.2, 2048, 110), Phase(0.48, 3072))
    rate: float = 1.5e-3


class Trainer:
    """The model, its float32 weights and the bfloat16 copy that computes."""

    def __init__(self, settings: Settings, vocabulary_size: int) -> None:
        import torch

        from code.benchmarks.bert.tiny.model import BertForQuestionAnswering, Shape

        # One thread: with more, a busy neighbour makes every matrix product wait for the slowest.
        torch.set_num_threads(1)
        torch.manual_seed(settings.seed)
        self.settings = settings
        sizes = Shape(vocabulary_size, settings.hidden, settings.layers, settings.heads, settings.intermediate)
        self.model = BertForQuestionAnswering(sizes)
        self._quick = copy.deepcopy(self.model).to(torch.bfloat16)
        self._weights, self._quick_weights = list(self.model.parameters()), list(self._quick.parameters())
        plain = [w for name, w in self.model.named_parameters() if w.dim() > 1 and "embeddings" not in name]
        known = {id(w) for w in plain}
        groups = [
            {"params": plain, "weight_decay": settings.weight_decay},
            {"params": [w for w in self._weights if id(w) not in known], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98))

    def step(self, batch: Batch, rate: float) -> float:
        """One optimiser step; returns the loss: the mean cross-entropy of start and end."""
        import torch
        from torch.nn import functional

        inputs = [torch.from_numpy(array) for array in (batch.input_ids, batch.input_mask, batch.segment_ids)]
        padding = inputs[1] == 0
        loss = torch.zeros(())
        for logits, truth in zip(self._quick(*inputs), (batch.starts, batch.ends), strict=True):
            masked = logits.float().masked_fill(padding, -10000.0)
            loss = loss + functional.cross_entropy(masked, torch.from_numpy(truth)) / 2
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

    def weights(self) -> dict[str, Any]:
        """The float32 weights as NumPy arrays under torch's names."""
        return {name: tensor.detach().numpy().copy() for name, tensor in self.model.state_dict().items()}


def fit(settings: Settings, vocab: Path) -> dict[str, Any]:
    """Train on articles written on the fly and return the weights as NumPy arrays."""
    from tokenizers import BertWordPieceTokenizer

    from code.benchmarks.bert.tiny.samples import Stream

    tokenizer = BertWordPieceTokenizer(str(vocab), lowercase=True)
    trainer = Trainer(settings, tokenizer.get_vocab_size())
    stream = Stream(f"train-{settings.seed}", tokenizer, PieceCounter(vocab))
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
                console.say(f"step {step + 1}: loss {mean:.3f}, contexts up to {phase.longest or 'any'} pieces")
    return trainer.weights()


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, export and score; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m code.benchmarks.bert.tiny.train", description=__doc__)
    parser.add_argument("--steps", type=int, default=Settings.steps, help="optimiser steps (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=MODEL.parent, help="the folder to write (default: the committed one)")
    options = parser.parse_args(arguments)
    try:
        train(Settings(steps=options.steps), options.out)
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status
    return 0


def train(settings: Settings, out: Path) -> None:
    """Replace the folder `out` by a new vocabulary, model and record; until all is done, the old ones stay."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingError("torch is not installed", str(error), "run `pip install '.[train]'`") from error
    from code.benchmarks.bert.tiny import export

    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        vocab = Path(scratch) / VOCAB.name
        console.say("learning the vocabulary")
        vocabulary.learn(vocabulary.corpus(), vocab)
        weights = fit(settings, vocab)
        console.say(f"trained in {console.duration(time.monotonic() - start)}; scoring")
        with atomic_directory(out) as folder:
            shutil.copyfile(vocab, folder / VOCAB.name)
            export.write(export.build(weights, settings.heads), folder / MODEL.name)
            scores = record.measure(folder / MODEL.name, folder / VOCAB.name)
            write_json(folder / RECORD.name, {**scores, "training": asdict(settings)})
    console.say(f"F1 {scores['F1']:.3f}, exact match {scores['exact_match']:.3f}: {out}")


if __name__ == "__main__":
    sys.exit(main())
