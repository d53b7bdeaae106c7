"""TensorRT's settings from a workload's fields: targets, profiles, precisions; nothing here needs the SDK."""

from __future__ import annotations

from pathlib import Path

import pytest

from code.backends.base import EngineSpec, backend
from code.backends.tensorrt import runner as tensorrt_runner
from code.backends.tensorrt import timing as tensorrt_timing
from code.backends.tensorrt.backend import BACKEND
from code.backends.tensorrt.profiles import Profile, Range, profiles_of, shapes
from code.backends.tensorrt.runner import require_whole
from code.backends.tensorrt.sdk import TENSORRT, Messages
from code.backends.tensorrt.target import Target, target_of
from code.backends.tensorrt.timing import TimingCache
from code.common.errors import MissingError, RunError, UsageError
from code.common.files import sha256, write_json
from code.fields.accepted import ACCEPTED
from code.fields.consumer import Run
from code.plan.consumers import consumers_of, honours
from code.plan.unused import reason
from tests.unit.graphs import values


@pytest.mark.parametrize(
    ("system", "gpu", "compute"),
    [("A100_SXM4_40GBx8", "A100_SXM4_40GB", 80), ("L40Sx1", "L40S", 89), ("ND_H100_v5", "H100_SXM_80GB", 90), ("T4x1", "T4", 75)],
)
def test_a_systems_gpu_decides_the_compute_capability(system: str, gpu: str, compute: int) -> None:
    target = target_of({"system": system})
    assert (target.gpu, target.compute) == (gpu, compute) and target.memory > 10 * 2**30


def test_a_processor_has_no_tensorrt_engines() -> None:
    with pytest.raises(UsageError, match="no NVIDIA GPU"):
        target_of({"system": "CPU_x86_64"})


def test_the_profile_follows_batch_and_length_fields() -> None:
    assert profiles_of(values(bert_opt_seqlen=256)) == [Profile(Range(1, 4, 4), Range(1, 256, 384))]
    assert profiles_of(values(max_batch=7)) == [Profile(Range(1, 7, 7), Range(1, 384, 384))]


def test_length_buckets_make_one_profile_each() -> None:
    found = profiles_of(values(length_buckets=["128", "256", "384"]))
    assert [p.length for p in found] == [Range(1, 128, 128), Range(129, 256, 256), Range(257, 384, 384)]


@pytest.mark.parametrize("buckets", [["256", "128", "384"], ["128", "256"], ["x"], ["128", "128", "384"]])
def test_length_buckets_that_do_not_cover_the_lengths_are_refused(buckets: list[str]) -> None:
    with pytest.raises(UsageError, match="length_buckets"):
        profiles_of(values(length_buckets=buckets))


def test_an_optimal_length_beyond_the_longest_is_refused() -> None:
    with pytest.raises(UsageError, match="bert_opt_seqlen cannot be 512"):
        profiles_of(values(bert_opt_seqlen=512))


def test_a_missing_batch_size_is_named() -> None:
    with pytest.raises(UsageError, match="gpu_batch_size is not set for bert"):
        profiles_of(values(max_batch=None))


def test_a_profile_outside_the_graphs_shapes_is_refused() -> None:
    profile = profiles_of(values())[0]
    assert shapes(profile, "x", [-1, -1]) == ((1, 1), (4, 384), (4, 384))
    assert shapes(profile, "x", [-1, -1, 3]) == ((1, 1, 3), (4, 384, 3), (4, 384, 3))
    with pytest.raises(UsageError, match="fixed batch of 8"):
        shapes(profile, "x", [8, -1])
    with pytest.raises(UsageError, match="dynamic dimension 2"):
        shapes(profile, "x", [-1, -1, -1])


def test_every_setting_that_matters_is_in_the_engines_identity() -> None:
    plain = BACKEND.build_settings(values())
    assert plain["compute_capability"] == "8.0" and plain["sparsity"] is False
    changes = {
        "max_batch": 8,
        "bert_opt_seqlen": 128,
        "length_buckets": ["128", "384"],
        "workspace_size": 1 << 30,
        "builder_optimization_level": 5,
        "hardware_compatibility": "ampere_plus",
        "version_compatible": True,
        "profiling_verbosity": "none",
        "allow_unfused": True,
        "precision": "int8",
        "system": "A100_PCIe_80GBx1",
    }
    for name, value in changes.items():
        assert BACKEND.build_settings(values(**{name: value})) != plain, name


def test_streams_and_graphs_do_not_change_the_engine() -> None:
    assert BACKEND.build_settings(values(gpu_inference_streams=4, use_graphs=True)) == BACKEND.build_settings(values())


def test_a_precision_that_the_gpu_has_not_is_refused() -> None:
    with pytest.raises(UsageError, match="does not support fp8"):
        BACKEND.build_settings(values(precision="fp8"))
    with pytest.raises(UsageError, match="does not support fp8"):
        BACKEND.build_settings(values(use_fp8=True))
    assert BACKEND.build_settings(values(precision="fp8", system="L40Sx1"))["precision"] == "fp8"
    with pytest.raises(UsageError, match="int4"):
        BACKEND.build_settings(values(precision="int4"))


def test_a_plugin_library_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingError, match=r"plugin library /nowhere/kernels\.so does not exist"):
        BACKEND.build_settings(values(plugin_libs=["/nowhere/kernels.so"]))


