"""What GPUs were before configure_mig cut them, kept until teardown_mig has put it back.

A journal of each GPU lies in a folder that a restart of the machine empties, as it removes the slices.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from code.common import jsonfile
from code.common.errors import MissingError
from code.common.files import shared_folder, write_json
from code.common.typed import flag, listing, record, whole, words
from code.mig.state import Gpu, Instance

FOLDER_VARIABLE = "HARNESS_MIG_DIR"
FOLDER = "/tmp/mlperf-inference-mig"  # nosec B108  # another account's files are not trusted

_SMALL = whole(0, 2**16)
_INSTANCE = record({"profile": _SMALL, "start": _SMALL, "compute": listing(_SMALL, most=64)})
JOURNAL = record(
    {"uuid": words(80), "on": flag(), "before": listing(_INSTANCE, most=64)},
    {"made": listing(_INSTANCE, most=64)},
)


@dataclass(frozen=True)
class Kept:
    """What is kept of a GPU.

    Args:
        on: whether MIG mode was on.
        before: the instances that it had; their numbers and sizes are not kept.
        made: those that configure_mig made; None: it did not end.
    """

    uuid: str
    on: bool
    before: tuple[Instance, ...]
    made: tuple[Instance, ...] | None = None

    def ours(self, gpu: Gpu) -> bool:
        """Whether a GPU is as configure_mig left it; what is left of one that did not end is."""
        there = sorted(one.place for one in gpu.instances or ())
        return self.made is None or there == sorted(one.place for one in self.made)


def read(gpu: Gpu) -> Kept | None:
    """What is kept of a GPU; None for nothing. A file of another user, other than root, is not trusted."""
    path = _path(gpu)
    try:
        owner = path.lstat().st_uid
    except OSError:
        return None
    if path.is_symlink() or owner not in (0, os.geteuid()):
        return None
    content = JOURNAL.read(jsonfile.object_or_empty(path), path.name, [])
    if not content or content["uuid"] != gpu.uuid:
        return None
    made = content.get("made")
    return Kept(gpu.uuid, content["on"], _instances(content["before"]), None if made is None else _instances(made))


def write(gpu: Gpu, kept: Kept) -> None:
    """Keep it. MissingError where the folder cannot be made."""
    folder = Path(os.environ.get(FOLDER_VARIABLE) or FOLDER)
    try:
        shared_folder(folder)
    except OSError as error:
        raise MissingError(
            f"GPUs cannot be cut: {folder} cannot be made",
            f"{error.strerror or error}: what they were is kept there",
            f"set {FOLDER_VARIABLE} to a folder of yours",
        ) from error
    content = {"uuid": gpu.uuid, "on": kept.on, "before": _as_json(kept.before)}
    write_json(_path(gpu), content if kept.made is None else {**content, "made": _as_json(kept.made)})


def forget(gpu: Gpu) -> None:
    """Remove what is kept of a GPU."""
    _path(gpu).unlink(missing_ok=True)


def _path(gpu: Gpu) -> Path:
    name = "".join(c if c.isalnum() or c == "-" else "_" for c in gpu.uuid) or f"GPU-{gpu.index}"
    return Path(os.environ.get(FOLDER_VARIABLE) or FOLDER) / f"{name}.json"


def _instances(content: Sequence[Mapping[str, object]]) -> tuple[Instance, ...]:
    return tuple(Instance(0, one["profile"], one["start"], 0, tuple(one["compute"])) for one in content)  # type: ignore[arg-type]


def _as_json(instances: Sequence[Instance]) -> list[dict[str, object]]:
    return [{"profile": one.profile, "start": one.start, "compute": list(one.compute)} for one in instances]
