"""What runs require of a machine: minimum versions and limits, as data that the checks read.

What a benchmark needs (disk space, files) is among its facts.
"""

from __future__ import annotations

DOCKER = (20, 10)
"""First Docker release with --gpus and with BuildKit as the default builder."""

CONTAINER_TOOLKIT = (1, 14)
"""First NVIDIA Container Toolkit with `nvidia-ctk runtime configure`."""

DRIVER_FOR_CUDA: dict[int, tuple[int, ...]] = {11: (450, 80, 2), 12: (525, 60, 13), 13: (580, 65, 6)}
"""Minimum Linux driver for each CUDA major version (CUDA Toolkit release notes, minor version compatibility)."""

CUDA_OF_TENSORRT: dict[int, tuple[int, ...]] = {8: (11, 12), 9: (12,), 10: (12, 13)}
"""CUDA major versions that TensorRT releases are built for."""

LOADGEN = (6, 0, 17)
"""Oldest mlcommons-loadgen that this harness is tested with."""

OPEN_FILES = 4096
LOCKED_BYTES = 64 << 20
SHARED_MEMORY_BYTES = 1 << 30
CLOCK_SKEW_S = 5.0
