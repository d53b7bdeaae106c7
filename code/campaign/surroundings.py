"""The environment of the runs of a campaign: that of the campaign, without what its own command was called with."""

from __future__ import annotations

import os

OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")
OF_COMMAND = (
    *(
        "FILE",
        "NODE",
        "NODES",
        "RAY",
        "SLURM_ARGS",
        "CONTAINER",
        "IMAGE",
        "BENCHMARKS",
        "SYSTEMS",
        "CATEGORY",
        "ROUND",
        "DIR",
        "TO",
    ),
    "RUN_ARGS",
)


def clean() -> dict[str, str]:
    """The environment for a make of its own. The outer make's flags hold the variables of its command line."""
    return {name: text for name, text in os.environ.items() if name not in (*OF_MAKE, *OF_COMMAND)}
