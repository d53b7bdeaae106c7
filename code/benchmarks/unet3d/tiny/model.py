"""The tiny 3D U-Net in PyTorch, for training only: the reference's structure with fewer and narrower levels.

Every convolution is followed by instance normalisation and a leaky ReLU; a level down is a convolution of stride 2, a level up a
transposed one of stride 2 whose result is joined with the skip connection; a 1 × 1 × 1 convolution gives the three classes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn

SLOPE = 0.01
EPSILON = 1e-5


class ConvBlock(nn.Module):  # type: ignore[misc]
    """Convolution, instance normalisation, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm = nn.InstanceNorm3d(outputs, eps=EPSILON, affine=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, inputs, D, H, W] → [B, outputs, D / stride, H / stride, W / stride]."""
        out: torch.Tensor = nn.functional.leaky_relu(self.norm(self.conv(x)), SLOPE)
        return out


class UNet3D(nn.Module):  # type: ignore[misc]
    """[B, 1, D, H, W] → [B, 3, D, H, W]; D, H and W are multiples of 2 to the number of levels down.

    Args:
        widths: channels of each level, the finest first.
    """

    def __init__(self, widths: tuple[int, ...], classes: int = 3) -> None:
        super().__init__()
        self.input_block = nn.Sequential(ConvBlock(1, widths[0]), ConvBlock(widths[0], widths[0]))
        pairs = list(pairwise(widths))
        self.downsamples = nn.ModuleList(nn.Sequential(ConvBlock(a, b, 2), ConvBlock(b, b)) for a, b in pairs)
        self.transposes = nn.ModuleList(nn.ConvTranspose3d(b, a, 2, stride=2) for a, b in reversed(pairs))
        self.upsamples = nn.ModuleList(nn.Sequential(ConvBlock(2 * a, a), ConvBlock(a, a)) for a, _ in reversed(pairs))
        self.output = nn.Conv3d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of the classes."""
        x = self.input_block(x)
        skips = [x]
        for down in self.downsamples:
            skips.append(down(skips[-1]))
        x = skips.pop()
        for up, block in zip(self.transposes, self.upsamples, strict=True):
            x = block(torch.cat((up(x), skips.pop()), dim=1))
        out: torch.Tensor = self.output(x)
        return out


def arrays(model: UNet3D) -> dict[str, Any]:
    """The weights as float32 NumPy arrays under torch's names."""
    return {name: tensor.detach().float().cpu().numpy().copy() for name, tensor in model.state_dict().items()}
