"""Words that rows of the table share, and its two kinds of row."""

from __future__ import annotations

from code.benchmarks.lookup import facts_of, of_family
from code.fields.field import Field

BERT, GPTJ, UNET = "bert", "gptj", "3d-unet"
"""What rows call a family of benchmarks by: a field of one of them is a field of every benchmark of its family."""
OFF, SRV, SS, MS = "Offline", "Server", "SingleStream", "MultiStream"
JETSON, TRITON = "Jetson only", "Triton Inference Server harnesses only"

REQUEST = "The request"
MODEL_DATA = "Model and data"
LOADGEN = "LoadGen"
BATCH = "Batches, streams and devices"
ENGINE = "Engine"
CALIB = "Calibration"
LLM = "Text generation"
SEG = "3D-UNet"
LOG = "Logs"
POWER = "Power and clocks"
SERVER = "Triton"


def request(name: str, kind: str, text: str, **more: object) -> Field:
    """An option of the request, which no config class sets."""
    return Field(name, kind, text, REQUEST, request=True, **more)  # type: ignore[arg-type]


def row(group: str, name: str, kind: str, text: str, actions: str = "h", **more: object) -> Field:
    """A field of config classes and an option; `actions`: e, h and c for engines, harness and calibration."""
    more.setdefault("affects_engine", group == ENGINE)
    families = (facts_of(str(benchmark)).family for benchmark in more.get("benchmarks", ()))  # type: ignore[attr-defined]
    more["benchmarks"] = tuple(name for family in families for name in of_family(family))
    return Field(name, kind, text, group, actions=actions, **more)  # type: ignore[arg-type]
