"""Names that rows of the table share, and constructors of its two kinds of row."""

from __future__ import annotations

from code.fields.field import Field
from code.rules.benchmarks import facts_of, of_family

BERT, GPTJ, UNET = "bert", "gptj", "3d-unet"
"""Names of benchmark families: a field of one benchmark applies to its whole family."""
OFF, SRV, SS, MS = "Offline", "Server", "SingleStream", "MultiStream"

REQUEST = "The request"
MODEL_DATA = "Model and data"
LOADGEN = "LoadGen"
BATCHES = "Batches, streams and devices"
ENGINE = "Engine"
CALIB = "Calibration"
LLM = "Text generation"
SEG = "3D-UNet"
LOG = "Logs"
POWER = "Power and clocks"
SERVER = "Triton"
NODES = "Several machines"
OTHER = "Other harnesses"


def request(name: str, kind: str, text: str, **more: object) -> Field:
    """An option of the request, which no config class sets."""
    return Field(name, kind, text, REQUEST, request=True, **more)  # type: ignore[arg-type]


def row(group: str, name: str, kind: str, text: str, **more: object) -> Field:
    """A field of config classes, also an option; if it is for one benchmark, it is for every benchmark of its family."""
    families = (facts_of(str(benchmark)).family for benchmark in more.get("benchmarks", ()))  # type: ignore[attr-defined]
    more["benchmarks"] = tuple(name for family in families for name in of_family(family))
    return Field(name, kind, text, group, **more)  # type: ignore[arg-type]
