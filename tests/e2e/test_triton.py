"""Runs behind a real Triton server: the answers of the direct run, and every way that a server fails. Needs `make triton`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from code.backends.base import backend
from code.backends.triton import package, repository, wires
from code.backends.triton.client import TritonEngine
from code.backends.triton.config import Instances, Settings
from code.common.errors import HarnessError, MissingError, RunError
from code.harness.schema.options import TritonOptions
from code.run import triton_server, triton_time
from code.run.triton_server import Server

try:
    INSTALLED = bool(package.client() and package.installation(None).has("python"))
except MissingError:
    INSTALLED = False
ABSENT = "Triton is not installed; `make triton` installs it"
pytestmark = [pytest.mark.e2e, *([] if INSTALLED else [pytest.mark.absent(ABSENT)])]
GRAPH = Path(__file__).parents[2] / "code" / "benchmarks" / "bert" / "tiny" / "model" / "model.onnx"
NAMES = ("input_ids", "input_mask", "segment_ids")


PLAIN = Settings()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    backend("openvino").build(GRAPH, {"precision": "fp32"}, folder)
    return folder


@contextlib.contextmanager
def serving(
    folder: Path, engine: Path, settings: Settings = PLAIN, port: int = 0, batch: int = 4, protocol: str = "grpc"
) -> Iterator[Server]:
    models = [repository.Served("bert_0", engine, "fp32", Instances(1), 1)]
    repository.write(folder / "models", "openvino", GRAPH, batch, models, settings)
    with triton_server.started(package.installation(None), folder / "models", folder, port, 0, 300, protocol) as server:
        yield server


def remnants() -> list[str]:
    """Processes of servers that this process started."""
    return [one.name() for one in psutil.Process().children(recursive=True) if "triton" in " ".join(one.cmdline())]


def sequences(rows: int, length: int) -> dict[str, Any]:
    ids = np.random.default_rng(rows * length).integers(5, 100, (rows, length))
    return {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_answers_are_those_of_the_engine_itself(protocol: str, engine: Path, tmp_path: Path) -> None:
    from code.backends.base import EngineSpec

    direct = backend("openvino").load(engine, EngineSpec(1, 1, "fp32")).stream()
    settings = Settings(preferred=(2, 4), delay_us=100, timeout_us=30_000_000, pinned_output=False, gather_threshold=2)
    with serving(tmp_path, engine, settings, protocol=protocol) as server:
        assert server.version == wires.wire(protocol, server.url).version()
        for memory in (True, False):
            asked = TritonEngine(TritonOptions(server.url, ("bert_0",), memory, protocol), "bert_0")
            assert set(asked.inputs) == set(NAMES)
            stream = asked.stream()
            for rows, length in ((1, 16), (4, 384), (1, 16), (2, 40), (4, 384)):
                inputs = sequences(rows, length)
                expected = {name: np.array(value) for name, value in direct.infer(inputs).items()}
                found = stream.infer(inputs)
                assert set(found) == set(expected)
                for name, value in expected.items():
                    np.testing.assert_array_equal(found[name], value)
            with pytest.raises(RunError, match="is a different one"):
                stream.infer({"input_ids": sequences(1, 8)["input_ids"]})
            with pytest.raises(RunError, match="is a different one"):
                stream.infer({name: np.zeros((1, 2, 8), np.int64) for name in NAMES})
            with pytest.raises(RunError, match="answered with an error") as refused:
                stream.infer(sequences(9, 8))
            assert "batch" in refused.value.why
            stream.infer(sequences(1, 8))
        with pytest.raises(MissingError, match="does not serve other_0"):
            TritonEngine(TritonOptions(server.url, ("other_0",), False, protocol), "other_0")
        spent = triton_time.between({}, wires.wire(protocol, server.url).statistics())
        assert spent is not None and spent["requests"] == 12 and spent["total_s"] > spent["compute_s"] > 0
        before = set(Path("/dev/shm").glob("harness-*"))
        assert not [path for path in before if path.name.startswith(f"harness-{os.getpid()}-")]
    assert not remnants()
    assert not list(Path("/dev/shm").glob(f"harness-triton-{os.getpid()}-*"))


def test_a_model_that_does_not_load_is_told_in_its_own_words(engine: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "engine.blob").write_bytes(b"nothing")
    with pytest.raises(RunError, match="did not start") as failed, serving(tmp_path, broken):
        pass
    assert "bert_0" in failed.value.why and "OpenVINO cannot load the engine" in failed.value.why
    assert not remnants()


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_server_that_dies_is_told(protocol: str, engine: Path, tmp_path: Path) -> None:
    def lost(server: Server) -> None:
        stream = TritonEngine(TritonOptions(server.url, ("bert_0",), True, protocol), "bert_0").stream()
        stream.infer(sequences(1, 16))
        os.kill(server._process.pid, signal.SIGKILL)
        server._process.wait()
        stream.infer(sequences(1, 16))

    with pytest.raises(RunError, match="ended during the test: signal 9"), serving(tmp_path, engine, protocol=protocol) as server:
        lost(server)
    assert not remnants()
    with pytest.raises(HarnessError, match="does not answer"):
        TritonEngine(TritonOptions(server.url, ("bert_0",), True, protocol), "bert_0")


KILLED = """
import sys
from pathlib import Path
from tests.e2e import test_triton as here
with here.serving(Path(sys.argv[1]), Path(sys.argv[2])) as server:
    stream = here.TritonEngine(here.TritonOptions(server.url, ("bert_0",)), "bert_0").stream()
    stream.infer(here.sequences(1, 16))
    print(server._process.pid, flush=True)
    while True:
        stream.infer(here.sequences(4, 384))
"""


def test_a_server_ends_with_a_killed_harness(engine: Path, tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), str(engine)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    server = psutil.Process(int(child.stdout.readline()))
    tree = [server, *server.children(recursive=True)]
    assert len(tree) > 1
    instances = [one for one in tree if "triton_python_backend_stub" in " ".join(one.cmdline())]
    assert instances
    time.sleep(1)
    for one in instances:  # in the middle of a call
        one.suspend()
    child.kill()
    child.wait()
    server.wait(60)
    for one in instances:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.resume()
    gone, alive = psutil.wait_procs(tree, timeout=60)
    for one in alive:
        one.kill()
    assert not alive and len(gone) == len(tree)
    triton_server.sweep()
    assert not list(triton_server.SHM.glob(f"{triton_server.REGIONS}{child.pid}-*"))


@pytest.mark.full
def test_the_accuracy_log_is_that_of_the_direct_run(tmp_path: Path, project: Path) -> None:
    """Tiny BERT by `make`'s own command line; LoadGen's log of all answers is byte for byte the same."""
    logs = {}
    for way in ("default", "triton"):
        folder = tmp_path / way
        words = ["--action=run", "--benchmarks=bert", "--scenarios=offline", "--test_mode=AccuracyOnly", f"--config_ver={way}"]
        words += ["--harness_lang=python", "--offline_expected_qps=100", "--share_devices", f"--log_dir={folder}"]
        done = subprocess.run([sys.executable, "-m", "code.main", *words], cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        (log,) = folder.rglob("mlperf_log_accuracy.json")
        logs[way] = sorted(line.strip(" ,\n") for line in log.read_text().splitlines())
    assert logs["default"] == logs["triton"] and len(logs["triton"]) > 100
    assert next((tmp_path / "triton").rglob("triton.txt")).stat().st_size
