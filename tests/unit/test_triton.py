"""What Triton is given to serve, and how a run is told to ask it; the server itself is in tests/e2e/test_triton.py."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.actions import Context
from code.backends.base import BACKENDS, CLIENTS, loader
from code.backends.triton import config, instance, package, repository, wires
from code.backends.triton.client import Remote
from code.backends.triton.config import Instances, Settings, Tensor
from code.common.errors import MissingError, RunError, UsageError
from code.harness.schema import run_spec as contract
from code.harness.schema.options import TritonOptions
from code.plan.request import parse
from code.plan.workload import build
from code.run import language, triton_requests, triton_server, triton_time
from code.run.job import Job
from tests import run_documents as documents

FIELDS: dict[str, Any] = {
    **dict.fromkeys(("instance_group_count", "preferred_batch_size", "max_queue_delay_usec", "request_timeout_usec")),
    "output_pinned_memory": None,
    "gather_kernel_buffer_threshold": 0,
}
TENSORS = ((Tensor("ids", "INT64", (-1,)),), (Tensor("logits", "FP32", (-1, 2)),))


def job(*words: str) -> Job:
    found, failed = build(parse(["--action=run", "--scenarios=offline", *words], {}))
    assert not failed, failed
    return Context(parse([], {})).job(found[0])


PLAIN = Settings()
TWO = Instances(2)


def text(settings: Settings = PLAIN, runtime: str = "python", instances: Instances = TWO) -> str:
    return config.text("bert_0", runtime, 16, *TENSORS, instances, settings, {"harness": '{"a": "b\\c"}'})


def test_a_models_config_has_its_tensors_and_instances() -> None:
    found = text()
    assert 'name: "bert_0"\nbackend: "python"\nmax_batch_size: 16\n' in found
    assert 'input { name: "ids" data_type: TYPE_INT64 dims: [ -1 ] }' in found
    assert 'output { name: "logits" data_type: TYPE_FP32 dims: [ -1, 2 ] }' in found
    assert "instance_group { count: 2 kind: KIND_CPU }" in found
    assert "dynamic_batching" not in found and "optimization" not in found


def test_each_field_of_tritons_reaches_the_config() -> None:
    values = {
        **FIELDS,
        "instance_group_count": 4,
        "preferred_batch_size": "[8, 4]",
        "max_queue_delay_usec": 500,
        "request_timeout_usec": 9000,
        "output_pinned_memory": False,
        "gather_kernel_buffer_threshold": 3,
    }
    found = text(config.settings_of(values, 16))
    assert "count: 4" in found
    assert "dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 500 " in found
    assert "default_queue_policy { timeout_action: REJECT default_timeout_microseconds: 9000 }" in found
    assert "optimization { output_pinned_memory { enable: false } gather_kernel_buffer_threshold: 3 }" in found


@pytest.mark.parametrize("sizes", ["x", "0", "17", "-1", "8,,x", "8;9", "1e9"])
def test_batch_sizes_that_the_engine_does_not_take_are_refused(sizes: str) -> None:
    with pytest.raises(UsageError, match="preferred_batch_size cannot be"):
        config.settings_of({**FIELDS, "preferred_batch_size": sizes}, 16)


def test_a_plan_of_tensorrts_is_served_by_tritons_own_backend_on_its_gpu() -> None:
    found = text(runtime="tensorrt_plan", instances=Instances(2, gpu=1))
    assert 'platform: "tensorrt_plan"' in found and "instance_group { count: 2 kind: KIND_GPU gpus: [ 1 ] }" in found


def test_every_backend_is_served_or_says_why_not(tmp_path: Path) -> None:
    for name in BACKENDS:
        if name in (*repository.PYTHON_BACKENDS, *repository.PLANS):
            assert repository.runtime_of(name)
        else:
            with pytest.raises(UsageError, match=f"cannot serve engines of the {name} backend"):
                repository.runtime_of(name)


def test_tritons_own_backend_takes_the_engine_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no backend of its own for engines of the openvino backend"):
        repository.runtime_of("openvino", own=True)
    assert repository.runtime_of("tensorrt", own=True) == "tensorrt_plan"
    graph = Path(__file__).parents[2] / "code" / "benchmarks" / "bert" / "tiny" / "model" / "model.onnx"
    models = [repository.Served("bert_0", tmp_path / "engine", "fp32", Instances(2), 4)]
    repository.write(tmp_path / "models", "onnxruntime", graph, 8, models, PLAIN, own=True)
    found = (tmp_path / "models" / "bert_0" / "config.pbtxt").read_text()
    assert 'backend: "onnxruntime"' in found and "instance_group { count: 2 kind: KIND_CPU }" in found
    assert 'key: "intra_op_thread_count" value { string_value: "2" }' in found and "harness" not in found
    link = tmp_path / "models" / "bert_0" / "1" / "model.onnx"
    assert link.readlink() == tmp_path / "engine" / "engine.onnx"


def test_a_config_version_puts_a_workload_behind_triton() -> None:
    for version in ("triton", "triton_high_accuracy", "triton_unified"):
        found = job("--benchmarks=bert", f"--config_ver={version}", "--system=CPU_x86_64")
        assert language.served(found.values) and found.workload.origin("use_triton") == f"config version {version}"
    assert language.served(job("--benchmarks=bert", "--use_triton", "--system=CPU_x86_64").values)
    assert not language.served(job("--benchmarks=bert", "--system=CPU_x86_64").values)
    assert not language.served(
        job("--benchmarks=bert", "--config_ver=triton", "--use_triton=false", "--system=CPU_x86_64").values
    )


def test_text_generation_behind_triton_is_refused() -> None:
    with pytest.raises(MissingError, match="cannot run behind Triton with"):
        job("--benchmarks=gptj", "--config_ver=triton", "--system=CPU_x86_64").build()
    with pytest.raises(UsageError, match="cannot serve engines of the simulated backend"):
        job("--benchmarks=bert", "--config_ver=triton", "--system=CPU_x86_64", "--backend=simulated").prepare()


def test_fields_of_tritons_are_named_where_nothing_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    job("--benchmarks=bert", "--system=CPU_x86_64", "--preferred_batch_size=8").warn_unused()
    assert "preferred_batch_size (it is for runs behind Triton: --config_ver=triton)" in capsys.readouterr().err
    job("--benchmarks=bert", "--system=CPU_x86_64", "--preferred_batch_size=8", "--config_ver=triton").warn_unused()
    assert "preferred_batch_size" not in capsys.readouterr().err


def spec(**changed: Any) -> contract.RunSpec:
    content = json.loads(json.dumps(documents.BOTH["sequence"]))
    content["batch"] = {"max_samples": 8, "timeout_us": 100, "padding": 0.1}
    found = contract.parse({**content, **changed}, "run.json")
    return found


SENDING: dict[str, Any] = {"use_concurrent_harness": None, "num_concurrent_issuers": 1, "batch_triton_requests": None}


def test_a_run_behind_triton_asks_the_server_with_the_harnesss_batches(tmp_path: Path) -> None:
    direct = spec()
    found = triton_requests.through(direct, TritonOptions("localhost:8001", ("bert_0",)), SENDING)
    assert {engine.backend for engine in found.engines} == {"triton"} and found.batch == direct.batch
    assert [device.streams for device in found.devices] == [device.streams for device in direct.devices]
    found.write(tmp_path / "run.json")
    assert contract.read(tmp_path / "run.json").engines[0].options == TritonOptions("localhost:8001", ("bert_0",))


def test_more_requests_are_in_flight_where_fields_ask_for_them() -> None:
    options = TritonOptions("localhost:8001", ("bert_0",))
    streams = spec().devices[0].streams
    more = triton_requests.through(spec(), options, {**SENDING, "use_concurrent_harness": True, "num_concurrent_issuers": 3})
    assert more.devices[0].streams == 3 * streams and more.batch.max_samples == 8
    single = triton_requests.through(spec(), options, {**SENDING, "batch_triton_requests": False})
    assert single.devices[0].streams == 8 * streams and single.batch.max_samples == 1


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("localhost:8001", ("localhost:8001", True, "")),
        ("127.0.0.1:1", ("127.0.0.1:1", True, "")),
        ("grpc://node-3.local:8001", ("node-3.local:8001", False, "grpc")),
        ("http://[::1]:8000", ("[::1]:8000", True, "http")),
        ("10.0.0.2:65535", ("10.0.0.2:65535", False, "")),
    ],
)
def test_the_address_of_a_server(given: str, found: tuple[str, bool, str]) -> None:
    assert wires.address(given) == found


@pytest.mark.parametrize(
    "given", ["", "localhost", "localhost:", ":8001", "localhost:0", "localhost:65536", "a b:1", "https://x:1", "://x:1"]
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="triton_url cannot be"):
        wires.address(given)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as one:
        one.bind((triton_server.HOST, 0))
        one.listen()
        with pytest.raises(UsageError, match=f"port {one.getsockname()[1]} is taken"):
            triton_server.require_free(one.getsockname()[1])
    triton_server.require_free(triton_server.free_port())


def test_a_server_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="not an executable file"):
        package.installation(str(tmp_path / "none"))
    monkeypatch.setenv("VENV", str(tmp_path / "venv"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(package, "INSTALLED", tmp_path)
    with pytest.raises(MissingError, match="Triton Inference Server is not installed") as missing:
        package.installation(None)
    assert "make triton" in missing.value.next_step


def test_a_server_on_path_is_found_with_its_backends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "root" / "bin" / "tritonserver"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "root" / "backends" / "tensorrt").mkdir(parents=True)
    monkeypatch.setenv("VENV", str(tmp_path / "venv"))
    monkeypatch.setattr(package, "INSTALLED", tmp_path)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    found = package.installation(None)
    assert found.program == program and found.has("tensorrt") and not found.has("python")
    assert package.backends_for(found) == tmp_path / "root" / "backends"


LOADING = """I1129 10:00:00.000001 1 pb_stub.cc:320] "Failed to initialize Python stub"
E1129 10:00:00.000002 1 backend_model.cc:692] "ERROR: Failed to create instance: OpenVINO cannot load the engine"
+--------+---------+----------------------------------------------------------------+
| Model  | Version | Status                                                         |
+--------+---------+----------------------------------------------------------------+
| bert_0 | 1       | UNAVAILABLE: Internal: OpenVINO cannot load the engine x       |
+--------+---------+----------------------------------------------------------------+
"""


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (LOADING, "bert_0: Internal: OpenVINO cannot load the engine x"),
        (LOADING.split("+")[0], "ERROR: Failed to create instance: OpenVINO cannot load the engine"),
        ("tritonserver: error while loading shared libraries: libb64.so.0d\n", "error while loading shared libraries"),
        ("", "it printed nothing"),
    ],
)
def test_the_servers_own_words_are_told(log: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "triton.txt").write_text(log)
    server = triton_server.Server(None, "x:1", 2, tmp_path / "triton.txt", "none")  # type: ignore[arg-type]
    assert words in server.words()


def test_a_program_that_is_no_server_ends_the_run_with_its_words(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "tritonserver"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'cannot read the moon' >&2\nexit 7\n")
    program.chmod(0o755)
    (tmp_path / "backends").mkdir()
    with (
        pytest.raises(RunError, match="did not start: exit status 7") as failed,
        triton_server.started(package.installation(str(program)), tmp_path, tmp_path, 0, 0, 30),
    ):
        pass
    assert failed.value.why == "cannot read the moon"


def test_requests_of_one_shape_are_computed_together_and_answered_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []

    class Doubling:
        inputs, outputs = ("x",), ("y",)

        def stream(self) -> Doubling:
            return self

        def infer(self, inputs: dict[str, Any]) -> dict[str, Any]:
            calls.append(inputs["x"].shape)
            return {"y": inputs["x"] * 2}

    class Loads:
        def load(self, folder: Path, spec: Any) -> Doubling:
            return Doubling()

    monkeypatch.setattr(instance, "backend", lambda name: Loads())
    monkeypatch.setattr(instance, "end_with_server", lambda python: None)
    one = instance.Instance(
        {"python": "", "cores": [], "threads": 1, "precision": "fp32", "backend": "openvino", "engine": str(tmp_path)}
    )
    batches = [{"x": np.full((rows, 3), rows, np.float32)} for rows in (2, 1)]
    answers = one.computed(batches)
    assert calls == [(3, 3)]
    assert [answer["y"].tolist() for answer in answers] == [[[4.0] * 3] * 2, [[2.0] * 3]]
    assert instance._of_one_shape([*batches, {"x": np.zeros((1, 5))}]) == [[0, 1], [2]]


def test_inputs_of_another_shape_are_named() -> None:
    tensor = Remote("ids", np.int64, (-1, 384))
    assert not tensor.problem(np.zeros((4, 384), np.int64))
    assert tensor.problem(np.zeros((4, 64), np.int64)) == "ids has the shape [4, 64], and the model takes [-1, 384]"
    assert "ids has the shape [4]" in tensor.problem(np.zeros(4, np.int64))


def test_the_client_is_no_backend_of_the_command_line() -> None:
    assert not set(CLIENTS) & set(BACKENDS)
    for name in CLIENTS:
        assert loader(name).load
    words = ["--action=run", "--scenarios=offline", "--benchmarks=bert", "--backend=triton", "--system=CPU_x86_64"]
    found, failed = build(parse(words, {}))
    assert not found and failed[0].error.what == "unknown backend 'triton'"


def test_a_result_says_which_server_it_asked(tmp_path: Path) -> None:
    assert triton_time.recorded(tmp_path) == {}
    triton_time.record(tmp_path, "2.51.0", "localhost:8001")
    noted = {"triton_version": "2.51.0", "triton_server": "localhost:8001", "triton_protocol": "grpc"}
    assert triton_time.recorded(tmp_path) == noted
    (tmp_path / triton_time.SERVER_FILE).write_text("[]")
    assert triton_time.recorded(tmp_path) == {}
