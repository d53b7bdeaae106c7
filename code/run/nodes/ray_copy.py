"""Copies a folder of the head's machine to nodes through Ray's object store, in parts, for Ray's driver, beside which it lies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PART = 16 << 20
"""Bytes of a file that travel at once: all that head, object store and node hold of it."""
PART_S = 300.0


def parts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """(name in the folder, next part) of each of its files in turn; of an empty file one part."""
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        name = path.relative_to(folder).as_posix()
        with path.open("rb") as file:
            part = file.read(PART)
            while True:
                yield name, part
                part = file.read(PART)
                if not part:
                    break


def copied(ray: Any, nodes: Mapping[str, Any], folder: Path) -> tuple[str, str] | None:
    """Copy a folder to the same path of nodes. It is there whole, with the SHA-256 of each file, or not at all.

    Args:
        nodes: name → actor.

    Returns:
        (name of a node, what went wrong there); None where nothing did.
    """
    digests: dict[str, Any] = {}
    for name, part in parts(folder):
        digests.setdefault(name, hashlib.sha256()).update(part)
        content = ray.put(part)
        # One after the other: an actor with several threads keeps no order.
        if found := _problem(ray, nodes, [one.receive.remote(str(folder), name, content) for one in nodes.values()]):
            return found
    whole = {name: digest.hexdigest() for name, digest in digests.items()}
    return _problem(ray, nodes, [one.keep.remote(str(folder), whole) for one in nodes.values()])


def _problem(ray: Any, nodes: Mapping[str, Any], asked: list[Any]) -> tuple[str, str] | None:
    found = zip(nodes, ray.get(asked, timeout=PART_S), strict=True)
    return next(((name, problem) for name, problem in found if problem), None)
