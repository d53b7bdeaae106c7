"""BERT for question answering as a plain torch module: the architecture and parameter names of the MLPerf reference, small.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", 2018: learned word,
position and segment embeddings, post-LayerNorm encoder, GELU by erf, one linear layer for the start and end logits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """The sizes of a BERT; `hidden` must be a multiple of `heads`."""

    vocabulary: int
    hidden: int = 128
    layers: int = 3
    heads: int = 4
    intermediate: int = 512
    positions: int = 512
    segments: int = 2
    dropout: float = 0.0
    epsilon: float = 1e-12


class Embeddings(nn.Module):  # type: ignore[misc]
    """Word, position and segment embeddings, added and normalised."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(shape.vocabulary, shape.hidden)
        self.position_embeddings = nn.Embedding(shape.positions, shape.hidden)
        self.token_type_embeddings = nn.Embedding(shape.segments, shape.hidden)
        self.LayerNorm = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, input_ids: torch.Tensor, segment_ids: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        total = self.word_embeddings(input_ids) + self.token_type_embeddings(segment_ids)
        return self.dropout(self.LayerNorm(total + self.position_embeddings(positions)))


class SelfAttention(nn.Module):  # type: ignore[misc]
    """Multi-head attention: softmax(QKᵀ/√d + mask)·V."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query = nn.Linear(shape.hidden, shape.hidden)
        self.key = nn.Linear(shape.hidden, shape.hidden)
        self.value = nn.Linear(shape.hidden, shape.hidden)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        batch, length, width = hidden.shape

        def split(x: torch.Tensor) -> torch.Tensor:
            return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

        scores = split(self.query(hidden)) @ split(self.key(hidden)).transpose(2, 3)
        probabilities = functional.softmax(scores / math.sqrt(width // self.heads) + mask, dim=-1)
        context = probabilities @ split(self.value(hidden))
        return context.transpose(1, 2).reshape(batch, length, width)


class ResidualOutput(nn.Module):  # type: ignore[misc]
    """A linear layer whose result is added to the residual and normalised."""

    def __init__(self, inputs: int, shape: Shape) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, shape.hidden)
        self.LayerNorm = nn.LayerNorm(shape.hidden, eps=shape.epsilon)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, hidden: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        return self.LayerNorm(self.dropout(self.dense(hidden)) + residual)


class Attention(nn.Module):  # type: ignore[misc]
    """Self-attention and its output layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self = SelfAttention(shape)
        self.output = ResidualOutput(shape.hidden, shape)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.output(self.self(hidden, mask), hidden)


class Intermediate(nn.Module):  # type: ignore[misc]
    """The widening linear layer with GELU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.dense = nn.Linear(shape.hidden, shape.intermediate)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return functional.gelu(self.dense(hidden))


class Layer(nn.Module):  # type: ignore[misc]
    """One encoder layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention = Attention(shape)
        self.intermediate = Intermediate(shape)
        self.output = ResidualOutput(shape.intermediate, shape)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        attended = self.attention(hidden, mask)
        return self.output(self.intermediate(attended), attended)


class Encoder(nn.Module):  # type: ignore[misc]
    """The stack of layers."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(shape) for _ in range(shape.layers))

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        for layer in self.layer:
            hidden = layer(hidden, mask)
        return hidden


class Bert(nn.Module):  # type: ignore[misc]
    """Embeddings and encoder; a masked position gets -10000 before the softmax, as in the reference."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embeddings = Embeddings(shape)
        self.encoder = Encoder(shape)

    def forward(self, input_ids: torch.Tensor, input_mask: torch.Tensor, segment_ids: torch.Tensor) -> torch.Tensor:
        hidden = self.embeddings(input_ids, segment_ids)
        mask = (1.0 - input_mask[:, None, None, :].to(hidden.dtype)) * -10000.0
        return self.encoder(hidden, mask)


def _waves(positions: int, width: int) -> torch.Tensor:
    """Sines and cosines of falling frequency, [positions, width] (Vaswani et al., 2017, section 3.5)."""
    count = width // 2
    angles = torch.arange(positions)[:, None] / 10000 ** (torch.arange(count) / count)
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)


class BertForQuestionAnswering(nn.Module):  # type: ignore[misc]
    """(input_ids, input_mask, segment_ids), int64 [batch, length] each → start and end logits, float32 [batch, length]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.bert = Bert(shape)
        self.qa_outputs = nn.Linear(shape.hidden, 2)
        self.apply(self._initialise)

    def _initialise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=1.0 / math.sqrt(module.in_features))
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02 if module.num_embeddings == self.shape.segments else 0.1)
        elif isinstance(module, Embeddings):
            # Learnt like every other weight, but neighbours start alike, which spares a small model much of its training.
            module.position_embeddings.weight.data = 0.15 * _waves(self.shape.positions, self.shape.hidden)

    def forward(
        self, input_ids: torch.Tensor, input_mask: torch.Tensor, segment_ids: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.qa_outputs(self.bert(input_ids, input_mask, segment_ids))
        return logits[..., 0], logits[..., 1]
