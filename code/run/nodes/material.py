"""What the nodes of a job are asked to prove."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from code.run.resolved import Resolved


def to_prove(job: Resolved) -> dict[str, Any]:
    """The folders of the engines, what they were built of, and the files of the data set; nothing for simulated engines.

    MissingError where model or data are not there.
    """
    if not job.backend.computes:
        return {"engines": [], "model": "", "data": []}
    dataset = job.dataset
    folder = Path(str(dataset["folder"]))
    arrays = [
        *dict(dataset.get("arrays", {})).values(),
        *(dataset[name] for name in ("tokens", "offsets", "lengths") if isinstance(dataset.get(name), str)),
    ]
    cases = [f"{name}.npy" for name in dataset.get("cases", ())]
    return {
        "engines": [str(address.folder) for address in job.engines.addresses],
        "model": str(job.graph),
        "data": [str(folder / name) for name in (*arrays, *cases)],
    }
