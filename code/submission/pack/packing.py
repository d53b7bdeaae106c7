"""The submission tarball: packing (reproducible byte for byte), manifest, encryption with OpenSSL."""

from __future__ import annotations

import gzip
import shutil
import stat
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from code.common.errors import MissingError, RunError, UsageError
from code.common.files import atomic_write, sha256

TARBALL = "mlperf_submission.tar.gz"
MANIFEST = "mlperf_submission.sha256"
ENCRYPTED = TARBALL + ".enc"
CIPHER = ("-aes-256-cbc", "-pbkdf2", "-iter", "600000", "-salt")
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755


@dataclass(frozen=True)
class Packed:
    """Result of packing; `digest` is the tarball's SHA-256."""

    tarball: Path
    manifest: Path
    digest: str
    files: int


def pack(root: Path, folder: Path) -> Packed:
    """Pack a tree into `folder`: sorted, without this machine's times, owners or modes."""
    paths = sorted(root.rglob("*"))
    for path in paths:
        _require_packable(path, str(path.relative_to(root)))
    files = [path for path in paths if path.is_file()]
    if not files:
        raise MissingError(f"nothing to pack in {root}", "", "run `make stage_results`")
    names = sorted(str(path.relative_to(root)) for path in paths)
    tarball = folder / TARBALL
    with (
        atomic_write(tarball, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=9) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in names:
            _add(archive, root / name, name)
    manifest = folder / MANIFEST
    with atomic_write(manifest) as out:
        for path in files:
            out.write(f"{sha256(path)}  {path.relative_to(root)}\n")
    return Packed(tarball, manifest, sha256(tarball), len(files))


def _require_packable(path: Path, name: str) -> None:
    """UsageError for what does not belong into a submission, or that the tarball's format (USTAR) cannot hold."""
    status = path.lstat()
    fault, why = "", ""
    if stat.S_ISLNK(status.st_mode):
        fault, why = "is a symbolic link", "a submission may not contain links"
    elif not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        fault, why = "is neither a file nor a directory", "a submission contains nothing else"
    elif not name.isprintable():
        fault, why = "has a name with control characters, or one that is not UTF-8", "other systems cannot unpack it"
    else:
        entry = tarfile.TarInfo(name)
        entry.size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        try:
            entry.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
        except (ValueError, UnicodeError) as error:
            fault, why = "does not fit into a USTAR archive", str(error)
    if fault:
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        raise UsageError(f"{shown} {fault}", why, "remove, rename or replace it, then run `make pack_submission`")


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
    if path.is_dir():
        entry.type, entry.mode = tarfile.DIRTYPE, _FOLDER_MODE
        archive.addfile(entry)
        return
    entry.size, entry.mode = path.stat().st_size, _FILE_MODE
    try:
        with path.open("rb") as source:
            archive.addfile(entry, source)
    except OSError as error:
        raise RunError(f"{path} cannot be packed", error.strerror or str(error), "make it readable, then pack again") from error


def decryption_command(encrypted: Path) -> str:
    """The command with which the recipient decrypts the file."""
    return f"openssl enc -d {' '.join(CIPHER[:-1])} -in {encrypted.name} -out {TARBALL}"


def encrypt(tarball: Path, passphrase_file: str) -> tuple[Path, str]:
    """Encrypt the tarball to a file beside it; returns that file and its SHA-256, to be sent separately.

    Args:
        passphrase_file: file whose first line is the passphrase; '' prompts on the terminal.

    Raises MissingError without the tarball, OpenSSL or the passphrase file; RunError if OpenSSL fails.
    """
    if not tarball.is_file():
        raise MissingError(f"{tarball} does not exist", "", "create it with `make pack_submission`")
    if shutil.which("openssl") is None:
        raise MissingError(
            "openssl is not installed", "the tarball is encrypted with OpenSSL", "install it; on Debian: apt-get install openssl"
        )
    source = ["-pass", f"file:{_passphrase(passphrase_file)}"] if passphrase_file else []
    target = tarball.with_name(ENCRYPTED)
    temporary = target.with_name(f".{target.name}.tmp")
    command = ["openssl", "enc", "-e", *CIPHER, "-in", str(tarball), "-out", str(temporary), *source]
    try:
        done = subprocess.run(command, capture_output=bool(source), text=True)
        if done.returncode != 0 or not temporary.is_file():
            message = (done.stderr or "").strip().splitlines()
            raise RunError(
                "openssl could not encrypt the tarball", message[0] if message else f"exit status {done.returncode}", "try again"
            )
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target, sha256(target)


def _passphrase(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise MissingError(f"passphrase file {path} does not exist", "", "create it, or leave the option out to be prompted")
    if not path.read_text(encoding="utf-8").splitlines()[:1] or not path.read_text(encoding="utf-8").splitlines()[0]:
        raise UsageError(f"the first line of {path} is empty", "the passphrase is read from it", "write the passphrase there")
    return path
