"""Volumes of any header and content are read, or refused in words, and nothing is allocated that the file does not hold."""

from __future__ import annotations

import gzip
import logging
import struct
from collections.abc import Callable

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed; run `make packages_dev`")
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from code.benchmarks.unet3d import nifti
from code.common.errors import MissingError, UsageError
from tests.faults import made
from tests.fuzz.examples import fuzzed
from tests.fuzz.harm import bytes_of

FIELDS = {
    0: "i",
    40: "h",
    42: "h",
    44: "h",
    46: "h",
    48: "h",
    70: "h",
    72: "h",
    76: "f",
    80: "f",
    84: "f",
    88: "f",
    108: "f",
    112: "f",
    116: "f",
}
FIELDS |= {252: "h", 254: "h", 256: "f", 268: "f", 280: "f", 296: "f", 344: "i", 348: "i"}
"""Offset in the header → type: size, dimensions, type and bits of a voxel, spacing, offset, scale, positions, magic, extensions."""
FLOATS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, float("nan"), float("inf"), 1e-6, 1e9, 3e38, 351.0, 352.0, 400.0, 2e9]), st.floats(width=32)
)
SHORTS = st.one_of(
    st.sampled_from([-1, 0, 1, 2, 3, 4, 7, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 2304, 32767]),
    st.integers(-32768, 32767),
)
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
CLASSES = {0: 0, 1: 1, 2: 2, 300: 1, -1: 2}


@st.composite
def files(draw: Callable[..., object]) -> tuple[bytes, str]:
    """(content, suffix) of a file."""
    shape = draw(st.tuples(*[st.integers(1, 9)] * 3))
    kind = draw(st.sampled_from([2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280]))
    order = draw(st.sampled_from("<>"))
    header = bytearray(made.nifti_header(shape, kind=kind))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.sampled_from(sorted(FIELDS)))
        value = draw({"f": FLOATS, "h": SHORTS, "i": st.integers(-(2**31), 2**31 - 1)}[FIELDS[at]])
        struct.pack_into("<" + FIELDS[at], header, at, value)
    size = {2: 1, 256: 1, 4: 2, 512: 2, 8: 4, 16: 4, 768: 4}.get(kind, 8)
    voxels = draw(
        st.one_of(
            st.just(b"\0" * int(np.prod(shape)) * size), st.binary(max_size=200), st.just(b"\xff" * int(np.prod(shape)) * size)
        )
    )
    content = bytes(header) + voxels + draw(st.sampled_from([b"", b"", b"trailing" * 9]))
    suffix = draw(st.sampled_from([".nii", ".nii.gz", ".hdr", ".img"]))
    if order == ">":
        content = content[:4][::-1] + content[4:]
    if suffix == ".nii.gz":
        content = gzip.compress(content, 1)
    return draw(st.one_of(st.just(content), st.just(content), bytes_of(content))), suffix


@pytest.mark.full
@fuzzed
@given(file=files())
def test_volumes(file: tuple[bytes, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    content, suffix = file
    folder = tmp_path_factory.getbasetemp() / "nifti"
    folder.mkdir(exist_ok=True)
    path = folder / f"imaging{suffix}"
    path.write_bytes(content)
    try:
        volume = nifti.read_image(path)
        assert volume.voxels.ndim == 3 and volume.voxels.dtype == np.float32 and np.isfinite(volume.voxels).all()
        for classes in (None, CLASSES):
            nifti.read_labels(path, volume.voxels.shape, classes)
    except (UsageError, MissingError) as error:
        assert error.what and error.next_step
    assert nifti.voxel_count(path) >= 0
    path.unlink()
