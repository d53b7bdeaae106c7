"""Paths of the project. Every function reads the environment when called, so tests and users can move any of them.

`make` exports BUILD_DIR and MLPERF_SCRATCH_PATH; without make the same defaults apply here.
"""

from __future__ import annotations

import os
from pathlib import Path

COMMON_SCRATCH = Path("/home/mlperf_inference_data")
ENGINE_DIR = "ENGINE_DIR"
_ROOT = Path(__file__).resolve().parents[2]
LINKED = ("data", "models", "preprocessed_data")


def variable(name: str) -> str:
    """An environment variable; '' where it is not set, or blank, which counts as unset."""
    text = os.environ.get(name, "")
    return text if text.strip() else ""


def project_root() -> Path:
    """The folder with Makefile, code/ and configs/."""
    return _ROOT


def build_dir() -> Path:
    """The folder for everything generated: $BUILD_DIR, or `build` below the project's root."""
    given = variable("BUILD_DIR")
    path = Path(given) if given else Path("build")
    return path if path.is_absolute() else project_root() / path


def scratch_dir() -> Path:
    """The folder for large data: $MLPERF_SCRATCH_PATH, else /home/mlperf_inference_data if it exists, else build/scratch."""
    given = variable("MLPERF_SCRATCH_PATH")
    if given:
        return Path(given)
    return COMMON_SCRATCH if COMMON_SCRATCH.is_dir() else build_dir() / "scratch"


def data_dir() -> Path:
    """Data sets as published: build/data, a link into the scratch path."""
    return build_dir() / "data"


def model_dir() -> Path:
    """Models as published: build/models, a link into the scratch path."""
    return build_dir() / "models"


def preprocessed_dir() -> Path:
    """Arrays ready for a harness: build/preprocessed_data, a link into the scratch path."""
    return build_dir() / "preprocessed_data"


def engine_dir() -> Path:
    """Built engines, addressed by a digest of their inputs: $ENGINE_DIR, or build/engines."""
    given = variable(ENGINE_DIR)
    path = Path(given) if given else build_dir() / "engines"
    return path if path.is_absolute() else project_root() / path


def shown(path: Path) -> str:
    """A path for messages: relative to the project's root if it is inside."""
    try:
        return str(path.relative_to(project_root()))
    except ValueError:
        return str(path)
