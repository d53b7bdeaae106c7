"""Preflight, replayed from captures: faults are found, each with the command that mends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from code.actions import doctor
from code.common.download.record import write_record
from code.common.files import sha256
from code.machine import probes
from code.machine.detect import DetectedSystem, detect
from code.preflight import Finding, Level, run_checks, storage

Machine = Callable[..., DetectedSystem]


def checked(detected: DetectedSystem, *benchmarks: str, variant: str = "") -> dict[tuple[str, str], Finding]:
    findings = run_checks(detected.machine, detected, benchmarks, variant)
    return {(finding.family, finding.name): finding for finding in findings}


def at(findings: dict[tuple[str, str], Finding], level: Level) -> set[tuple[str, str]]:
    return {key for key, finding in findings.items() if finding.level is level}


def test_a_fabric_manager_of_another_version_is_an_error_that_names_both(machine: Machine) -> None:
    finding = checked(machine("standard_nd96asr_v4"))["fabric manager", "version"]
    assert finding.level is Level.ERROR
    assert "550.54.15" in finding.message and "550.127.05" in finding.message
    assert "nvidia-fabricmanager-550=550.127.05-1" in finding.fix


def test_a_healthy_machine_has_no_fault(machine: Machine) -> None:
    findings = checked(machine("h100_sxm_80gbx8"), "bert", variant="tiny")
    assert at(findings, Level.ERROR) == set() and at(findings, Level.WARNING) == set()
    assert findings["fabric manager", "version"].level is Level.OK


def test_a_virtual_machine_without_gpus_gives_no_false_error(machine: Machine) -> None:
    findings = checked(machine("cpu_x86_64"), "bert")
    assert at(findings, Level.ERROR) == set()
    assert "no NVIDIA GPU" in findings["driver", "driver"].message
    assert not any(family in ("GPUs", "fabric manager") for family, _ in findings)


def test_this_machine_can_be_checked() -> None:
    detected = detect()
    assert checked(detected, "bert", variant="tiny")


def test_a_failing_driver_is_an_error_that_names_the_cause(machine: Machine) -> None:
    finding = checked(machine("nvml_fails"))["driver", "driver"]
    assert finding.level is Level.ERROR
    assert "mismatch" in finding.message and "550.90.07" in finding.message and "reboot" in finding.fix


def test_the_state_of_gpus_is_seen(machine: Machine) -> None:
    findings = checked(machine("l40sx4"))
    assert findings["GPUs", "power limit"].message.endswith("300 W of 350 W") and "-pl 350" in findings["GPUs", "power limit"].fix
    assert findings["GPUs", "persistence"].fix == "sudo nvidia-smi -pm 1"
    assert "pid 4242" in findings["GPUs", "other processes"].message
    assert findings["CPU", "governor"].level is Level.WARNING
    assert findings["CPU", "NUMA balancing"].level is Level.WARNING
    assert findings["limits", "open files"].fix == "ulimit -n 65536"
    assert findings["user", "docker group"].level is Level.WARNING
    assert all(finding.fix for finding in findings.values() if finding.level in (Level.ERROR, Level.WARNING))


Edit = Callable[[dict[str, Any]], None]


def gpus(**facts: Any) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        content["probes"]["nvml"]["gpus"][0].update(facts)

    return edit


def without(section: str, key: str) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        content[section].pop(key)

    return edit


def put(section: str, key: str, value: Any) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        content[section][key] = value

    return edit


def nvml(**facts: Any) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        content["probes"]["nvml"].update(facts)

    return edit


ROOT = {"root": True, "groups": ["root"]}
USER = {"root": False, "groups": ["mlperf"]}
SMALL = {"exists": True, "writable": True, "free_bytes": 10**9}
CLOSED = {"exists": True, "writable": False, "free_bytes": 10**13}
ABSENT = {"exists": False, "writable": True, "free_bytes": 10**13}


@pytest.mark.parametrize(
    ("edit", "family", "name", "level", "word"),
    [
        (put("probes", "user", ROOT), "user", "user", Level.WARNING, "root"),
        (put("probes", "user", USER), "user", "docker group", Level.WARNING, "not a member"),
        (without("commands", "docker --version"), "containers", "Docker", Level.UNSEEN, "not installed"),
        (put("commands", "docker --version", "Docker version 19.03.8"), "containers", "Docker", Level.ERROR, "19.03.8"),
        (without("commands", "nvidia-ctk --version"), "containers", "NVIDIA Container Toolkit", Level.ERROR, "not installed"),
        (
            put("commands", "nvidia-ctk --version", "CLI version 1.8.0"),
            "containers",
            "NVIDIA Container Toolkit",
            Level.ERROR,
            "1.8.0",
        ),
        (
            put("commands", "docker info --format {{json .Runtimes}}", "{}"),
            "containers",
            "Docker's GPU runtime",
            Level.WARNING,
            "",
        ),
        (
            without("commands", "docker version --format {{.Server.Version}}"),
            "containers",
            "Docker daemon",
            Level.WARNING,
            "not responding",
        ),
        (nvml(driver_version="470.57.02"), "driver", "driver", Level.ERROR, "525.60.13"),
        (put("commands", "nvcc --version", "release 12.8, V12.8.1"), "driver", "CUDA", Level.WARNING, "12.8"),
        (put("commands", "nvcc --version", "release 11.8, V11.8.1"), "driver", "TensorRT", Level.ERROR, "CUDA 11.8"),
        (without("commands", "nv-fabricmanager --version"), "fabric manager", "version", Level.ERROR, "not installed"),
        (
            put("commands", "systemctl is-active nvidia-fabricmanager", "failed"),
            "fabric manager",
            "service",
            Level.ERROR,
            "failed",
        ),
        (gpus(nvlinks=12), "fabric manager", "NVLink", Level.ERROR, "GPUs 0"),
        (gpus(ecc=False), "GPUs", "ECC", Level.WARNING, "GPU 0"),
        (gpus(mig_enabled=True), "GPUs", "MIG", Level.ERROR, "without slices"),
        (gpus(sm_clock_application_mhz=1200), "GPUs", "clocks", Level.WARNING, "1200 MHz of 1980 MHz"),
        (gpus(throttle_reasons=0x40, temperature_c=90), "GPUs", "throttling", Level.WARNING, "hardware thermal"),
        (put("environment", "CUDA_VISIBLE_DEVICES", "0,1"), "GPUs", "visible", Level.WARNING, "2 of 8"),
        (put("environment", "NVIDIA_VISIBLE_DEVICES", "none"), "GPUs", "visible", Level.ERROR, "no GPU"),
        (
            put("files", "/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]"),
            "CPU",
            "huge pages",
            Level.WARNING,
            "",
        ),
        (put("files", "/sys/fs/cgroup/cpu.max", "800000 100000"), "CPU", "cores", Level.WARNING, "8 of 112"),
        (put("probes", "storage:scratch", ABSENT), "storage", "scratch path", Level.ERROR, "does not exist"),
        (put("probes", "storage:scratch", CLOSED), "storage", "scratch path", Level.WARNING, "read-only"),
        (put("probes", "storage:scratch", SMALL), "storage", "space", Level.ERROR, "1.0 GB free"),
        (put("probes", "packages", {"mlcommons-loadgen": "5.0.1"}), "LoadGen", "version", Level.ERROR, "5.0.1"),
        (put("probes", "packages", {"numpy": "2.0"}), "LoadGen", "version", Level.ERROR, "not installed"),
        (put("probes", "clock", {"behind_files": 3600.0}), "LoadGen", "clock", Level.ERROR, "3600 s behind"),
        (put("commands", "chronyc -c tracking", "A,B,3,1.0,12.5,0"), "LoadGen", "clock", Level.ERROR, "12.5 s"),
    ],
)
def test_each_fault_is_found(machine: Machine, edit: Edit, family: str, name: str, level: Level, word: str) -> None:
    finding = checked(machine("h100_sxm_80gbx8", edit), "bert", variant="reference")[family, name]
    assert finding.level is level, finding
    assert word in finding.message
    assert bool(finding.fix) is (level in (Level.WARNING, Level.ERROR))


def test_a_gpu_that_fell_off_the_bus_is_missed(machine: Machine) -> None:
    def fallen(content: dict[str, Any]) -> None:
        content["probes"]["nvml"]["gpus"].pop()

    assert (
        "8 GPUs are on the PCI bus, but the driver lists 7"
        in checked(machine("h100_sxm_80gbx8", fallen))["GPUs", "count"].message
    )


def test_data_and_models_of_named_benchmarks_are_looked_for(machine: Machine) -> None:
    def present(content: dict[str, Any]) -> None:
        content["probes"]["files:bert"] = [
            {"path": "data/squad/dev-v1.1.json", "exists": True, "size": 100, "digest": "none"},
            {"path": "models/bert/bert_large_v1_1.onnx", "exists": False, "size": None, "digest": "none"},
            {"path": "models/bert/vocab.txt", "exists": True, "size": 231508, "digest": "differs"},
        ]

    detected = machine("h100_sxm_80gbx8", present)
    found = [f for f in run_checks(detected.machine, detected, ["bert"], "reference") if f.family == "files"]
    assert [finding.level for finding in found] == [Level.ERROR] * 3
    assert "not 4854279" in found[0].message and "does not exist" in found[1].message and "SHA-256 differs" in found[2].message
    assert "make download_model BENCHMARKS=bert" in found[1].fix


def test_files_are_compared_with_their_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    model = tmp_path / "models/bert/bert_large_v1_1.onnx"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"a model")
    write_record(model, sha256(model))
    found = {item["path"]: item for item in probes.files("bert")}
    assert found["models/bert/bert_large_v1_1.onnx"]["digest"] == "same"
    assert not found["data/squad/dev-v1.1.json"]["exists"]
    model.write_bytes(b"another")
    assert {item["path"]: item for item in probes.files("bert")}["models/bert/bert_large_v1_1.onnx"]["digest"] == "differs"


def test_the_report_and_its_exit_status(captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.examine(captures / "standard_nd96asr_v4.json") == doctor.FAULTY_STATUS
    text = capsys.readouterr().out
    assert "\n  error     fabric manager, version: fabric manager is 550.54.15" in text
    assert (
        "fix: sudo apt-get install nvidia-fabricmanager-550=550.127.05-1 && sudo systemctl restart nvidia-fabricmanager\n" in text
    )
    assert doctor.examine(captures / "h100_sxm_80gbx8.json") == 0


def test_the_report_for_automation(captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = doctor.examine(captures / "nvml_fails.json", as_json=True, benchmarks=["bert"])
    content = json.loads(capsys.readouterr().out)
    assert content["status"] == status != 0
    assert content["counts"]["error"] == sum(1 for finding in content["findings"] if finding["level"] == "error")
    assert {"family", "name", "level", "message", "fix"} == set(content["findings"][0])


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "is not set"),
        ({"MLPERF_SCRATCH_PATH": "/scratch", "SCRATCH_ORIGIN": "default"}, "is not set"),
        ({"MLPERF_SCRATCH_PATH": "/scratch", "SCRATCH_ORIGIN": "given"}, "is set"),
        ({"MLPERF_SCRATCH_PATH": "/scratch"}, "is set"),
        ({"MLPERF_SCRATCH_PATH": ""}, "is not set"),
    ],
)
def test_a_variable_that_only_make_set_is_not_called_set(environment: dict[str, str], said: str) -> None:
    """make exports the scratch path that it uses, whoever chose it."""
    machine = SimpleNamespace(environ=environment.get, probe=lambda *_: {"exists": True, "writable": True, "free_bytes": 10**13})
    subject = SimpleNamespace(machine=machine, detected=SimpleNamespace(gpus=()), variant="tiny", benchmarks=())
    first = next(iter(storage.check(cast(Any, subject))))
    assert first.level is Level.OK and f"MLPERF_SCRATCH_PATH {said}" in first.message