def test_fields_of_other_vendors_kernels_are_accepted_with_the_reason() -> None:
    for name in ("use_small_tile_gemm_plugin", "energy_aware_kernels", "active_sms"):
        assert not consumers_of(name) and ACCEPTED[name]


def run(backend_name: str, language: str) -> Run:
    device = backend(backend_name).device
    return Run(backend_name, device, "3d-unet", "Offline", language, precision="fp16", graphs=True)


def test_what_only_the_cpp_harness_acts_on_says_what_the_python_harness_does_instead() -> None:
    for name in ("use_graphs", "start_from_device", "sliding_window_on_device"):
        assert name in honours(run("tensorrt", "cpp")) and name in honours(run("tensorrt", "auto"))
        assert name not in honours(run("tensorrt", "python"))
        assert "the Python harness" in reason(name, run("tensorrt", "python"))
    assert "use_graphs" in honours(run("tensorrt_rtx", "python"))  # its own runtime captures graphs


def test_only_a_gpu_has_windows_on_the_device() -> None:
    name = "sliding_window_on_device"
    for cpu in ("openvino", "onnxruntime"):
        assert name not in honours(run(cpu, "cpp")) and "tensorrt" in reason(name, run(cpu, "cpp"))


def test_hardware_compatibility_is_for_engines_that_are_built_on_their_gpu() -> None:
    assert "hardware_compatibility" in honours(run("tensorrt", "cpp"))
    assert "hardware_compatibility" not in honours(run("tensorrt_rtx", "cpp"))


def engine(folder: Path) -> Path:
    (folder / "engine.plan").write_bytes(b"a plan")
    details = {"engine": "engine.plan", "sha256": sha256(folder / "engine.plan"), "compute_capability": "8.0", "gpu": "A100"}
    write_json(folder / "engine.json", {"details": details})
    return folder


def test_an_engine_without_a_gpu_is_a_clear_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_runner, "here", lambda: None)
    with pytest.raises(MissingError, match=r"needs an NVIDIA GPU of compute capability 8\.0"):
        tensorrt_runner.load(TENSORRT, engine(tmp_path), EngineSpec(1, 0, "fp16"))


def test_a_damaged_engine_is_found_before_tensorrt_sees_it(tmp_path: Path) -> None:
    details = tensorrt_runner.read_details(engine(tmp_path))
    require_whole(tmp_path, details)
    (tmp_path / "engine.plan").write_bytes(b"a pla")
    with pytest.raises(RunError, match="damaged"):
        require_whole(tmp_path, details)
    (tmp_path / "engine.json").write_text("{")
    with pytest.raises(RunError, match=r"cannot read engine\.json"):
        tensorrt_runner.read_details(tmp_path)


def test_a_timing_cache_of_another_version_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    cache = TimingCache("tensorrt", "10.13.0", 80, "NVIDIA A100-SXM4-40GB")
    assert cache.read() == b""
    cache.file.parent.mkdir(parents=True)
    cache.file.write_bytes(TimingCache("tensorrt", "10.8.0", 80, "NVIDIA A100-SXM4-40GB")._head + b"timings")
    assert cache.read() == b""
    said = capsys.readouterr().err
    assert "10.8.0" in said and "ignoring the timing cache" in said and said.count("\n") == 1
    assert not cache.file.exists() and cache.file.with_suffix(".unused").is_file()


def test_gpus_of_one_compute_capability_have_timing_caches_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kernels are timed on this machine's GPU, whatever the engine is called for."""
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    caches = []
    for name in ("NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe", "NVIDIA H200"):
        monkeypatch.setattr(tensorrt_timing, "here", lambda name=name: Target(name, 90))
        caches.append(TimingCache.of("tensorrt", "10.13.0", Target("H100_SXM_80GB", 90)))
    assert [cache.file.name for cache in caches] == [
        f"tensorrt-10.13.0-sm90-NVIDIA_{name}.cache" for name in ("H100_80GB_HBM3", "H100_PCIe", "H200")
    ]
    caches[0].file.parent.mkdir(parents=True)
    caches[0].file.write_bytes(caches[1]._head + b"timings")  # as a file that was copied by hand
    assert caches[0].read() == b"" and "H100 PCIe" in capsys.readouterr().err
    monkeypatch.setattr(tensorrt_timing, "here", lambda: None)
    assert TimingCache.of("tensorrt", "10.13.0", Target("L4", 89)).gpu == "L4"


def test_a_timing_cache_that_tensorrt_refuses_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    monkeypatch.setattr(tensorrt_timing, "_created", lambda config, data: None if data else "a fresh cache")
    cache = TimingCache("tensorrt", "10.13.0", 80, "NVIDIA A100-SXM4-40GB")
    cache.file.parent.mkdir(parents=True)
    cache.file.write_bytes(cache._head + b"damaged")
    taken: list[object] = []

    class Config:
        def set_timing_cache(self, cache: object, ignore: bool) -> bool:
            taken.append(cache)
            return True

    cache.attach(Config(), Messages())  # type: ignore[arg-type]
    assert taken == ["a fresh cache"] and "ignoring the timing cache" in capsys.readouterr().err


def test_errors_carry_tensorrts_first_and_last_words() -> None:
    messages = Messages()
    assert messages.last() == "it gave no reason"
    messages.all.extend([("WARNING", "odd"), ("ERROR", "cause"), ("INFO", "Total Weights Memory: 512 bytes"), ("ERROR", "end")])
    assert messages.last() == "cause; end" and messages.number_after("Total Weights Memory: ") == 512
