"""Fetches GPT-J's checkpoint, so that its folder is complete or absent.

Sources, in this order: an archive that lies there already, the files in $MLPERF_MIRROR, the files that MLCommons' metadata lists, and
MLCommons' older archive. Single files are collected in `checkpoint-final.incomplete`, which a later attempt continues.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from code.benchmarks import files
from code.benchmarks.gptj import bpe, facts
from code.benchmarks.gptj.checkpoint import open_checkpoint
from code.benchmarks.text.checkpoint import INDEXES
from code.common import console, download, jsonfile, paths
from code.common.errors import HarnessError, MissingError, RunError
from code.common.files import atomic_directory, storage_error

if TYPE_CHECKING:
    from code.common.download import Listed

CHECKPOINT = "checkpoint-final"
UNPACKED_GB = 48
"""Disk space in GB for the archive and for the checkpoint unpacked beside it."""


def require_checkpoint(folder: Path) -> None:
    """Check that a folder has the whole checkpoint and its vocabulary. The errors of `open_checkpoint` and `bpe.find`."""
    open_checkpoint(folder)
    bpe.find(folder)


def fetch_checkpoint(target: Path, patience: download.Patience | None = None) -> None:
    """Ensure that `target` has the whole checkpoint. A folder with faults is replaced when a whole one is there, not before.

    Raises:
        MissingError: no source has it; the error gives the reason of each.
        RunError: the disk is full, too small or not writable.
    """
    if target.is_dir():
        try:
            return require_checkpoint(target)
        except HarnessError as error:
            console.warn(f"{error.what}; the checkpoint is fetched again")
    ways: list[tuple[str, Callable[[], None]]] = [
        (download.mirror.address_shown(), lambda: _from_mirror(target, patience)),
        (facts.MODEL_METADATA, lambda: _from_metadata(target, patience)),
        (facts.ARCHIVE.url, lambda: _from_archive(target, patience)),
    ]
    if files.place(facts.ARCHIVE).is_file():
        ways.insert(0, ways.pop())
    failed: list[str] = []
    for place, fetch in ways:
        try:
            if place:
                return fetch()
        except MissingError as error:
            failed.append(f"{place}: {error.why or error.what}")
            console.warn(f"GPT-J 6B: {failed[-1]}")
    raise MissingError("could not download GPT-J 6B, fine-tuned, from any source", "; ".join(failed), steps(target))


def steps(target: Path) -> str:
    """How to get the checkpoint by hand."""
    return (
        "on a machine with network access, run MLCommons' R2 downloader, `bash <(curl -s "
        "https://raw.githubusercontent.com/mlcommons/r2-downloader/refs/heads/main/mlc-r2-downloader.sh) "
        f"{facts.MODEL_METADATA}` (24 GB), copy the folder with config.json to {target}, then run the same command again; "
        "a site without a network sets MLPERF_MIRROR"
    )


def _from_mirror(target: Path, patience: download.Patience | None) -> None:
    names = download.mirror.below(facts.MODEL_PATH)
    if not names:
        raise MissingError(
            f"{download.mirror.address_shown()} has no {facts.MODEL_PATH}",
            f"its {download.mirror.SUMS} lists no file of it",
            steps(target),
        )
    _collect(target, [(Path(name).name, (), None) for name in names], patience)


def _from_metadata(target: Path, patience: download.Patience | None) -> None:
    label = facts.MODEL.label
    listed = download.read_metadata(
        facts.MODEL_METADATA, target.parent, label=label, manual_steps=steps(target), patience=patience
    )
    _collect(target, [(Path(file.path).name, (file.url,), file.md5) for file in _of_checkpoint(listed)], patience)


def _of_checkpoint(listed: Sequence[Listed]) -> list[Listed]:
    """The files of the checkpoint's folder: the one that holds config.json."""
    folders = [PurePosixPath(file.path).parent for file in listed if PurePosixPath(file.path).name == "config.json"]
    named = [folder for folder in folders if folder.name == CHECKPOINT] or folders
    return [file for file in listed if named and PurePosixPath(file.path).parent == named[0]]


