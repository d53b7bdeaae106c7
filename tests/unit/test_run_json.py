"""run.json: what its schema says, that the strict reader says the same, and what a workload writes into it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zlib import crc32

import jsonschema
import pytest

from code.backends.base import backend
from code.common.errors import MissingError, UsageError
from code.harness.schema import run_spec as contract
from code.harness.schema.datasets import of_benchmark
from code.harness.schema.json_schema import FILE, json_schema
from code.harness.schema.options import NoOptions, TensorRtOptions
from code.harness.schema.run_spec import RunSpec
from code.plan.request import parse
from code.plan.workload import build
from code.run.placement import Device, Placement, place
from code.run.spec import run_spec
from tests import run_documents as documents

GOOD = {**documents.BOTH, **documents.PYTHON}
DATASET: dict[str, Any] = {
    **{key: value for key, value in documents.SEQUENCE.items() if key != "pad_to_multiple_of"},
    "usual_count": 10833,
}


PARTS = 6


@pytest.fixture(scope="module")
def schema() -> Any:
    return jsonschema.Draft202012Validator(json.loads(FILE.read_text()))


def verdict(content: Any) -> str:
    """What the Python reader says; '' where it takes it."""
    try:
        contract.parse(json.loads(json.dumps(content)), "run.json")
    except UsageError as error:
        return f"{error.what} | {error.why}"
    return ""


def test_the_schema_is_what_the_dataclasses_say(schema: Any) -> None:
    schema.check_schema(schema.schema)
    assert json.loads(FILE.read_text()) == json.loads(json.dumps(json_schema(RunSpec))), "run: python -m code.harness.schema"


def test_every_object_of_the_schema_is_closed(schema: Any) -> None:
    def closed(part: Any, path: str) -> None:
        if isinstance(part, dict):
            if "properties" in part:
                assert part["additionalProperties"] is False, path
            for key, value in part.items():
                closed(value, f"{path}/{key}")
        elif isinstance(part, list):
            for number, value in enumerate(part):
                closed(value, f"{path}/{number}")

    closed(schema.schema, "")


@pytest.mark.parametrize("name", GOOD)
def test_good_documents_are_read_and_written_as_they_are(name: str, schema: Any, tmp_path: Path) -> None:
    assert schema.is_valid(GOOD[name]) and verdict(GOOD[name]) == ""
    spec = contract.parse(GOOD[name], "run.json")
    spec.write(tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text()) == GOOD[name]
    assert contract.read(tmp_path / "run.json") == spec


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.full) for part in range(1, PARTS))])
@pytest.mark.parametrize("name", GOOD)
def test_the_reader_and_the_schema_agree_at_every_depth(name: str, part: int, schema: Any) -> None:
    """For a change at every place: a sixth of them in `make test`, the others in `make test_full`."""
    refused = 0
    for label, content in documents.changed(GOOD[name]):
        if crc32(label.encode()) % PARTS != part:
            continue
        said = verdict(content)
        assert (said == "") == schema.is_valid(content), f"{label}: the reader says {said or 'nothing'}"
        refused += said != ""
        if label.startswith("no ") and not label.startswith(("no seeds.", "no dataset.arrays.", "no record.")):
            assert said, label
    assert refused > 250 // PARTS


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("dataset", "arays"), {}, "unknown key dataset.arays | the nearest known key is dataset.arrays"),
        (("engines", 0, "options", "graphs"), 1, "unknown key engines[0].options.graphs | known here: none"),
        (("devices", 1, "streams"), "2", "devices[1].streams is text | the schema requires a whole number"),
        (("devices", 0, "cores"), [0, -1], "devices[0].cores[1] is -1 | it must be from 0 to 65535"),
        (("batch", "padding"), 2, "batch.padding is 2 | it must be from 0 to 1"),
        (("scenario",), "Ofline", "scenario is 'Ofline' | did you mean 'Offline'?"),
        (("seeds", "qsl_seed"), 1, "unknown key seeds.qsl_seed | the nearest known key is seeds.qsl_rng_seed"),
        (("schema",), 2, "has schema 2 | this harness reads schema 4"),
    ],
)
def test_an_error_names_the_path_and_what_is_near(path: tuple[Any, ...], value: Any, words: str) -> None:
    content = json.loads(json.dumps(GOOD["sequence"]))
    documents.at(content, path[:-1])[path[-1]] = value
    assert words in verdict(content)


def test_a_misspelled_key_is_found_by_the_missing_one() -> None:
    content = json.loads(json.dumps(GOOD["sequence"]))
    content["dataset"]["arays"] = content["dataset"].pop("arrays")
    assert "no key dataset.arrays | the nearest key present is dataset.arays" in verdict(content)


@pytest.mark.parametrize(
    ("name", "path", "value", "words"),
    [
        ("sequence", ("devices", 1, "engine"), 2, "devices[1].engine is 2"),
        ("sequence", ("devices", 1, "index"), 0, "another device has the same index"),
        ("volume", ("dataset", "count"), 3, "there are 2 cases"),
        ("volume", ("dataset", "roi"), [65536, 65536, 65536], "dataset is inconsistent"),
        ("synthetic", ("engines", 0, "options", "lengths"), [384, 1], "engines[0].options is inconsistent"),
        ("synthetic", ("engines", 0, "options", "microseconds"), [[1, 2]], "engines[0].options is inconsistent"),
    ],
)
def test_what_a_schema_cannot_say_is_checked_too(name: str, path: tuple[Any, ...], value: Any, words: str, schema: Any) -> None:
    content = json.loads(json.dumps(GOOD[name]))
    documents.at(content, path[:-1])[path[-1]] = value
    assert schema.is_valid(content) and words in verdict(content)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_are_finite(number: str, tmp_path: Path) -> None:
    text = json.dumps(GOOD["sequence"]).replace('"warmup_s": 0.7', f'"warmup_s": {number}')
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UsageError):
        contract.read(tmp_path / "run.json")


def test_an_absent_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        contract.read(tmp_path / "run.json")


def test_a_backend_without_an_entry_has_no_options(schema: Any) -> None:
    engines = [{"backend": "counter", "folder": "", "precision": "fp32", "options": {}} for _ in GOOD["sequence"]["engines"] * 2]
    own = {**GOOD["sequence"], "engines": engines}
    assert not verdict(own) and schema.is_valid(own)
    engines[0]["options"] = {"use_graphs": True}
    assert "use_graphs" in verdict(own) and not schema.is_valid(own)


def workload_of(scenario: str, *words: str) -> Any:
    asked = ["--action=run_harness", "--benchmarks=bert", f"--scenarios={scenario}", "--system=CPU_x86_64", *words]
    (found,), failed = build(parse(asked, {}))
    assert not failed
    return found


def spec_of(folder: Path, scenario: str, *words: str, placement: Placement | None = None) -> RunSpec:
    workload, runtime = workload_of(scenario, *words), backend("openvino")
    placed = placement or place(workload, runtime)
    engines = [folder / f"engine-{number}" for number, _ in enumerate(placed.kinds)]
    return run_spec(workload, "PerformanceOnly", runtime, engines, DATASET, folder, {}, placed)


def test_what_a_workload_writes_is_of_the_schema(tmp_path: Path, schema: Any) -> None:
    for scenario in ("offline", "server", "singlestream", "multistream"):
        spec = spec_of(tmp_path, scenario)
        spec.write(tmp_path / "run.json")
        assert schema.is_valid(json.loads((tmp_path / "run.json").read_text()))
        assert contract.read(tmp_path / "run.json").devices == spec.devices


def test_the_devices_are_those_of_the_placement(tmp_path: Path) -> None:
    placed = Placement(
        (Device(0, 1, "node 1", "a", (4, 5), 2, 2, 0, "0000:3b:00.0"), Device(1, 0, "node 0", "b", (0,), 1, 1, 1)), 8
    )
    spec = spec_of(tmp_path, "offline", placement=placed)
    assert [asdict(device) for device in spec.devices] == [
        {"index": 0, "name": "node 1", "engine": 0, "cores": (4, 5), "streams": 2, "threads": 2, "pci": "0000:3b:00.0"},
        {"index": 1, "name": "node 0", "engine": 1, "cores": (0,), "streams": 1, "threads": 1, "pci": ""},
    ]
    assert [Path(engine.folder).name for engine in spec.engines] == ["engine-0", "engine-1"] and spec.batch.max_samples == 8


def test_loadgens_log_settings_come_from_their_fields(tmp_path: Path) -> None:
    usual = spec_of(tmp_path, "offline").log
    assert asdict(usual) == documents.BOTH["sequence"]["log"]
    words = ("--log_mode=Synchronous", "--log_mode_async_poll_interval_ms=50", "--log_copy_detail_to_stdout=true")
    log = spec_of(tmp_path, "offline", *words, "--disable_log_copy_summary_to_stdout=true").log
    assert (log.mode, log.async_poll_interval_ms, log.copy_detail_to_stdout) == ("Synchronous", 50, True)
    assert not log.copy_summary_to_stdout
    with pytest.raises(UsageError, match="log_mode cannot be 'Sync'"):
        spec_of(tmp_path, "offline", "--log_mode=Sync").write(tmp_path / "run.json")


def test_options_are_the_fields_of_their_names(tmp_path: Path) -> None:
    library = tmp_path / "a.so"
    library.touch()
    values = {"use_graphs": True, "graphs_max_seqlen": None, "sliding_window_on_device": False, "plugin_libs": [str(library)]}
    more = {"graphs_max_memory": 2048, "gpu_copy_streams": 3, "use_spin_wait": True}
    assert backend("tensorrt").options({**values, **more}, tmp_path) == TensorRtOptions(
        use_graphs=True,
        graphs_max_memory=2048,
        gpu_copy_streams=3,
        use_spin_wait=True,
        sliding_window_on_device=False,
        plugin_libs=(str(library),),
    )
    assert backend("tensorrt").options({}, tmp_path) == TensorRtOptions()
    assert backend("openvino").options(values, tmp_path) == NoOptions()


def test_lengths_are_rounded_unless_somebody_asks_otherwise(tmp_path: Path) -> None:
    for scenario in ("offline", "server", "singlestream", "multistream"):
        assert spec_of(tmp_path, scenario).dataset.pad_to_multiple_of == 16  # type: ignore[union-attr]
    assert spec_of(tmp_path, "server", "--pad_to_multiple_of=1").dataset == of_benchmark(DATASET)


def test_lengths_are_rounded_on_gpus_too() -> None:
    asked = ["--action=run_harness", "--benchmarks=bert", "--scenarios=offline,server", "--system=H100_SXM_80GBx1"]
    found, _ = build(parse(asked, {}))
    assert [one.plain()["pad_to_multiple_of"] for one in found] == [16, 16]


def test_a_negative_rounding_is_refused_with_its_origin(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pad_to_multiple_of cannot be -5") as caught:
        spec_of(tmp_path, "server", "--pad_to_multiple_of=-5")
    assert "--pad_to_multiple_of" in caught.value.where and "from 1 to" in caught.value.why
