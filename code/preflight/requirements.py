"""What runs need: least versions, limits and disk space. Data alone; the checks read it."""

from __future__ import annotations

from typing import NamedTuple

GB = 10**9

DOCKER = (20, 10)
"""First Docker release whose --gpus option and BuildKit builds are both on by default."""

CONTAINER_TOOLKIT = (1, 14)
"""NVIDIA Container Toolkit that writes the runtime's configuration with `nvidia-ctk runtime configure`."""

DRIVER_FOR_CUDA: dict[int, tuple[int, ...]] = {11: (450, 80, 2), 12: (525, 60, 13), 13: (580, 65, 6)}
"""Least Linux driver for each CUDA major version (CUDA Toolkit release notes, minor version compatibility)."""

CUDA_OF_TENSORRT: dict[int, tuple[int, ...]] = {8: (11, 12), 9: (12,), 10: (12, 13)}
"""CUDA major versions that TensorRT releases are built for."""

LOADGEN = (6, 0, 17)
"""Least mlcommons-loadgen that this harness is tested with."""

OPEN_FILES = 4096
LOCKED_BYTES = 64 << 20
SHARED_MEMORY_BYTES = 1 << 30
CLOCK_SKEW_S = 5.0


class Space(NamedTuple):
    """Bytes that a benchmark's parts take on the scratch disk."""

    data: int
    model: int
    preprocessed: int
    engines: int

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(self)


SPACE: dict[str, dict[str, Space]] = {
    "bert": {
        "reference": Space(data=GB // 100, model=3 * GB, preprocessed=GB // 10, engines=3 * GB),
        "tiny": Space(data=GB // 100, model=GB // 100, preprocessed=GB // 10, engines=GB // 20),
    },
    "gptj": {
        "reference": Space(data=GB // 5, model=48 * GB, preprocessed=GB // 5, engines=25 * GB),
        "tiny": Space(data=GB // 20, model=GB // 50, preprocessed=GB // 10, engines=GB // 20),
    },
    "3d-unet": {
        "reference": Space(data=30 * GB, model=GB // 5, preprocessed=12 * GB, engines=GB),
        "tiny": Space(data=GB // 2, model=GB // 50, preprocessed=GB, engines=GB // 20),
    },
}
"""Space by benchmark and model variant, rounded up (gptj's model counts the downloaded archive and what is unpacked from it)."""


class NeededFile(NamedTuple):
    """A file or folder below the build folder; `size` in bytes and SHA-256 where the published file's are known."""

    kind: str
    path: str
    size: int = 0
    sha256: str = ""


FILES: dict[str, tuple[NeededFile, ...]] = {
    "bert": (
        NeededFile(
            "data",
            "data/squad/dev-v1.1.json",
            4854279,
            "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9",
        ),
        NeededFile("model", "models/bert/bert_large_v1_1.onnx"),
        NeededFile("model", "models/bert/vocab.txt"),
    ),
    "gptj": (
        NeededFile("data", "data/cnn-daily-mail/cnn_eval.json"),
        NeededFile("model", "models/GPTJ-6B/checkpoint-final"),
    ),
    "3d-unet": (
        NeededFile("data", "data/KiTS19/kits19/data"),
        NeededFile("model", "models/3d-unet-kits19/3dUNetKiTS19.onnx"),
    ),
}
"""What each benchmark's reference variant reads."""
