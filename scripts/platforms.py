"""Resolve requirements/runtime.lock for each platform that the guides name, without installing anything.

`python -m scripts.platforms UV [--write]` asks `uv pip compile` for wheels of each package of the lock, by platform and Python, and prints
a table of those that have none; --write puts it into documentation/platforms.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "runtime.lock"
PAGE = ROOT / "documentation" / "platforms.md"
BEGIN, END = "<!-- generated: platforms -->", "<!-- end of generated -->"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
GLIBCS = {
    "2.31": "Ubuntu 20.04, Debian 11",
    "2.34": "Red Hat 9",
    "2.35": "Ubuntu 22.04",
    "2.36": "Debian 12",
    "2.39": "Ubuntu 24.04",
}
PLATFORMS = {
    **{
        f"{machine}-manylinux_{glibc.replace('.', '_')}": f"{machine}, glibc {glibc} ({names})"
        for machine in ("x86_64", "aarch64")
        for glibc, names in GLIBCS.items()
    },
    "aarch64-apple-darwin": "Apple silicon, macOS 14",
}
"""uv's name of a platform → ours."""
_LACKING = re.compile(r"Because (?:only )?([a-z0-9][a-z0-9._-]*?)(?:==\S+)? (?:has no|was not found)", re.IGNORECASE)
_VERSIONED = re.compile(r"Because ([a-z0-9][a-z0-9._-]*)==\S+ has no", re.IGNORECASE)


def requirements(text: str) -> dict[str, str]:
    """Package → its lines of a lock file, digests left out; a package that two markers pin has both."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==", line)
        if match is not None:
            found[match[1]] = found.get(match[1], "") + line.rstrip(" \\") + "\n"
    return found


def lacking(uv: str, platform: str, python: str) -> list[str]:
    """The packages of the lock that have no wheel for a platform and Python. RuntimeError where uv fails in another way."""
    wanted = requirements(LOCK.read_text(encoding="utf-8"))
    absent: list[str] = []
    command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-deps", "--only-binary", ":all:"]
    command += ["--python-platform", platform, "--python-version", python]
    while True:
        with tempfile.NamedTemporaryFile("w", suffix=".in", encoding="utf-8") as file:
            file.writelines(wanted.values())
            file.flush()
            environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}
            done = subprocess.run([*command, file.name], capture_output=True, text=True, env=environment, check=False)
        if done.returncode == 0:
            return absent
        said = " ".join(done.stderr.split())
        match = _VERSIONED.search(said) or _LACKING.search(said)
        if match is None or match[1] not in wanted:
            raise RuntimeError(f"{platform}, Python {python}: {said[:400]}")
        absent.append(match[1])
        del wanted[match[1]]


def table(uv: str) -> Iterator[str]:
    """The table in Markdown, a line at a time."""
    yield "| platform | " + " | ".join(f"Python {python}" for python in PYTHONS) + " |"
    yield "| --- |" + " --- |" * len(PYTHONS)
    with ThreadPoolExecutor(2) as pool:
        pairs = [(platform, python) for platform in PLATFORMS for python in PYTHONS]
        found = dict(zip(pairs, pool.map(lambda pair: lacking(uv, *pair), pairs), strict=True))
    for platform, words in PLATFORMS.items():
        cells = [", ".join(found[platform, python]) or "all wheels" for python in PYTHONS]
        yield f"| {words} | " + " | ".join(cells) + " |"


def main(arguments: list[str]) -> int:
    """Print the table, or write it into the page."""
    if not arguments:
        raise SystemExit("usage: python -m scripts.platforms UV [--write]")
    try:
        text = "\n".join(table(arguments[0]))
    except (OSError, RuntimeError) as error:
        print(
            f"error: the lock could not be resolved\n  why:  {error}\n  next: check the network or uv's index settings",
            file=sys.stderr,
        )
        return 3
    if "--write" in arguments:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
