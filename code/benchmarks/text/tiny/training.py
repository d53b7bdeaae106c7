"""Trains a small causal language model of transformers on generated articles.

Everything follows from fixed seeds; matrix products are computed in bfloat16, so that another CPU gives an equally good model rather
than the same bits.
"""

from __future__ import annotations

import copy
import importlib
import math
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from code.benchmarks.text import export
from code.benchmarks.text.checkpoint import EXPORTED, Checkpoint
from code.benchmarks.text.tiny.samples import Batch, Stream
from code.common import console
from code.common.errors import MissingError


@dataclass(frozen=True)
class Phase:
    """A part of training: `share` of the steps on batches of `tokens` tokens (padding included).

    `longest` bounds a text (an article in words, a context in word pieces); without it, lengths are the evaluation set's.
    """

    share: float
    tokens: int
    longest: int | None = None


@dataclass(frozen=True)
class Course:
    """What the steps of a training are spent on, and at which rate.

    Attributes:
        steps: optimiser steps.
        phases: what the steps are spent on. Short articles and small batches first: where to look is learnt in many small steps.
        rate: the peak learning rate, reached after `warm_up` steps and let down along a cosine.
        seed: of the articles and the initial weights.
    """

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


@dataclass(frozen=True)
class Schedule(Course):
    """How a text generator is trained.

    Attributes:
        taken: only the first so many of the steps are taken; 0 for all.
    """

    taken: int = 0


class Trainer:
    """The model, its float32 weights and the bfloat16 copy that computes.

    Args:
        model: a causal language model of transformers, with `base_model` and `lm_head`.
    """

    def __init__(self, schedule: Schedule, model: Any) -> None:
        import torch

        # One thread: with more, a busy neighbour makes every matrix product wait for the slowest.
        torch.set_num_threads(1)
        self.model = model
        self._quick = copy.deepcopy(self.model).to(torch.bfloat16).train()
        self._weights, self._quick_weights = list(self.model.parameters()), list(self._quick.parameters())
        embeddings = {id(w) for w in self.model.get_input_embeddings().parameters()}
        plain = [w for w in self._weights if w.dim() > 1 and id(w) not in embeddings]
        known = {id(w) for w in plain}
        groups = [
            {"params": plain, "weight_decay": schedule.weight_decay},
            {"params": [w for w in self._weights if id(w) not in known], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=schedule.rate, betas=(0.9, 0.98), fused=True)

    def step(self, batch: Batch, rate: float) -> float:
        """One optimiser step; returns the mean cross-entropy of the summaries' tokens."""
        import torch
        from torch.nn import functional

        ids = torch.from_numpy(batch.ids)
        summary = torch.from_numpy(batch.summary)[:, 1:]
        hidden = self._quick.base_model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
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


def fit(schedule: Schedule, model: Any, batches: Callable[[int], Batch], checkpoint: Path | None = None) -> Any:
    """Train and return the model with its float32 weights.

    Args:
        batches: called with the number of each step, in their order.
        checkpoint: gets the weights once a minute.
    """
    trainer = Trainer(schedule, model)
    mean, last = 0.0, time.monotonic()
    wanted = schedule.taken or schedule.steps
    with console.Progress("training", wanted, "steps") as progress:
        for step in range(wanted):
            loss = trainer.step(batches(step), schedule.rate_at(step))
            mean = loss if step == 0 else 0.99 * mean + 0.01 * loss
            progress.note = f"loss {mean:.3f}"
            progress.advance(1)
            if time.monotonic() - last > 60:
                last = time.monotonic()
                console.say(f"step {step + 1}: loss {mean:.3f}")
                if checkpoint is not None:
                    trainer.model.save_pretrained(checkpoint)
    return trainer.model


def of_articles(schedule: Schedule, stream: Stream) -> Callable[[int], Batch]:
    """The batches of a schedule: articles written on the fly."""

    def batch(step: int) -> Batch:
        phase = schedule.phase(step)
        return stream.batch(phase.tokens, phase.longest)

    return batch


def keep_export(checkpoint: Checkpoint) -> None:
    """Put the model in OpenVINO's format into openvino/ below its folder."""
    from code.backends.generators.text import IR, IR_WEIGHTS

    place = checkpoint.folder / EXPORTED
    with tempfile.TemporaryDirectory() as scratch:
        export.to_openvino(checkpoint, "fp32", Path(scratch))
        place.mkdir()
        for name in (IR, IR_WEIGHTS):
            shutil.copyfile(Path(scratch) / name, place / name)


def require_packages() -> None:
    """MissingError where a package that training and export need is not installed."""
    for package in ("torch", "transformers", "optimum.intel"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingError(f"{package} is not installed", str(error), "run `pip install '.[train,export]'`") from error
