"""TensorRT-LLM: the versions that have engines, and one executor for each device.

The package cannot be had without an NVIDIA GPU, so executors here are a stand-in's, which answers each prompt with the devices that its
process sees.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from code.backends.generators.base import Cancels, Generation, GeneratorSpec, texts
from code.backends.generators.streams import visible_devices
from code.backends.generators.tensorrt_llm import BACKEND, FILE
from code.backends.generators.tensorrt_llm_package import REQUIREMENT, require_engines
from code.benchmarks.gptj.benchmark import BENCHMARK
from code.benchmarks.text.generating import generation
from code.common.errors import MissingError, UsageError

EXECUTOR = '''
import os
from types import SimpleNamespace

class _Any:
    def __init__(self, *args, **kwargs): self.__dict__.update(kwargs)

SamplingConfig = OutputConfig = Request = ExecutorConfig = SchedulerConfig = KvCacheConfig = ParallelConfig = OrchestratorConfig = _Any
BatchingType = SimpleNamespace(INFLIGHT=0)
CapacitySchedulerPolicy = SimpleNamespace(GUARANTEED_NO_EVICT=0)
ModelType = SimpleNamespace(DECODER_ONLY=0)
CommunicationType = SimpleNamespace(MPI=0)
CommunicationMode = SimpleNamespace(ORCHESTRATOR=0)

class Executor:
    """Answers with the numbers in the names of the devices that this process sees, such as 7 for GPU-7."""

    def __init__(self, folder, kind, config): self._asked, self._held = [], []
    def enqueue_request(self, request):
        number = len(self._asked) + len(self._held)
        (self._held if len(request.input_token_ids) == 80 else self._asked).append(number)  # one of 80 ends when it is cancelled
        return number
    def cancel_request(self, number):
        self._held.remove(number)
        self._asked.append(number)
    def await_responses(self, timeout):
        done, self._asked = self._asked, []
        seen = [int(name.removeprefix("GPU-")) for name in os.environ["CUDA_VISIBLE_DEVICES"].split(",")]
        return [SimpleNamespace(request_id=one, has_error=lambda: False,
                                result=SimpleNamespace(output_token_ids=[seen], is_final=True)) for one in done]
    def shutdown(self): pass
'''

Installed = Callable[[str], None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Puts a stand-in of the package with some version on the path, for this process and those that it spawns."""

    def install(version: str) -> None:
        root = tmp_path / f"site-{version}"
        bindings = root / "tensorrt_llm" / "bindings"
        bindings.mkdir(parents=True)
        for folder in (bindings, bindings.parent):
            (folder / "__init__.py").touch()
        (bindings / "executor.py").write_text(EXECUTOR)
        (root / f"tensorrt_llm-{version}.dist-info").mkdir()
        (root / f"tensorrt_llm-{version}.dist-info" / "METADATA").write_text(f"Name: tensorrt-llm\nVersion: {version}\n")
        monkeypatch.syspath_prepend(str(root))

    return install


def engine(folder: Path, tensor_parallelism: int = 1) -> Path:
    settings = {"tensor_parallelism": tensor_parallelism, "pipeline_parallelism": 1, "max_beam_width": 4, "max_batch_size": 8}
    folder.mkdir()
    (folder / FILE).write_text(json.dumps({**settings, "max_num_tokens": 4096}))
    return folder


def specs(count: int, streams: int = 1) -> list[GeneratorSpec]:
    how = Generation.of(generation(BENCHMARK.text, {"num_beams": 4}, (2,)))
    return [GeneratorSpec(streams, 0, "fp8", device=i, generation=how, requests_in_flight=1) for i in range(count)]


