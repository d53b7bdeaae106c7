"""3D-UNet as the rest of the house meets it: run.json's volumes, a harness that answers them, fields that mean something or say so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from code.backends.base import Arrays
from code.benchmarks.benchmark import definition_of
from code.benchmarks.unet3d import data, facts, tiny
from code.benchmarks.unet3d.benchmark import BENCHMARK, label_map, window_edges
from code.benchmarks.unet3d.tiny import cases as tiny_cases
from code.benchmarks.unet3d.tiny.phantom import Phantom
from code.common.constants import AccuracyTarget, Scenario
from code.common.errors import HarnessError, MissingError, RunError, UsageError
from code.fields.table import FIELDS
from code.harness.python.datasets import open_dataset
from code.harness.python.devices import Device
from code.harness.python.probe import _throughput
from code.harness.python.sliding_window import SlidingWindow
from code.harness.python.sut import Sut
from code.harness.python.windows import Windows
from code.harness.schema.run_spec import DeviceEntry
from code.plan.request import parse_benchmark

NAMES = ("case_00003", "case_00005", "case_00006")


class Stream:
    """A network without weights: the classes' scores are the voxel, its half and its negative."""

    def __init__(self, scale: tuple[float, ...] = (0.5, 1.0, -1.0)) -> None:
        self.scale = scale
        self.sizes: list[int] = []

    def infer(self, inputs: Arrays) -> Arrays:
        self.sizes.append(len(inputs["input"]))
        return {"output": np.concatenate([inputs["input"] * s for s in self.scale], axis=1)}


NODE = DeviceEntry(0, "node 0", 0, (), 1, 1)


class Engine:
    inputs: Sequence[str] = ("input",)
    outputs: Sequence[str] = ("output",)

    def stream(self) -> Stream:
        return Stream()


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("volumes")
    for number, name in enumerate(NAMES):
        rng = np.random.default_rng(number)
        shape = (20 + 10 * number, 50, 60 + 20 * number)
        image = rng.integers(-300, 400, shape).astype(np.int16)
        tiny_cases.write(Phantom(image, (image > 200).astype(np.uint8), (2.0, 0.9, 0.9)), folder / "raw" / name)
    given = {f.name: f.default for f in FIELDS} | {
        "backend": "openvino",
        "model_variant": "tiny",
        "max_batch": 4,
        "data_path": str(folder / "raw"),
        "preprocessed_data_dir": str(folder / "arrays"),
        "unet3d_roi": ["32"],
        "accuracy_reference": 0.5,
    }
    BENCHMARK.prepare(given)
    return given


def test_it_runs_here_now() -> None:
    assert parse_benchmark(facts.NAME) is room_benchmark()
    assert parse_benchmark("3d-unet-99.9") is room_benchmark()
    assert definition_of(room_benchmark()) is BENCHMARK
    assert BENCHMARK.scenarios == (Scenario.Offline, Scenario.SingleStream)
    assert BENCHMARK.full_name(AccuracyTarget.k_99_9) == "3d-unet-99.9"


def room_benchmark() -> Any:
    return parse_benchmark("3d-unet")


def test_run_json_says_all_that_a_harness_needs(values: dict[str, Any]) -> None:
    spec = BENCHMARK.dataset(values)
    assert spec == json.loads(json.dumps(spec))
    folder = Path(spec.pop("folder"))
    assert [(folder / f"{name}.npy").is_file() for name in spec["cases"]] == [True] * 3
    assert spec == {
        "kind": "volume",
        "count": 3,
        "usual_count": 43,
        "cases": list(NAMES),
        "roi": [32, 32, 32],
        "overlap": 0.5,
        "sigma": 0.125,
        "windows_per_batch": 4,
        "input": "input",
        "output": "output",
    }


