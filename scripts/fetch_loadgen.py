"""Fetch LoadGen's sources: `python scripts/fetch_loadgen.py OUT` leaves them in the folder OUT and prints it.

With `--archive OUT` it leaves the archive there.

The version and its digests are those of requirements/runtime.lock; pip downloads the source archive and checks it. A folder that is
already there and is of that version is left alone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "mlcommons-loadgen"
LOCK = Path(__file__).resolve().parents[1] / "requirements" / "runtime.lock"
STAMP = ".fetched"


def pinned(lock: Path) -> str:
    """The lock file's requirement of LoadGen, with its digests."""
    found = re.search(rf"^{PACKAGE}==(?:.*\\\n)*.*$", lock.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None or "--hash=" not in found[0]:
        raise SystemExit(f"error: {lock} does not pin {PACKAGE} with a digest\n  next: run `make lock`")
    return found[0]


def download(scratch: Path, requirement: str) -> Path:
    """Download the source archive into `scratch`, checked by pip."""
    wanted = scratch / "requirement.txt"
    wanted.write_text(requirement + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", PACKAGE, "--require-hashes", "--dest", str(scratch), "-r", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = list(scratch.glob("*.tar.gz"))
    if done.returncode != 0 or len(archives) != 1:
        why = (done.stderr.strip().splitlines() or ["it gave no archive"])[-1]
        raise SystemExit(
            f"error: pip cannot fetch the sources of {PACKAGE}\n  why:  {why}\n"
            "  next: check the network or pip's index settings, then run the same command again"
        )
    return archives[0]


def keep_archive(out: Path) -> Path:
    """Put the source archive into the folder `out`."""
    with tempfile.TemporaryDirectory(dir=out, prefix=".loadgen-") as scratch:
        archive = download(Path(scratch), pinned(LOCK))
        return archive.rename(out / archive.name)


def fetch(out: Path) -> None:
    """Download, check and unpack beside `out`, then rename."""
    requirement = pinned(LOCK)
    stamp = out / STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == requirement:
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".loadgen-") as scratch:
        fetched = download(Path(scratch), requirement)
        unpacked = Path(scratch) / "unpacked"
        with tarfile.open(fetched) as archive:
            # The digest is checked; the filter, where this Python has it, still keeps every member inside the folder.
            if hasattr(tarfile, "data_filter"):
                archive.extractall(unpacked, filter="data")
            else:
                archive.extractall(unpacked)
        (root,) = unpacked.iterdir()
        (root / STAMP).write_text(requirement, encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        root.rename(out)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--archive":
        print(keep_archive(Path(sys.argv[2]).absolute()))
    elif len(sys.argv) == 2:
        fetch(Path(sys.argv[1]).absolute())
        print(Path(sys.argv[1]).absolute())
    else:
        raise SystemExit("usage: python scripts/fetch_loadgen.py [--archive] OUT")
