"""The Python harness's TensorRT runner on several devices, against a stand-in that is strict about whose memory and streams are used."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.backends.base import EngineSpec
from code.backends.tensorrt import runner
from code.backends.tensorrt.chosen import runs_on
from code.backends.tensorrt.cuda import Found
from code.backends.tensorrt.sdk import TENSORRT
from code.common.errors import RunError
from code.common.files import sha256, write_json
from tests.unit.cuda_python import LENGTH, Machine, install

UUIDS = [uuid.UUID(int=i + 1) for i in range(8)]


def name_of(index: int) -> str:
    return f"GPU-{UUIDS[index]}"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine([(u.bytes, 80) for u in UUIDS])
    install(made, monkeypatch)
    yield made
    runner._shared.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "engine.plan").write_bytes(b"a plan")
    details = {"engine": "engine.plan", "sha256": sha256(tmp_path / "engine.plan"), "compute_capability": "8.0", "gpu": "A100"}
    write_json(tmp_path / "engine.json", {"details": details})
    return tmp_path


def load(folder: Path, device: int, name: str = "", pci: str = "") -> Any:
    return runner.load(TENSORRT, folder, EngineSpec(1, 0, "fp16", device=device, name=name or name_of(device), pci=pci))


def on_a_thread(work: Any) -> Any:
    out: list[Any] = []
    thread = threading.Thread(target=lambda: out.append(work()))
    thread.start()
    thread.join()
    return out[0]


def test_eight_devices_compute_each_on_its_own(machine: Machine, folder: Path) -> None:
    engines = [on_a_thread(lambda i=i: load(folder, i)) for i in range(8)]  # type: ignore[misc]
    streams = [stream for engine in engines for stream in (engine.stream(), engine.stream())]
    for number, stream in enumerate(streams):
        x = np.full((2, LENGTH), number, np.float32)
        answer = on_a_thread(lambda s=stream, x=x: s.infer({"x": x})["y"].copy())  # type: ignore[misc]
        assert np.array_equal(answer, 2 * x)
    assert machine.engines == list(range(8))
    assert machine.contexts == machine.executed == [i for i in range(8) for _ in range(2)]


def test_devices_share_the_runtime_and_the_plan(machine: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests: list[Path] = []
    monkeypatch.setattr(runner, "sha256", lambda file: digests.append(file) or sha256(file))
    for device in range(8):
        load(folder, device)
    assert machine.runtimes == 1 and len(digests) == 1
    (folder / "engine.plan").write_bytes(b"a damaged plan")
    with pytest.raises(RunError, match="damaged"):
        load(folder, 0)


def test_a_device_other_than_the_chosen_one_is_refused_by_uuid(machine: Machine, folder: Path) -> None:
    with pytest.raises(RunError, match=f"device 2 of this process is not {name_of(5)}") as caught:
        load(folder, 2, name_of(5))
    assert name_of(2) in caught.value.why and "0000:3d:00.0" in caught.value.why and machine.engines == []


def test_a_name_that_is_no_uuid_says_nothing_about_the_device(machine: Machine, folder: Path) -> None:
    load(folder, 3, "GPU 3")
    load(folder, 4, "MIG-" + str(UUIDS[0]), "0000:3f:00.0")
    assert machine.engines == [3, 4]


def test_a_device_other_than_the_chosen_one_is_refused_by_its_address(machine: Machine, folder: Path) -> None:
    with pytest.raises(RunError, match=r"device 2 of this process is not MIG-1 at 0000:3b:00\.0") as caught:
        load(folder, 2, "MIG-1", "0000:3b:00.0")
    assert "0000:3d:00.0" in caught.value.why and machine.engines == []


@pytest.mark.parametrize(("level", "runs"), [("ampere_plus", True), ("same_compute_capability", False), (None, False)])
def test_hardware_compatibility_is_for_later_gpus(level: str | None, runs: bool) -> None:
    found = Found("H100", "", "0000:3b:00.0", 90)
    assert runs_on(found, {"compute_capability": "8.0", "hardware_compatibility": level}) == runs
    assert not runs_on(replace(found, compute=75), {"compute_capability": "8.0", "hardware_compatibility": level})


def test_a_tensor_type_that_numpy_lacks_is_named(machine: Machine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = load(folder, 0)

    def none(kind: Any) -> Any:
        raise TypeError("Could not resolve TensorRT datatype to an equivalent numpy datatype.")

    monkeypatch.setattr(engine._module, "nptype", none)
    with pytest.raises(RunError, match="the harness cannot pass the engine's tensor 'x'"):
        engine.stream()


def test_every_device_is_checked_not_only_the_first(machine: Machine, folder: Path) -> None:
    machine.devices[6] = (UUIDS[6].bytes, 90)
    for device in range(6):
        load(folder, device)
    with pytest.raises(RunError, match=r"is for compute capability 8\.0 \(A100\)") as caught:
        load(folder, 6)
    assert "device 6 is NVIDIA Stand-in (0000:41:00.0) with 9.0" in caught.value.why


def test_a_device_that_cuda_does_not_show_is_named(machine: Machine, folder: Path) -> None:
    with pytest.raises(RunError, match="no device 8 in this process") as caught:
        load(folder, 8, "GPU 8")
    assert "CUDA shows 8 devices" in caught.value.why


def test_the_stand_in_notices_another_devices_stream(machine: Machine, folder: Path) -> None:
    stream = load(folder, 1).stream()
    stream._cuda._device = 2
    with pytest.raises(RunError):
        stream.infer({"x": np.ones((1, LENGTH), np.float32)})
