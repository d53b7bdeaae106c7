"""run.json and arrays of any content, as the C++ harness reads them, under the address and the undefined-behaviour sanitizer."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed; run `make packages_dev`")
import numpy as np

from code.common import paths
from tests import run_documents as documents
from tests.fuzz.examples import EXAMPLES, SEED

pytestmark = [pytest.mark.full, pytest.mark.cpp]
ARRAYS = (
    np.arange(24, dtype=np.int32).reshape(3, 8),
    np.ones((2, 3, 4), np.float32),
    np.zeros((0, 5), np.float16),
    np.arange(5, dtype=np.int64),
    np.ones((3, 1), np.uint8),
)


@pytest.fixture(scope="module")
def program(project: Path) -> Path:
    """The fuzz target, built beside the harness."""
    folder = paths.build_dir() / "cmake"
    if not (folder / "CMakeCache.txt").is_file():
        pytest.skip("the C++ harness is not built; run `make build`")
    cmake = next(
        line.partition("=")[2]
        for line in (folder / "CMakeCache.txt").read_text().splitlines()
        if line.startswith("CMAKE_COMMAND:")
    )
    done = subprocess.run([cmake, "--build", folder, "--target", "harness_fuzz"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder / "bin" / "harness_fuzz"


def seeds(folder: Path) -> list[Path]:
    """Good inputs: a byte that says which reader they are for, and the content."""
    contents = []
    for name, run in documents.BOTH.items():
        contents.append(b"\0" + json.dumps(run).encode())
        if name == "sequence":
            here = {**run, "dataset": {**run["dataset"], "folder": str(folder)}}
            contents.append(b"\0" + json.dumps(here).encode())
    for key in ("input_ids", "input_mask"):
        np.save(folder / f"{key}.npy", np.ones((3, 8), np.int32))
    np.save(folder / "lengths.npy", np.full(3, 8, np.int32))
    for array in ARRAYS:
        out = io.BytesIO()
        np.save(out, array)
        contents.append(b"\1" + out.getvalue())
    files = [folder / f"seed{number}" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return files


def test_run_json_and_arrays_in_cpp(program: Path, tmp_path: Path) -> None:
    good = seeds(tmp_path)
    if "libFuzzer" in subprocess.run([program, "-help=1"], capture_output=True, text=True, cwd=tmp_path).stdout:
        corpus = tmp_path / "corpus"
        corpus.mkdir()
        for file in good:
            file.rename(corpus / file.name)
        words = [f"-runs={EXAMPLES}", f"-seed={SEED + 1}", "-max_len=65536", str(corpus)]
    else:
        words = [str(SEED), str(2 * EXAMPLES), *map(str, good)]
    done = subprocess.run([program, *words], capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-6000:]