def _collect(target: Path, wanted: Sequence[tuple[str, tuple[str, ...], str | None]], patience: download.Patience | None) -> None:
    """Fetch files (name, URLs, MD5) into a folder beside `target`; it becomes `target` when it is complete."""
    folder = target.with_name(target.name + ".incomplete")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, urls, md5 in wanted:
            _keep(target / name, folder / name, md5)
            download.fetch(
                urls,
                folder / name,
                md5=md5,
                label=f"GPT-J 6B: {name}",
                manual_steps=steps(target),
                limit=files.TIMES_EXPECTED * facts.MODEL.about,
                known_as=target / name,
                patience=patience,
            )
        _rename_shards(folder)
        _require_listed(folder, target)
        if target.is_dir():
            shutil.rmtree(target)
        folder.rename(target)
    except OSError as error:
        raise storage_error(error, folder) from error


def _require_listed(folder: Path, target: Path) -> None:
    try:
        require_checkpoint(folder)
    except HarnessError as error:
        raise MissingError(
            "GPT-J's checkpoint is incomplete at its source",
            f"every file that is listed was fetched, but {error.what}",
            steps(target),
        ) from error


def _keep(old: Path, new: Path, md5: str | None) -> None:
    """Take a file of an incomplete checkpoint over if it is the listed one."""
    if md5 is None or new.exists() or not old.is_file():
        return
    if md5_of(old) == md5:
        with contextlib.suppress(OSError):
            os.link(old, new)


def md5_of(path: Path) -> str:
    """The MD5 of a file, in hex."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as source:
        while block := source.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def listed_digests(path: Path) -> dict[str, str]:
    """Name → MD5 of the checkpoint's files in MLCommons' list; {} where it is not there."""
    try:
        found = download.parse_list(path.read_text(encoding="utf-8"), "")
    except (OSError, UnicodeDecodeError):
        return {}
    return {Path(file.path).name: file.md5 for file in _of_checkpoint(found)}


def _from_archive(target: Path, patience: download.Patience | None) -> None:
    archive = files.place(facts.ARCHIVE)
    if not archive.is_file():
        _require_space(target.parent, UNPACKED_GB)
        files.fetch(facts.ARCHIVE, steps(target), patience)
    try:
        with zipfile.ZipFile(archive) as packed, atomic_directory(target) as folder:
            _unpack(packed, folder)
            _rename_shards(folder)
            try:
                require_checkpoint(folder)
            except HarnessError as error:
                name = error.what.replace(f"{folder}/", "")
                raise MissingError(
                    f"the archive {paths.shown(archive)} has no complete checkpoint",
                    f"{name}; fetching the same archive again does not help",
                    f"remove it; {steps(target)}",
                ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise RunError(
            f"{archive} is damaged", str(error), f"remove it and run the same command again; or {steps(target)}"
        ) from error
    archive.unlink()


def _rename_shards(folder: Path) -> None:
    """Give shards the names that the index has: the older archive's end in '-003' as well (pytorch_model-00001-of-00003-003.bin)."""
    for index in INDEXES:
        listed = jsonfile.object_or_empty(folder / index).get("weight_map")
        for name in {str(shard) for shard in listed.values()} if isinstance(listed, dict) else ():
            absent = folder / Path(name).name
            found = list(folder.glob(f"{absent.stem}-*{absent.suffix}"))
            if not absent.exists() and len(found) == 1:
                found[0].rename(absent)


def _unpack(packed: zipfile.ZipFile, folder: Path) -> None:
    members = [m for m in packed.infolist() if f"{CHECKPOINT}/" in m.filename and not m.is_dir()]
    if not members:
        raise zipfile.BadZipFile(f"it contains no folder {CHECKPOINT}")
    with console.Progress("unpacking GPT-J", sum(m.file_size for m in members), "B") as progress:
        for member in members:
            with packed.open(member) as source, (folder / Path(member.filename).name).open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 22)
            progress.advance(member.file_size)


def _require_space(folder: Path, gigabytes: float) -> None:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free < gigabytes:
        raise RunError(
            f"not enough space for GPT-J's checkpoint in {folder}",
            f"archive and checkpoint need {gigabytes:g} GB during unpacking, but {free:.1f} GB are free",
            "free some space, or set MLPERF_SCRATCH_PATH to a larger disk",
        )
