"""`python -m code.benchmarks.unet3d.tiny.train`: train the tiny 3D U-Net on generated phantoms, export it and record its score.

Seeds are fixed, but convolutions are computed in bfloat16, so that another processor gives an equally good model rather than the
same bits.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from code.benchmarks.unet3d.tiny import MODEL, RECORD, ROI
from code.common import console
from code.common.errors import HarnessError, MissingError
from code.common.files import atomic_directory, atomic_write, write_json


@dataclass(frozen=True)
class Settings:
    """How the model is trained.

    Attributes:
        widths: channels of each level, the finest first.
        steps: optimiser steps of `batch` windows each.
        rate: the peak learning rate, reached after `warm_up` steps and let down along a cosine.
        seed: of the phantoms and the initial weights.
    """

    widths: tuple[int, ...] = (8, 16, 32, 64)
    steps: int = 2_200
    batch: int = 2
    rate: float = 3e-3
    warm_up: int = 100
    weight_decay: float = 1e-4
    seed: int = 1

    def rate_at(self, step: int) -> float:
        """The learning rate of this step."""
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.rate * min(1.0, (step + 1) / self.warm_up) * (0.99 * cosine + 0.01)


def fit(settings: Settings, checkpoint: Path | None = None) -> dict[str, Any]:
    """Train and return the weights as float32 NumPy arrays.

    The loss is cross-entropy plus one minus the mean soft DICE of kidney and tumour over the batch (Milletari et al., 2016).
    With `checkpoint`, the weights so far are kept there from time to time.
    """
    import numpy as np
    import torch
    from torch.nn import functional

    from code.benchmarks.unet3d.tiny.model import UNet3D, arrays
    from code.benchmarks.unet3d.tiny.samples import Patches

    # One thread: with more, a busy neighbour makes every convolution wait for the slowest.
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    model = UNet3D(settings.widths)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
    patches = Patches(f"train-{settings.seed}", ROI)
    weight = torch.tensor([1.0, 1.5, 2.5])
    mean, shares, last = 0.0, np.zeros(2), time.monotonic()
    with console.Progress("training", settings.steps, "steps") as progress:
        for step in range(settings.steps):
            drawn = [patches.next() for _ in range(settings.batch)]
            image = torch.from_numpy(np.stack([p.image for p in drawn])[:, None])
            label = torch.from_numpy(np.stack([p.label for p in drawn]))
            with torch.autocast("cpu", torch.bfloat16):
                scores = model(image)
            scores = scores.float()
            chances = functional.softmax(scores, dim=1)[:, 1:]
            truth = torch.stack([label == 1, label == 2], dim=1).float()
            both = (chances * truth).sum(dim=(0, 2, 3, 4))
            dice = (2 * both + 10.0) / (chances.sum(dim=(0, 2, 3, 4)) + truth.sum(dim=(0, 2, 3, 4)) + 10.0)
            loss = functional.cross_entropy(scores, label, weight=weight) + 1 - dice.mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            for group in optimiser.param_groups:
                group["lr"] = settings.rate_at(step)
            optimiser.step()
            value = float(loss.detach())
            mean = value if step == 0 else 0.98 * mean + 0.02 * value
            shares = 0.98 * shares + 0.02 * dice.detach().numpy()
            progress.note = f"loss {mean:.3f}"
            progress.advance(1)
            if time.monotonic() - last > 60 or step + 1 == settings.steps:
                last = time.monotonic()
                console.say(f"step {step + 1}: loss {mean:.3f}, kidney {shares[0]:.3f}, tumour {shares[1]:.3f}")
                if checkpoint is not None:
                    with atomic_write(checkpoint, "wb") as out:
                        np.savez(out, **arrays(model))
    return arrays(model)


def train(settings: Settings, out: Path, checkpoint: Path | None = None) -> None:
    """Replace the folder `out` by a new model and record; until all is done, the old ones stay."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingError("torch is not installed", str(error), "run `pip install '.[train]'`") from error
    from code.benchmarks.unet3d.tiny import export, record

    start = time.monotonic()
    weights = fit(settings, checkpoint)
    console.say(f"trained in {console.duration(time.monotonic() - start)}; scoring")
    with atomic_directory(out) as folder:
        export.write(export.build(weights, ROI), folder / MODEL.name)
        content = record.measure(folder / MODEL.name)
        write_json(folder / RECORD.name, {**content, "training": asdict(settings)})
    console.say(f"DICE {content['DICE']:.4f}, kidney {content['kidney']:.4f}, tumour {content['tumor']:.4f}: {out}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, export and score; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m code.benchmarks.unet3d.tiny.train", description=__doc__)
    parser.add_argument("--steps", type=int, default=Settings.steps, help="optimiser steps (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=MODEL.parent, help="the folder to write (default: the committed one)")
    parser.add_argument("--checkpoint", type=Path, help="keep the weights so far in this .npz file")
    options = parser.parse_args(arguments)
    try:
        train(Settings(steps=options.steps), options.out, options.checkpoint)
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
