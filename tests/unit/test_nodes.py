"""Runs over nodes without Ray: what is asked for, refused, compared and recorded. tests/e2e/test_nodes.py has real clusters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code.actions import Context
from code.backends.base import backend
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.harness.schema import run_spec as contract
from code.harness.schema.options import RemoteOptions
from code.plan.request import parse
from code.plan.workload import build
from code.preflight import Level
from code.results import devices
from code.results import nodes as results
from code.results.page import limits
from code.run.identity import run_identity
from code.run.job import Job
from code.run.language import supported
from code.run.nodes import environment, node_specs, over_nodes, permission, proof
from code.run.nodes.cluster import Lost, Member, ray_environment
from code.run.nodes.inspection import checked_nodes
from code.run.nodes.material import to_prove
from code.run.nodes.wanted import Wanted, wanted
from tests import run_documents as documents


def job(*words: str, benchmark: str = "bert") -> Job:
    found, failed = build(
        parse(["--action=run", f"--benchmarks={benchmark}", "--scenarios=offline", "--model_variant=tiny", *words], {})
    )
    assert not failed, failed
    return Context(parse([], {})).job(found[0])


def asking(count: int | None, address: str | None) -> dict[str, Any]:
    return {"num_nodes": count, "ray_address": address, "tolerate_node_loss": None}


@pytest.mark.parametrize(
    ("count", "address", "expected"),
    [
        (None, None, None),
        (1, None, None),
        (None, "local:2", Wanted(2, "local:2")),
        (3, "local:3", Wanted(3, "local:3")),
        (1, "local:1", Wanted(1, "local:1")),
        (2, "auto", Wanted(2, "auto")),
        (8, "10.0.0.1:6379", Wanted(8, "10.0.0.1:6379")),
        (2, "ray://head.cluster:10001", Wanted(2, "ray://head.cluster:10001")),
        (2, "[fe80::1]:6379", Wanted(2, "[fe80::1]:6379")),
    ],
)
def test_nodes_that_are_asked_for(count: int | None, address: str | None, expected: Wanted | None) -> None:
    assert wanted(asking(count, address)) == expected


@pytest.mark.parametrize(
    ("count", "address", "words"),
    [
        (2, None, "no Ray cluster is named"),
        (2, "local:3", "num_nodes is 2"),
        (None, "auto", "num_nodes is not set"),
        (2, "local:0", "cannot be 'local:0'"),
        (2, "local", "cannot be"),
        (2, "host", "cannot be"),
        (2, "host:99999", "cannot be"),
        (2, "host:0", "cannot be"),
        (2, "http://host:1/x", "cannot be"),
    ],
)
def test_what_contradicts_is_an_error_that_names_the_option(count: int | None, address: str | None, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        wanted(asking(count, address))
    assert caught.value.next_step and caught.value.where.startswith("--")


def test_nodes_is_another_name_of_num_nodes() -> None:
    assert job("--nodes=2", "--ray_address=local:2").workload["num_nodes"] == 2


def test_a_machine_without_ray_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VENV", str(tmp_path / "venv"))
    permission.require(job())
    with pytest.raises(MissingError, match="Ray is not installed") as caught:
        job("--ray_address=local:2").prepare()
    assert "make cluster" in caught.value.next_step
    python = tmp_path / "venv-cluster" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    with pytest.raises(MissingError, match="ZeroMQ"):
        environment.library()
    library = tmp_path / "venv-cluster/lib/python3.12/site-packages/pyzmq.libs/libzmq-1a.so.5.2.5"
    library.parent.mkdir(parents=True)
    library.touch()
    assert environment.library() == library
    permission.require(job("--ray_address=local:2"))


def test_doctor_looks_at_the_nodes_that_options_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VENV", str(tmp_path / "venv"))
    assert checked_nodes(asking(None, None)) == []
    (found,) = checked_nodes(asking(None, "local:2"))
    assert found.level is Level.ERROR and "Ray is not installed" in found.message and "make cluster" in found.fix
    (found,) = checked_nodes(asking(2, None))
    assert found.level is Level.ERROR and "no Ray cluster" in found.message


def test_workloads_that_cannot_run_over_nodes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    served = job("--ray_address=local:2", "--backend=openai", "--server_urls=h:1", benchmark="gptj")
    with pytest.raises(UsageError, match="does not run over nodes") as caught:
        permission.require(served)
    assert "openai" in caught.value.why and "--server_urls=HOST:PORT,HOST:PORT" in caught.value.next_step
    with pytest.raises(UsageError, match="cannot go on without a node yet"):
        permission.require(job("--ray_address=local:2", "--tolerate_node_loss", benchmark="gptj"))
    batches = job("--ray_address=local:2", "--backend=onnxruntime")
    with monkeypatch.context() as patched, pytest.raises(UsageError, match="does not run over nodes") as caught:
        patched.setattr(type(batches.backend), "harness_languages", ("python",))
        permission.require(batches)
    assert "has no onnxruntime" in caught.value.why
    with pytest.raises(UsageError, match="not both") as caught:
        permission.require(job("--ray_address=local:2", "--with_server", benchmark="llama3.1-8b"))
    assert "with_server" in caught.value.why
    with pytest.raises(UsageError, match="not both"):
        permission.require(job("--ray_address=local:2", "--use_triton=true"))
    with pytest.raises(HarnessError, match="python"):
        _ = job("--ray_address=local:2", "--harness_lang=python", "--backend=simulated").language


def test_only_offline_goes_on_without_a_node() -> None:
    with pytest.raises(UsageError, match="cannot go on without a node"):
        found, _ = build(parse(["--benchmarks=bert", "--scenarios=server", "--ray_address=local:2", "--tolerate_node_loss"], {}))
        permission.require(Context(parse([], {})).job(found[0]))


def test_the_head_is_ended_or_told_when_a_node_is_lost(tmp_path: Path) -> None:
    class Process:
        killed = 0

        def kill(self) -> None:
            self.killed += 1

    class Nodes:
        members = members(2)
        lost: list[Lost] = []  # noqa: RUF012
        on_loss: Any = None

    for folder, killed in ((None, 1), (tmp_path, 0)):
        nodes: Any = Nodes()
        nodes.lost = [Lost(1, "n1", "died")]
        head = over_nodes.Head(nodes, folder)
        process: Any = Process()
        head._process = process
        nodes.on_loss(nodes.lost[0])
        assert process.killed == killed
    assert [path.name for path in tmp_path.iterdir()] == ["lost-node-1"]
    nodes.lost.append(Lost(0, "n0", "died"))
    nodes.on_loss(nodes.lost[1])
    assert process.killed == 1, "no node is left"


def test_rates_of_a_config_are_for_one_machine() -> None:
    plain = job("--ray_address=auto", "--num_nodes=4", "--system=H100_SXM_80GBx8", "--backend=simulated").workload
    more = permission.with_all_nodes(plain, computes=True)
    assert more["offline_expected_qps"] == 4 * plain["offline_expected_qps"]
    assert more.origin("offline_expected_qps").endswith("times 4 nodes")
    for words in (("--ray_address=local:4",), ("--ray_address=auto", "--nodes=4", "--offline_expected_qps=100")):
        same = job(*words, "--system=H100_SXM_80GBx8").workload
        assert permission.with_all_nodes(same, computes=True)["offline_expected_qps"] == same["offline_expected_qps"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--ray_address=auto", "--nodes=4"), "_4nodes_"),
        (("--ray_address=local:4",), ""),
        (("--ray_address=auto", "--nodes=1"), ""),
        ((), ""),
    ],
)
def test_a_system_of_several_machines_has_a_name_of_its_own(words: tuple[str, ...], name: str) -> None:
    one = job(*words, "--system=H100_SXM_80GBx8", "--backend=simulated")
    found = run_identity(one.workload, "PerformanceOnly", one.backend, 10833).system_name
    assert (name in found) if name else ("nodes" not in found), found


HEAD: dict[str, Any] = {
    "commit": "abc",
    "harness": "h1",
    "model": "m1",
    "engines": {"bert-1": "e1"},
    "data": {"lengths.npy": "d1", "input_ids.npy": "d2"},
    "devices": [{"kind": "H100", "uuid": "GPU-1", "pci": ""}],
    "processors": 8,
}
NODE = {**HEAD, "name": "n1", "offset_s": 0.0002, "round_trip_s": 12e-6, "bytes_per_s": 1.8e9}


def test_equal_nodes_pass_and_are_shown_with_the_head() -> None:
    proof.require_equal(HEAD, [NODE, {**NODE, "name": "n2"}])
    head, first, _ = proof.rows(HEAD, [NODE, {**NODE, "name": "n2"}])
    assert len(head) == len(first) == len(proof.HEADINGS)
    assert first == ("n1", "abc", "m1", "e1", "d1 d2", "H100", "+0.20 ms", "12 µs", "1,800 MB/s")


@pytest.mark.parametrize(
    ("changed", "what", "how"),
    [
        ({"commit": "abd"}, "another commit", "it is abd, here abc"),
        ({"harness": "missing"}, r"another C\+\+ harness", "it is missing, here h1"),
        ({"model": "m2"}, "another model", "it is m2, here m1"),
        ({"engines": {}}, "another engine bert-1", "it is missing, here e1"),
        ({"data": {"lengths.npy": "d1", "input_ids.npy": "dX"}}, "another data file input_ids.npy", "it is dX, here d2"),
        ({"devices": []}, "another GPUs", "it has none, here H100"),
        ({"error": "no such file"}, "n2: proof", "no such file"),
    ],
)
def test_a_difference_is_an_error_with_the_node_and_the_value(changed: dict[str, Any], what: str, how: str) -> None:
    with pytest.raises(MissingError, match=what) as caught:
        proof.require_equal(HEAD, [NODE, {**NODE, "name": "n2", **changed}])
    assert "node n2" in caught.value.what and how in caught.value.why and caught.value.next_step


def test_a_clock_that_is_off_is_an_error_and_others_are_counted() -> None:
    with pytest.raises(RunError, match="n2: clock") as caught:
        proof.require_equal(HEAD, [{**NODE, "name": "n2", "offset_s": -2.5}])
    assert "-2.500 s" in caught.value.why
    with pytest.raises(MissingError) as more:
        proof.require_equal(HEAD, [{**NODE, "commit": "x", "model": "y"}])
    assert "1 more" in more.value.why


def document() -> contract.RunSpec:
    return contract.parse(documents.BOTH["sequence"], "run.json")


def members(count: int) -> list[Member]:
    return [Member(f"n{i}", "host", "127.0.0.1", (2 * i, 2 * i + 1)) for i in range(count)]


def test_the_head_has_a_device_for_each_of_the_nodes_and_a_lane_for_each_stream(tmp_path: Path) -> None:
    spec = document()
    runs = [node_specs.of_node(spec, 1, member, {}) for member in members(2)]
    assert runs[0].devices == spec.devices
    served = [{"endpoints": [[f"tcp://h:{d}{s}" for s in range(x.streams)] for d, x in enumerate(spec.devices)], "key": "k"}] * 2
    head = node_specs.of_head(spec, members(2), runs, served, "libzmq.so")
    assert len(head.devices) == 2 * len(spec.devices)
    assert [device.index for device in head.devices] == list(range(len(head.devices)))
    for device in head.devices:
        options = head.engines[device.engine].options
        assert isinstance(options, RemoteOptions) and len(options.endpoints) == device.streams
        assert device.name.startswith(f"{options.node}/") and not device.cores
    head.write(tmp_path / "run.json")
    assert contract.read(tmp_path / "run.json") == head


def test_texts_have_a_device_for_each_node_whatever_its_devices(tmp_path: Path) -> None:
    one = contract.parse(documents.PYTHON["openvino_genai"], "run.json")
    several = replace(one, devices=(one.devices[0], replace(one.devices[0], index=1, name="device 1")))
    served = [{"endpoints": [["ipc:///a", "ipc:///b"]], "key": "k"}, {"endpoints": [["ipc:///c", "ipc:///d"]], "key": "l"}]
    head = node_specs.of_head(one, members(2), [one, several], served, "libzmq.so", ["", "/lost"])
    assert [device.name for device in head.devices] == ["n0/device 0", "n1/2 devices"]
    assert [device.streams for device in head.devices] == [1, 1] and [device.engine for device in head.devices] == [0, 1]
    options = [head.engine_of(device).options for device in head.devices]
    assert [one.endpoints for one in options] == [("ipc:///a", "ipc:///b"), ("ipc:///c", "ipc:///d")]  # type: ignore[union-attr]
    head.write(tmp_path / "run.json")
    assert contract.read(tmp_path / "run.json") == head


def test_the_harness_of_nodes_is_the_one_that_has_the_workload() -> None:
    assert supported(
        asking(2, "local:2") | {"use_triton": None, "with_server": None, "triton_protocol": None}, backend("openvino")
    ) == ("cpp",)
    assert supported(
        asking(2, "local:2") | {"use_triton": None, "with_server": None, "triton_protocol": None}, backend("openvino_genai")
    ) == ("python",)
    for name in ("openvino_genai", "tensorrt_llm", "pytorch"):
        assert backend(name).harness_languages == ("python",), "the C++ harness generates no text"


def test_nodes_prove_the_prompts(tmp_path: Path) -> None:
    dataset = {"folder": str(tmp_path), "tokens": "tokens.npy", "offsets": "offsets.npy", "lengths": "lengths.npy", "count": 5}
    found = to_prove(
        SimpleNamespace(
            backend=SimpleNamespace(computes=True), dataset=dataset, engines=SimpleNamespace(addresses=[]), graph=tmp_path
        )
    )
    assert [Path(name).name for name in found["data"]] == ["tokens.npy", "offsets.npy", "lengths.npy"]


def test_nodes_of_one_machine_share_its_processors() -> None:
    spec = document()
    runs = [node_specs.of_node(spec, 2, member, {}) for member in members(2)]
    assert [run.devices[0].cores for run in runs] == [(0, 1), (2, 3)]
    assert all(len(run.devices) == 1 and run.devices[0].threads >= 1 and run.devices[0].streams >= 1 for run in runs)


def test_nodes_have_gpus_of_their_own() -> None:
    found = {"devices": [{"uuid": f"GPU-{i}", "pci": f"0000:0{i}:00.0"} for i in range(8)]}
    run = node_specs.of_node(document(), 1, members(1)[0], found)
    assert [device.name for device in run.devices] == [f"GPU-{i}" for i in range(len(run.devices))]


def test_a_lost_node_is_named_with_the_reason() -> None:
    error = Lost(1, "n2", "its actor died").error()
    assert error.lines()[0] == "error: node n2 was lost" and error.exit_status == 4 and "its actor died" in error.why


def test_ray_sees_nothing_of_the_harnesss_python() -> None:
    found = ray_environment({"PYTHONPATH": "/project", "HARNESS_PARENT_PID": "7", "HOME": "/h"})
    assert "PYTHONPATH" not in found and "HARNESS_PARENT_PID" not in found and found["HOME"] == "/h"
    assert found["RAY_USAGE_STATS_ENABLED"] == "0"


def test_the_results_have_each_nodes_share_and_what_the_network_took(tmp_path: Path) -> None:
    assert results.read(tmp_path, []) is None
    rows = [
        {"index": i, "name": name, "samples": samples, "batches": 9, "busy_s": 9.0, "elapsed_s": 10.0, "network_s": 0.5}
        for i, (name, samples) in enumerate((("n1/node 0", 300), ("n2/GPU-a", 500), ("n2/GPU-b", 200)))
    ]
    (tmp_path / "devices.json").write_text(json.dumps([{**row, "received_bytes": 3072} for row in rows]))
    recorded = [
        {"name": "n1", "host": "a", "offset_s": 0.1, "reached": "TCP, encrypted"},
        {"name": "n2", "host": "b", "round_trip_s": 1e-5},
    ]
    (tmp_path / "nodes.json").write_text(json.dumps({"address": "auto", "ray": "2.60.0", "nodes": recorded}))
    shares = devices.read(tmp_path)
    assert shares[0].network == 0.05 and shares[0].as_json()["received_bytes"] == 3072
    found = results.read(tmp_path, shares)
    assert found is not None and found["number_of_nodes"] == 2 and found["ray"] == "2.60.0"
    assert [(one["name"], one["share"], one["devices"]) for one in found["nodes"]] == [("n1", 0.3, 1), ("n2", 0.7, 2)]
    assert found["nodes"][0]["reached"] == "TCP, encrypted"
    assert found["nodes"][0]["network_share"] == 0.05 and found["nodes"][1]["round_trip_s"] == 1e-5
    table = limits.rows({"devices": [one.as_json() for one in shares]}, {}, None, None)
    assert ("Network", "5.0%") in [row[:2] for row in table]
    assert results.departure(found) == ""
    lost = [{"name": "n2", "why": "its actor died"}]
    (tmp_path / "nodes.json").write_text(json.dumps({"address": "auto", "nodes": recorded, "lost": lost}))
    assert results.departure(results.read(tmp_path, shares)) == "it went on without n2"
    recorded[1]["host"] = "a"
    (tmp_path / "nodes.json").write_text(json.dumps({"address": "local:2", "nodes": recorded}))
    local = results.read(tmp_path, shares)
    assert local is not None and local["number_of_nodes"] == 1, "the nodes of a local cluster are one machine"
    (tmp_path / "nodes.json").write_text("[]")
    assert results.read(tmp_path, shares) is None


def test_a_proof_is_of_this_machine(tmp_path: Path) -> None:
    from code.run.nodes.prove import proof as proof_of

    file = tmp_path / "lengths.npy"
    file.write_bytes(b"x")
    found = proof_of([str(tmp_path / "engine")], str(tmp_path / "model"), [str(file)])
    assert found["engines"] == {"engine": "missing"} and found["model"] == "missing"
    assert len(found["data"]["lengths.npy"]) == 16 and found["processors"] >= 1


def test_engines_of_the_same_inputs_are_equal_whatever_their_bytes(tmp_path: Path) -> None:
    from code.backends import digests
    from code.run.nodes.prove import proof as proof_of

    found = []
    for number, (words, model) in enumerate((("one", "m"), ("another", "m"), ("one", "n"))):
        folder = tmp_path / str(number) / "bert-1"
        folder.mkdir(parents=True)
        (folder / "engine.blob").write_text(words)
        sidecar = {"model": {"sha256": model}, "build_seconds": number, "files": digests.of_folder(folder)}
        (folder / "engine.json").write_text(json.dumps(sidecar))
        found.append(proof_of([str(folder)], "", [])["engines"]["bert-1"])
    assert found[0] == found[1] != found[2]
    (folder / "engine.blob").write_text("damaged")
    assert "engine.blob" in proof_of([str(folder)], "", [])["engines"]["bert-1"]
