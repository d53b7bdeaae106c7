"""Layers of text generators in PyTorch, by shape: what a prompt's pass and a token's pass take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """A decoder's layer.

    Args:
        hidden, heads, kv_heads, inner: sizes of a layer.
        gated: whether the feed-forward part has a gate (SwiGLU), with three matrices instead of two.
        layers: of the whole model.
    """

    hidden: int
    heads: int
    kv_heads: int
    inner: int
    gated: bool
    layers: int


SHAPES = {"gptj": Shape(4096, 16, 16, 16384, False, 28), "llama3_1_8b": Shape(4096, 32, 8, 14336, True, 32)}
PROMPT = 1024
BATCHES = (1, 32, 128)


def layer_times(shape: Shape) -> dict[str, Any]:
    """Milliseconds of a layer for a prompt of PROMPT tokens, and for one token of each of several batches with PROMPT tokens behind."""
    import torch

    half, device = torch.bfloat16, "cuda"

    def matrix(rows: int, columns: int) -> Any:
        return torch.randn(rows, columns, dtype=half, device=device) * 0.02

    size = shape.hidden // shape.heads
    wide = size * (shape.heads + 2 * shape.kv_heads)
    qkv, out = matrix(shape.hidden, wide), matrix(shape.hidden, shape.hidden)
    up, down = matrix(shape.hidden, shape.inner * (2 if shape.gated else 1)), matrix(shape.inner, shape.hidden)

    def heads(x: Any, count: int) -> Any:
        return x.unflatten(-1, (count, size)).transpose(1, 2)

    def layer(x: Any, keys: Any, values: Any) -> Any:
        mixed = torch.nn.functional.rms_norm(x, (shape.hidden,)) @ qkv
        q, k, v = mixed.split([size * shape.heads, size * shape.kv_heads, size * shape.kv_heads], dim=-1)
        q, k, v = heads(q, shape.heads), heads(k, shape.kv_heads), heads(v, shape.kv_heads)
        if keys is not None:
            k, v = torch.cat([keys, k], 2), torch.cat([values, v], 2)
        attended = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, is_causal=keys is None, enable_gqa=shape.kv_heads != shape.heads
        )
        x = x + attended.transpose(1, 2).flatten(-2) @ out
        inner = torch.nn.functional.rms_norm(x, (shape.hidden,)) @ up
        if shape.gated:
            gate, inner = inner.chunk(2, dim=-1)
            inner = torch.nn.functional.silu(gate) * inner
        else:
            inner = torch.nn.functional.gelu(inner)
        return x + inner @ down

    def milliseconds(*arguments: Any) -> float:
        for _ in range(5):
            layer(*arguments)
        torch.cuda.synchronize()
        begin = time.monotonic()
        for _ in range(20):
            layer(*arguments)
        torch.cuda.synchronize()
        return round((time.monotonic() - begin) / 20 * 1e3, 4)

    with torch.inference_mode():
        prompt = torch.randn(1, PROMPT, shape.hidden, dtype=half, device=device)
        found: dict[str, Any] = {"layers": shape.layers, f"prompt_{PROMPT}_ms": milliseconds(prompt, None, None)}
        for batch in BATCHES:
            x = torch.randn(batch, 1, shape.hidden, dtype=half, device=device)
            cache = [torch.randn(batch, shape.kv_heads, PROMPT, size, dtype=half, device=device) for _ in range(2)]
            found[f"token_batch_{batch}_ms"] = milliseconds(x, *cache)
    return found
