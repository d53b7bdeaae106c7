"""Engines in processes of their own, as several MIG slices need them: the same answers, errors in words, and no process left."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from code.backends.apart.client import BACKEND, ApartEngine, visible
from code.backends.base import EngineSpec, backend
from code.common.errors import HarnessError, RunError
from code.harness.schema.options import ApartOptions, NoOptions

GRAPH = Path(__file__).parents[2] / "code" / "benchmarks" / "bert" / "tiny" / "model" / "model.onnx"
NAMES = ("input_ids", "input_mask", "segment_ids")


def spec(runtime: str, **more: Any) -> EngineSpec:
    return EngineSpec(1, 1, "fp32", ApartOptions(runtime, {}), name="node 0", **more)


def running() -> list[int]:
    """Processes of engines that this one started."""
    found = []
    for one in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if one.status() != psutil.STATUS_ZOMBIE and "apart.worker" in " ".join(one.cmdline()):
                found.append(one.pid)
    return found


def remnants() -> list[int]:
    """Those that still run after a moment to end."""
    until = time.monotonic() + 10
    while running() and time.monotonic() < until:
        time.sleep(0.05)
    return running()


def sequences() -> dict[str, Any]:
    ids = np.random.default_rng(1).integers(5, 100, (2, 16))
    return dict(zip(NAMES, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("engine")
    backend("onnxruntime").build(GRAPH, {"precision": "fp32"}, made)
    return made


def test_an_engine_apart_answers_as_one_in_the_process(folder: Path) -> None:
    engine: ApartEngine = BACKEND.load(folder, spec("onnxruntime", cores=(0,)))
    own = backend("onnxruntime").load(folder, EngineSpec(1, 1, "fp32", NoOptions(), name="node 0"))
    assert list(engine.inputs) == list(own.inputs) and list(engine.outputs) == list(own.outputs)
    wanted = own.stream().infer(sequences())
    streams = [engine.stream(), engine.stream()]
    for stream in streams:
        found = stream.infer(sequences())
        assert set(found) == set(wanted) and all(np.array_equal(found[name], wanted[name]) for name in wanted)
    (child,) = [psutil.Process(pid) for pid in running()]
    assert child.threads() and child.cpu_affinity() == [0]
    with pytest.raises(HarnessError):
        streams[0].infer({"nothing": np.zeros(1)})
    assert streams[0].infer(sequences())  # a bad batch costs itself
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(RunError, match="node 0 ended: killed by signal 9"):
        streams[1].infer(sequences())
    with pytest.raises(RunError, match="node 0 ended"):
        engine.stream()


def test_an_engine_that_does_not_load_is_the_runtimes_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as caught:
        BACKEND.load(tmp_path, spec("onnxruntime"))
    assert caught.value.what
    assert remnants() == [], "it was waited for"


def test_cuda_shows_a_process_its_own_slice() -> None:
    assert visible("MIG-7") == {"CUDA_VISIBLE_DEVICES": "MIG-7"} and visible("node 0") == {}


def test_the_processes_end_with_the_one_that_started_them(folder: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from code.backends.apart.client import BACKEND\n"
        "from tests.unit.test_apart import spec\n"
        f"BACKEND.load(Path({str(folder)!r}), spec('onnxruntime'))\n"
        "import psutil\n"
        "print(psutil.Process().children()[0].pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    child = int(done.stdout)
    until = time.monotonic() + 10
    while psutil.pid_exists(child) and psutil.Process(child).status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(0.02)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_run_json_names_the_runtime_and_its_options() -> None:
    from code.harness.schema.run_spec import parse
    from code.run.spec import apart
    from tests import run_documents

    content = run_documents.BOTH["sequence"]
    found = apart(parse(content, "run.json"))
    assert [engine.backend for engine in found.engines] == ["apart"] * len(found.engines)
    options = found.engines[0].options
    assert isinstance(options, ApartOptions) and options.runtime == content["engines"][0]["backend"] and options.complaint() == ""
    assert "not a backend" in ApartOptions("nothing", {}).complaint()