def test_a_sample_is_answered_with_a_class_a_voxel(values: dict[str, Any]) -> None:
    dataset = open_dataset(BENCHMARK.dataset(values))
    windows = Windows((32, 32, 32), facts.OVERLAP, facts.GAUSSIAN_SIGMA)
    folder = Path(BENCHMARK.dataset(values)["folder"])
    volumes = [np.load(folder / f"{name}.npy") for name in NAMES]
    assert dataset.lengths.tolist() == [windows.count(v.shape) for v in volumes]
    assert dataset.proportional
    stream = Stream()
    dataset.meet(stream, 0)
    assert stream.sizes == [4]
    answers = dataset.answer(stream, np.array([2, 0]))
    assert [a.shape for a in answers] == [volumes[i].shape for i in (2, 0)]
    assert {a.dtype.name for a in answers} == {"uint8"}
    for index, answer in zip((2, 0), answers, strict=True):
        assert np.array_equal(answer, np.select([volumes[index] > 0, volumes[index] < 0], [1, 2], 0))
    assert sum(stream.sizes[1:]) == dataset.lengths[2] + dataset.lengths[0]
    assert max(stream.sizes) == 4


def test_offline_takes_the_largest_first_and_the_score_is_that_of_the_answers(values: dict[str, Any], tmp_path: Path) -> None:
    dataset = open_dataset(BENCHMARK.dataset(values))
    order: list[int] = []
    log: dict[int, str] = {}

    def respond(identity: int, address: int, size: int) -> tuple[int, str]:
        import ctypes

        return identity, ctypes.string_at(address, size).hex()

    def complete(responses: list[tuple[int, str]]) -> None:
        order.extend(i for i, _ in responses)
        log.update(responses)

    failures: list[HarnessError] = []
    sut = Sut(
        "SingleStream", Device(NODE, Engine()).lanes(), dataset, limit=1, padding=0.0, timeout_s=0.0, complete=complete, respond=respond,
        failed=failures.append,
    )  # fmt: skip
    sut.issue([0, 1, 2], [0, 1, 2])
    assert not failures
    assert order == np.argsort(-dataset.lengths, kind="stable").tolist()
    lines = [json.dumps({"seq_id": i, "qsl_idx": i, "data": text}) for i, text in log.items()]
    (tmp_path / "mlperf_log_accuracy.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    (result,) = BENCHMARK.check_accuracy(tmp_path, values, AccuracyTarget.k_99)
    assert result.name == "DICE"
    assert result.threshold == pytest.approx(0.495)
    partial, text = BENCHMARK.partial_scores(tmp_path, values)
    assert partial == {"DICE": result.value}
    assert (tmp_path / "accuracy.txt").read_text() == text
    assert json.loads((tmp_path / "accuracy.json").read_text())["DICE"] == result.value


def test_the_probe_counts_in_windows(values: dict[str, Any]) -> None:
    """Whichever cases it meets, its rate is that of the mean case."""
    from code.harness.python.batcher import Batch

    dataset = open_dataset(BENCHMARK.dataset(values))
    small = [Batch([1], np.array([int(np.argmin(dataset.lengths))]))]
    large = [Batch([1], np.array([int(np.argmax(dataset.lengths))]))]
    rates = [_throughput(Device(NODE, Engine()).lanes(), dataset, batches, 0.2, True) for batches in (small, large)]
    assert 0.2 < rates[0] / rates[1] < 5.0


def test_a_network_of_another_window_is_told(values: dict[str, Any]) -> None:
    class Other(Stream):
        def infer(self, inputs: Arrays) -> Arrays:
            return {"output": np.zeros((len(inputs["input"]), 3, 16, 16, 16), np.float32)}

    with pytest.raises(RunError, match="--unet3d_roi"):
        open_dataset(BENCHMARK.dataset(values)).answer(Other(), np.array([0]))


def test_arrays_that_are_gone_or_of_another_window_are_told(values: dict[str, Any], tmp_path: Path) -> None:
    spec = BENCHMARK.dataset(values)
    with pytest.raises(MissingError, match="tile"):
        open_dataset({**spec, "roi": [48, 48, 48]})
    with pytest.raises(MissingError, match="cannot be read as an array"):
        open_dataset({**spec, "folder": str(tmp_path)})
    with pytest.raises(MissingError, match="make preprocess_data"):
        BENCHMARK.dataset({**values, "unet3d_roi": ["64"]})


def test_calibration_reads_windows(values: dict[str, Any]) -> None:
    dataset = open_dataset(BENCHMARK.dataset(values))
    inputs: Mapping[str, NDArray[Any]] = dataset.inputs(np.array([0, 2]))
    assert inputs["input"].shape == (2, 1, 32, 32, 32)
    assert inputs["input"].flags.c_contiguous
    assert [r.shape for r in dataset.responses(Stream().infer(inputs), np.array([0, 2]))] == [(3, 32, 32, 32)] * 2


@pytest.mark.parametrize(
    ("given", "edges"),
    [(None, (64, 64, 64)), (["128"], (128, 128, 128)), (["32", "48", "64"], (32, 48, 64)), ([96], (96, 96, 96))],
)
def test_the_window_s_edges(given: Any, edges: tuple[int, int, int]) -> None:
    assert window_edges(given, tiny.ROI) == edges


@pytest.mark.parametrize("given", [["64", "64"], ["a"], ["0"], ["-3"]])
def test_odd_edges_are_an_error(given: list[str]) -> None:
    with pytest.raises(UsageError, match="unet3d_roi"):
        window_edges(given, tiny.ROI)


def test_labels_of_other_data() -> None:
    assert label_map(None) is None
    assert label_map(["2:1", "3:1", "9:2"]) == {2: 1, 3: 1, 9: 2}
    for given in (["2"], ["2:3"], ["x:1"], ["2:1:1"]):
        with pytest.raises(UsageError, match="unet3d_label_map"):
            label_map(given)


def test_own_data_needs_its_own_reference(values: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="accuracy_reference"):
        BENCHMARK._reference({**values, "accuracy_reference": None})
    assert BENCHMARK._reference({**values, "accuracy_reference": None, "data_path": None, "model_variant": "reference"}) == 0.8617


def test_what_is_missing_says_how_to_get_it(values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    wanted = {**values, "model_variant": "reference", "data_path": None, "unet3d_roi": None}
    for ask, words in (
        (BENCHMARK.prepare, "make download_data BENCHMARKS=3d-unet"),
        (BENCHMARK.model, "make download_model BENCHMARKS=3d-unet"),
    ):
        with pytest.raises(MissingError) as raised:
            ask(wanted)
        assert words in raised.value.next_step
    assert data.sources("reference").cases.is_relative_to(tmp_path)
    with pytest.raises(MissingError, match="no"):
        BENCHMARK.prepare({**wanted, "data_path": str(tmp_path / "none")})


def test_a_window_is_the_network_s_own_unless_told(values: dict[str, Any]) -> None:
    unset = {**values, "unet3d_roi": None}
    assert BENCHMARK._windows(unset).roi == (64, 64, 64)
    assert BENCHMARK._windows({**unset, "model_variant": "reference"}).roi == (128, 128, 128)
    assert SlidingWindow(BENCHMARK._windows(values)).weights.shape == (32, 32, 32)


def test_mlperf_s_calibration_cases_calibrate_the_reference_model(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from code.precision.samples import open_samples

    assert BENCHMARK.calibration_dataset(values) is None
    given = {**values, "model_variant": "reference", "data_path": None, "preprocessed_data_dir": str(tmp_path / "arrays")}
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    monkeypatch.setattr(facts, "EVALUATION_CASES", NAMES[:2])
    monkeypatch.setattr(facts, "CALIBRATION_CASES", NAMES[2:])
    (tmp_path / facts.DATA_PATH).parent.mkdir(parents=True)
    (tmp_path / facts.DATA_PATH).symlink_to(values["data_path"])
    BENCHMARK.prepare(given)
    samples = open_samples(BENCHMARK, given)
    assert samples.source is not samples.dataset
    assert (samples.source.count, samples.dataset.count, samples.count) == (1, 2, 1)
    assert samples.scoring.tolist() == [0, 1]
    assert "calibration samples" in samples.origin
