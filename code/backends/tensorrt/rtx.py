"""TensorRT-RTX: the same API, engines for a named compute capability, built on any machine."""

from __future__ import annotations

from code.backends.tensorrt.backend import TensorRt
from code.backends.tensorrt.sdk import TENSORRT_RTX

BACKEND = TensorRt(TENSORRT_RTX)
