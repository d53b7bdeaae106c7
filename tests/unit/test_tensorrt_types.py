"""`make lint_tensorrt`: the TensorRT path against TensorRT's own bindings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from code.common.errors import MissingError, RunError
from scripts import check_tensorrt_types as types


def test_a_version_without_a_wheel_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no wheel of tensorrt_cu12_bindings 10\.0\.0"):
        types.find_wheel("10.0.0", tmp_path, tmp_path / "place")


def test_bindings_that_do_not_load_are_an_error(tmp_path: Path) -> None:
    """Stubs come of what was loaded: an empty module in place of the bindings must not pass."""
    pytest.importorskip("mypy")
    with pytest.raises(RunError, match="do not load"):
        types.stubs(tmp_path, 10)


def test_signatures_that_are_no_python_are_mended() -> None:
    import re

    text = (
        "def set_scale(self, power: Weights = ..., channel_axis: int) -> None: ...\n"
        "class IHostMemory:\n    def get_error(self, *args, **kwargs): ...\n"
    )
    for pattern, replacement in types.MENDED:
        text = re.sub(pattern, replacement, text)
    compile(text, "stub", "exec")
    assert "channel_axis: int = ...)" in text and "__buffer__" in text and "-> ParserError" in text


def test_a_cuda_call_that_does_not_exist_is_found(tmp_path: Path, project: Path) -> None:
    pytest.importorskip("cuda.bindings.runtime", reason="cuda-bindings is not installed: make tensorrt_rtx")
    file = tmp_path / "cuda.py"
    file.write_text('self._call("cudaSetDevise", 0)\nself._api.cudaMemcpyKind.cudaMemcpyNowhere\n')
    assert types.missing_cuda_calls([file]) == ["cudaMemcpyKind.cudaMemcpyNowhere", "cudaSetDevise"]
    assert types.missing_cuda_calls([project / "code/backends/tensorrt/cuda.py"]) == []


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_the_newest_bindings_agree(project: Path) -> None:
    command = [sys.executable, "-m", "scripts.check_tensorrt_types", types.NEWEST[-1]]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=1100)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout
