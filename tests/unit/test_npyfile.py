"""The head of a .npy file is read without NumPy, and says what NumPy says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.common import npyfile
from code.common.jsonfile import DamagedError

ARRAYS: dict[str, Any] = {
    "int32": np.zeros((3, 4), np.int32),
    "big endian": np.zeros(3, ">i8"),
    "bytes": np.zeros((2, 1, 5), np.uint8),
    "half": np.zeros((0,), np.float16),
    "scalar": np.array(7.0),
    "switch": np.zeros((1, 2), np.bool_),
    "columns": np.asfortranarray(np.zeros((2, 3))),
    "record": np.zeros(4, [("paragraph", "<i4"), ("word", "<i2", (2,))]),
    "names": np.zeros(1, [("größe", "<i4"), ("Ω", "<f4")]),
    "long": np.zeros(1, [(f"a column with a long name {number:040}", "<i4") for number in range(900)]),
}
"""Versions 1.0, 2.0 (long) and 3.0 (names) of the format are among them."""


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_type_and_shape_are_numpys(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAYS[name])
    version = (tmp_path / "a.npy").read_bytes()[6]
    assert version == {"long": 2, "names": 3}.get(name, 1)
    found = np.load(tmp_path / "a.npy", max_header_size=1 << 20)
    assert npyfile.header(tmp_path / "a.npy") == (str(found.dtype), found.shape)


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[:9],
        lambda content: content[:40],
        lambda content: b"x" + content[1:],
        lambda content: content.replace(b"'descr'", b"'other'"),
        lambda content: content.replace(b"<i4", b"|O8"),
        lambda content: content.replace(b"(3, 4)", b"(3, x)"),
    ],
)
def test_a_damaged_head_is_named(harm: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAYS["int32"])
    (tmp_path / "a.npy").write_bytes(harm((tmp_path / "a.npy").read_bytes()))
    with pytest.raises(DamagedError):
        npyfile.header(tmp_path / "a.npy")


def test_numpy_is_not_imported(project: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAYS["int32"])
    head = "import sys; from pathlib import Path; from code.common import npyfile; "
    text = head + "print(npyfile.header(Path(sys.argv[1])), 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", text, str(tmp_path / "a.npy")], cwd=project, capture_output=True, text=True, check=True
    )
    assert done.stdout == "('int32', (3, 4)) False\n"
