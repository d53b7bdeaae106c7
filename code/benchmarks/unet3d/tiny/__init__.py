"""The tiny variant of 3D-UNet: a model of a few MB and the generator of the phantoms that it segments.

`code.benchmarks.unet3d.tiny.cases` writes the evaluation set; `MODEL` and `RECORD` are the committed files. README.md describes how to
make them again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_HERE = Path(__file__).parent
MODEL = _HERE / "model" / "model.onnx"
RECORD = _HERE / "model" / "record.json"
ROI = (64, 64, 64)
"""The model's window."""


def generator_digest() -> str:
    """Eight digits that change with anything the evaluation set is generated from."""
    digest = hashlib.sha256()
    for name in ("cases.py", "phantom.py"):
        digest.update(name.encode() + b"\0" + (_HERE / name).read_bytes())
    return digest.hexdigest()[:8]
