"""Whether bytes that a server sent are the kind of file that their name says.

Used before a download gets its name. A digest says more, but not every publisher gives one.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from code.common import jsonfile
from code.common.typed import one_line

HEAD = 4096
"""Bytes that are enough to recognise an error page."""
SMALL = 1 << 16
"""Largest size in bytes of an error message in JSON."""
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body")
_MARKUP = re.compile(rb"\s*(?:<\?xml.*?\?>|<!--.*?-->)", re.DOTALL)
_CODE = re.compile(rb"<(Code|Message)>([^<]{1,200})</")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_ERROR_KEYS = ("error", "errors", "message", "detail", "error_message")


def wrong_start(head: bytes, name: str) -> str:
    """Why the first bytes of a file cannot be those of the file `name`; '' if they may be."""
    kind = name.lower()
    text = _without_bom(head)
    if head.startswith(b"version https://git-lfs"):
        return "the server sent a Git LFS pointer instead of the file: the repository's LFS storage holds it"
    if kind.endswith((".html", ".htm", ".xml", ".md", ".svg")):
        return ""
    while (markup := _MARKUP.match(text)) is not None:
        text = text[markup.end() :]
    text = text.lstrip()
    if text[:16].lower().startswith(_PAGES):
        return "the server sent a web page (a login, an error?) instead of the file"
    if text.startswith((b"<Error", b"<error")):
        words = ": ".join(found.decode("utf-8", "replace") for _, found in _CODE.findall(text))
        return f"the server sent an error instead of the file: {one_line(words) or 'no reason given'}"
    return ""


def wrong_content(path: Path, name: str) -> str:
    """Why a complete file is not what its name says; '' if it is, or if its kind is unknown here. Raises OSError.

    Args:
        name: the name it will have, whose suffix gives the kind.
    """
    with path.open("rb") as source:
        head = source.read(HEAD)
    why = wrong_start(head, name) or _json_error(path, head, name)
    if why:
        return why
    for suffix, check in _KINDS.items():
        if name.lower().endswith(suffix):
            return check(path)
    return ""


def _without_bom(head: bytes) -> bytes:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "replace").encode()
    return head


def _json_error(path: Path, head: bytes, name: str) -> str:
    """An error message in JSON; a data set in JSON is not one, whatever keys it has beside."""
    if not _without_bom(head).lstrip().startswith(b"{") or path.stat().st_size > SMALL:
        return ""
    try:
        content = jsonfile.read(path)
    except ValueError:
        return ""
    found = next((content[key] for key in _ERROR_KEYS if content.get(key)), None)
    if found is None or (name.lower().endswith(".json") and len(content) > 3):
        return ""
    return f"the server sent an error instead of the file: {one_line(str(found))[:200]}"


def _gzip(path: Path) -> str:
    return _read_gzip(path, lambda source: None)[0]


def _read_gzip(path: Path, begin: Callable[[gzip.GzipFile], bytes | None]) -> tuple[str, bytes, int]:
    """Read a gzip file to its end, where its checksum is. Returns what is wrong, what `begin` read, and the number of bytes."""
    try:
        with gzip.open(path) as source:
            first = begin(source) or b""
            count = len(first)
            while block := source.read(1 << 20):
                count += len(block)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"it is not a complete gzip file: {error}", b"", 0
    return "", first, count


def _nifti(path: Path) -> str:
    """NIfTI-1 in one file, compressed (nifti1.h: sizeof_hdr, dim at 40, bitpix at 72, vox_offset at 108, magic at 344)."""
    why, header, count = _read_gzip(path, lambda source: source.read(348))
    if why:
        return why
    for order in "<>":
        if len(header) == 348 and struct.unpack_from(order + "i", header)[0] == 348 and header[344:347] == b"n+1":
            rank, *dims = struct.unpack_from(order + "8h", header, 40)
            (bits,), (offset,) = struct.unpack_from(order + "h", header, 72), struct.unpack_from(order + "f", header, 108)
            wanted = int(offset) + math.prod(dims[: max(0, min(rank, 7))]) * bits // 8
            return "" if count >= wanted else f"it is not a complete NIfTI image: it holds {count:,} of {wanted:,} bytes"
    return "it is not a NIfTI image: it has no header of one"


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            return "" if archive.namelist() else "the ZIP archive is empty"
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
        return f"it is not a complete ZIP archive: {error}"


def _json(path: Path) -> str:
    try:
        jsonfile.read(path, limit=1 << 30)
    except ValueError as error:
        return str(error)
    return ""


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as source:
            return "it is binary, not text" if any("\0" in line for line in source) else ""
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 text: {error.reason}"


def _parquet(path: Path) -> str:
    with path.open("rb") as source:
        first = source.read(4)
        source.seek(-min(4, path.stat().st_size), 2)
        return "" if first == source.read(4) == b"PAR1" else "it is not a complete Parquet file"


def _onnx(path: Path) -> str:
    """A protobuf message whose fields end where the file does, with a version (field 1) and a graph (field 7); onnx.proto."""
    size, seen = path.stat().st_size, set()
    with path.open("rb") as source:
        try:
            while (at := source.tell()) < size:
                key = _varint(source)
                seen.add(key >> 3)
                length = {0: 0, 1: 8, 5: 4}.get(key & 7)
                if key & 7 == 0:
                    _varint(source)
                elif length is None and key & 7 != 2:
                    return f"it is not an ONNX model: byte {at:,} begins no field"
                source.seek(_varint(source) if length is None else length, 1)
        except ValueError:
            return "it is not a complete ONNX model: it ends within a field"
        if source.tell() > size:
            return f"it is not a complete ONNX model: it has {size:,} of {source.tell():,} bytes"
    return "" if {1, 7} <= seen else "it is not an ONNX model: it has no version and graph"


def _varint(source: IO[bytes]) -> int:
    """A protobuf variable-length number. ValueError at the end of the file."""
    number = 0
    for shift in range(0, 70, 7):
        byte = source.read(1)
        if not byte:
            raise ValueError("the file ends within a number")
        number |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return number
    raise ValueError("a number has more than ten bytes")


_KINDS: dict[str, Callable[[Path], str]] = {
    ".nii.gz": _nifti,
    ".gz": _gzip,
    ".zip": _zip,
    ".json": _json,
    ".onnx": _onnx,
    ".parquet": _parquet,
    ".txt": _text,
    ".md5": _text,
    ".uri": _text,
}
"""Suffix → check; the first that fits is used."""
