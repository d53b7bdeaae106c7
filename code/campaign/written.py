"""The campaign file of what a submission is missing, as `make plan_submission` writes it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from code.common import paths
from code.common.errors import UsageError
from code.common.files import atomic_write, require_regular
from code.submission.needs import Need

HEAD = "# Written by `make plan_submission`; the next one replaces it."
FILE = "campaign.toml"
OWN = ("benchmarks", "scenarios", "system", "test_mode")


def write(missing: Sequence[Need], name: str, to: str | None) -> Path:
    """Write the tests that are missing, in the order to make them in. UsageError for a file that somebody else wrote.

    Args:
        name: of the campaign.
        to: the file; None for build/campaign.toml.
    """
    path = Path(to).absolute() if to else paths.build_dir() / FILE
    if path.exists() and not _ours(path):
        raise UsageError(f"{path} was not written by plan_submission", "it would be replaced", "name another file: TO=…")
    with atomic_write(path) as out:
        out.write(
            "\n".join([HEAD, f"# {len(missing)} tests. make campaign FILE={paths.shown(path)}", "", f"name = {_text(name)}", ""])
        )
        for need in missing:
            out.write("\n".join(["", *_workload(need), ""]))
    return path


def _ours(path: Path) -> bool:
    try:
        with require_regular(path).open(encoding="utf-8", errors="replace") as source:
            return source.readline().rstrip() == HEAD
    except OSError:
        return False


def _workload(need: Need) -> Iterator[str]:
    _, target, arguments = shlex.split(need.command)
    given = dict(word[2:].split("=", 1) for word in shlex.split(arguments.removeprefix("RUN_ARGS=")))
    yield "[[workload]]"
    yield f"benchmarks = [{_text(given['benchmarks'])}]"
    yield f"scenarios = [{_text(given['scenarios'])}]"
    yield f"systems = [{_text(given['system'])}]"
    if "test_mode" in given:
        yield f"test_mode = [{_text(given['test_mode'])}]"
    if target != "run":
        yield f"target = {_text(target)}"
    rest = [f"--{key}={value}" for key, value in given.items() if key not in OWN]
    if rest:
        yield f"args = {_text(shlex.join(rest))}"
    if need.seconds is not None:
        yield f"minutes = {max(0.1, round(need.seconds[0] / 60, 1))}"


def _text(value: str) -> str:
    """A basic string of TOML, which JSON's are too."""
    return json.dumps(value)