def test_the_extra_has_the_versions_that_are_taken(project: Path) -> None:
    assert f'tensorrt-llm = ["{REQUIREMENT}"]' in (project / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("version", ["0.17.0", "0.20.0rc1", "1.0.0", "1.2.3.post1"])
def test_versions_with_engines_are_taken(version: str) -> None:
    require_engines(version)


@pytest.mark.parametrize(
    ("version", "why"), [("1.3.0rc2", "was removed after 1.2"), ("2.0", "was removed"), ("0.16.0", "older than 0.17")]
)
def test_other_versions_are_refused_in_words(version: str, why: str, installed: Installed) -> None:
    installed(version)
    with pytest.raises(MissingError, match=f"TensorRT-LLM {version} cannot run") as caught:
        BACKEND.version()
    newer = "" if version.startswith("0") else ", or use --backend=tensorrt_llm_api"
    assert why in caught.value.why and caught.value.next_step == f"pip install 'tensorrt-llm>=0.17,<1.3'{newer}"


@pytest.mark.parametrize(
    ("version", "script"),
    [
        ("0.18.2", "examples/gptj/convert"),
        ("0.20.0", "examples/models/contrib/gptj/convert"),
        ("1.2.0", "examples/models/contrib/gptj/"),
    ],
)
def test_the_checkpoint_script_is_where_that_version_has_it(
    version: str, script: str, installed: Installed, tmp_path: Path
) -> None:
    installed(version)
    with pytest.raises(MissingError, match="no TensorRT-LLM checkpoint") as caught:
        BACKEND.build(tmp_path, {"precision": "fp16", "benchmark": "gptj", "max_batch": 8}, tmp_path)
    assert script in caught.value.next_step and f"at v{version}" in caught.value.next_step


def test_a_request_that_nobody_waits_for_is_cancelled(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("1.2.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-7,GPU-7")
    generator = BACKEND.load_devices(engine(tmp_path / "engine"), specs(2))
    try:
        for number, length in ((4, 80), (5, 3), (6, 80)):
            generator.submit(number, np.ones(length, dtype=np.int32))
        assert [(event.request, event.tokens.tolist()) for event in generator.advance(10.0)] == [(5, [7])]
        assert isinstance(generator, Cancels)
        generator.cancel(5)  # it has finished
        for number in (6, 4):
            generator.cancel(number)
            (event,) = generator.advance(10.0)
            assert (event.request, event.tokens.tolist(), event.finished) == (number, [], True)
        assert generator.advance(0.0) == []
    finally:
        generator.close()


def test_each_device_has_an_executor_of_its_own(installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("1.2.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-7, GPU-5")
    made = BACKEND.load_devices(engine(tmp_path / "engine"), specs(2))
    try:
        found = texts(made, [np.array([1, 2, 3], dtype=np.int32)] * 12)
        assert {tuple(text.tolist()) for text in found} == {(7,), (5,)}
        finished = [usage.finished for usage in made.usage]  # type: ignore[attr-defined]
        assert sum(finished) == 12 and all(finished)  # who answers how many is a matter of timing
    finally:
        made.close()
    assert not multiprocessing.active_children()


def test_an_engine_over_two_gpus_takes_the_devices_in_pairs(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("1.2.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-0,GPU-1,GPU-2,GPU-3")
    folder = engine(tmp_path / "engine", tensor_parallelism=2)
    made = BACKEND.load_devices(folder, specs(4))
    try:
        found = texts(made, [np.array([1], dtype=np.int32)] * 8)
        assert {tuple(text.tolist()) for text in found} == {(0, 1), (2, 3)}
        assert len(made.usage) == 4  # type: ignore[attr-defined]
    finally:
        made.close()
    with pytest.raises(UsageError, match="on 3 GPUs"):
        BACKEND.load_devices(folder, specs(3))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-0")
    with pytest.raises(UsageError, match=r"on 1 GPU\n"):
        BACKEND.load(folder, specs(1)[0])


def test_several_streams_on_a_device_are_refused(installed: Installed, tmp_path: Path) -> None:
    installed("1.2.0")
    with pytest.raises(UsageError, match="cannot use 2 streams") as caught:
        BACKEND.load_devices(engine(tmp_path / "engine"), specs(2, streams=2))
    assert "gpu_batch_size" in caught.value.next_step


def test_devices_are_those_that_the_process_sees() -> None:
    assert visible_devices("GPU-a, GPU-b,MIG-c", (2, 0)) == "MIG-c,GPU-a"
    assert visible_devices(None, (3,)) == "3"
