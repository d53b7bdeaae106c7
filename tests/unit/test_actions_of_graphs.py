"""calibrate and debug_accuracy, called in this process: what they ask for, print and leave, and their exit status."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from code.actions import calibrate, debug_accuracy
from code.backends.base import backend
from code.benchmarks.bert import data
from code.common.paths import build_dir
from code.precision import side_by_side
from code.precision.layers import Difference, LayerDifference
from code.precision.side_by_side import Side
from code.run.debugging import Pair
from tests.unit.acting import Act
from tests.unit.tiny_sets import bert_dev

BERT = ("--benchmarks=bert", "--scenarios=Offline", "--system=CPU_x86_64")
TINY = (*BERT, "--model_variant=tiny")
LAYERS = [{"name": f"layer{n}", "cost": None if n == 1 else n / 8, "noise_db": -40.25 + n} for n in range(10)]
VERDICT = "int8 keeps 99.5 % of F1"


# ── calibrate ──────────────────────────────────────────────────────────


class Made:
    """Graphs in place of real ones, which take NNCF and minutes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, bool]] = []
        self.write("report.json", {"layers": LAYERS, "trials": [{"kept": ["layer0"]}, {"kept": ["layer2"]}]})
        self.write("graph.json", {"result": {"verdict": VERDICT}})
        (folder / "report.md").write_text("# report\n")

    def write(self, name: str, content: object) -> None:
        (self.folder / name).write_text(json.dumps(content))

    def graph_for(self, workload: Any, make: bool = False, again: bool = False) -> Path:
        assert make, "calibrate makes what is missing"
        self.asked.append((workload["precision"], again))
        return self.folder / "model.onnx"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    graphs = Made(tmp_path)
    monkeypatch.setattr(calibrate, "graph_for", graphs.graph_for)
    return graphs


def test_a_calibration_names_the_costliest_layers_and_its_verdict(act: Act, made: Made) -> None:
    status, said = act("calibrate", *BERT)
    assert status == 0 and made.asked == [("int8", False)], said
    lines = {words[0]: words[1:] for line in said.replace("│", " ").splitlines() if (words := line.split())}
    assert lines["layer0"] == ["0.0%", "-40.2"] and lines["layer3"] == ["37.5%", "-37.2"]
    assert lines["layer1"] == ["-39.2"], "its cost was not measured"
    assert lines["layer2"] == ["25.0%", "-38.2", "yes"], "what the last trial kept"
    assert "layer7" in lines and "layer8" not in lines
    assert VERDICT in said and "full report: " in said and "report.md" in said


def test_a_model_is_calibrated_once_and_again_where_asked(act: Act, made: Made) -> None:
    status, said = act("calibrate", "--benchmarks=bert", "--scenarios=Offline,SingleStream", "--system=CPU_x86_64")
    assert status == 0 and len(made.asked) == 1 and said.count(VERDICT) == 1, said
    made.asked.clear()
    assert act("calibrate", *BERT, "--precision=int8", "--force_calibration")[0] == 0
    assert made.asked == [("int8", True)]


def test_a_model_that_is_quantised_already_has_no_report(act: Act, made: Made) -> None:
    (made.folder / "report.md").unlink()
    status, said = act("calibrate", *BERT)
    assert status == 0 and "already quantised; its own scales are used" in said and "layer0" not in said


@pytest.mark.parametrize("name", ["report.json", "graph.json"])
def test_a_damaged_calibration_says_how_to_repeat_it(act: Act, made: Made, name: str) -> None:
    (made.folder / name).write_text("{")
    status, said = act("calibrate", *BERT)
    assert status == 4 and f"{name} is damaged" in said and "--force_calibration" in said, said


def test_calibration_needs_a_model(act: Act) -> None:
    status, said = act("calibrate", *BERT, "--model_variant=reference")
    assert status == 3 and "error: " in said and "make download" in said, said


def with_tiny_bert(act: Act) -> None:
    wanted = data.sources("tiny").squad_json
    wanted.parent.mkdir(parents=True)
    shutil.copyfile(bert_dev(), wanted)
    for action in ("download_data", "download_model"):
        assert act(action, "--benchmarks=bert", "--model_variant=tiny")[0] == 0


@pytest.mark.full
def test_the_tiny_bert_is_calibrated(act: Act) -> None:
    pytest.importorskip("nncf", reason="NNCF is not installed; run `make calibration`")
    with_tiny_bert(act)
    words = (*TINY, "--calib_max_batches=8", "--calib_score_samples=16")
    status, said = act("calibrate", *words)
    [report] = (build_dir() / "graphs").rglob("report.json")
    assert status == 0 and json.loads(report.read_text())["trials"] and "Costliest layers" in said, said
    again, _ = act("calibrate", *words)
    assert again == 0 and list((build_dir() / "graphs").rglob("report.json")) == [report]


# ── debug_accuracy ─────────────────────────────────────────────────────


QUIET, LOUD = Difference(1e-6, 1.0, 0.001), Difference(1e-2, 1.0, 0.125)
DIFFERENCES = [
    LayerDifference("first", "MatMul", "a", QUIET, -200.0),
    LayerDifference("second", "Softmax", "b", LOUD, -60.0),
    LayerDifference("same", "Add", "c", Difference(0.0, 1.0), -200.0),
]


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What pairs are asked for: two engines, in place of real ones, whose answers are apart."""
    asked: list[tuple[str, int]] = []
    sides = [
        Side(f"{name} {precision}", backend(name), precision, tmp_path / "model.onnx", tmp_path / f"{name}-x")
        for name, precision in (("openvino", "int8"), ("onnxruntime", "fp32"))
    ]

    def pair_of(job: Any, against: str | None, samples: int) -> Pair:
        asked.append((against, samples))
        return Pair(job.label, (sides[0], sides[1]), [], (7, 3), (job.workload, job.workload))

    def run(sides: Any, feeds: Any, saved: Path) -> Any:
        saved.write_text("{}")
        return {"start": QUIET, "end": LOUD, "same": Difference(0.0, 1.0)}, None

    monkeypatch.setattr(debug_accuracy, "pair_of", pair_of)
    monkeypatch.setattr(debug_accuracy, "_layers", lambda *_: DIFFERENCES)
    monkeypatch.setattr(side_by_side, "require", lambda: None)
    monkeypatch.setattr(side_by_side, "run", run)
    monkeypatch.setattr(side_by_side, "save_inputs", lambda feeds, path: path.write_text("[]"))
    return asked


def rows(said: str) -> list[list[str]]:
    return [words for line in said.replace("│", " ").splitlines() if (words := line.split())]


def test_outputs_are_listed_and_saved_the_noisiest_first(act: Act, compared: list[tuple[str, int]]) -> None:
    status, said = act("debug_accuracy", *BERT, "--against=onnxruntime", "--debug_samples=2")
    assert status == 0 and compared == [("onnxruntime", 2)], said
    names = [words[0] for words in rows(said) if words[0] in ("start", "end", "same")]
    assert names == ["end", "start", "same"] and "openvino int8 against onnxruntime fp32, 2 samples" in said
    assert ["end", "-20.0", "0.125"] in rows(said) and ["same", "equal", "0"] in rows(said)
    assert "add --layers to see which layers differ" in said and "MatMul" not in said
    [report] = (build_dir() / "debug").glob("bert-99-Offline-openvino-int8-against-onnxruntime-fp32/report.json")
    content = json.loads(report.read_text())
    assert content["samples"] == [7, 3] and content["outputs"]["start"] == {"noise_db": -60.0, "largest_difference": 0.001}
    assert [(one["name"], one["backend"], one["precision"]) for one in content["sides"]] == [
        ("openvino int8", "openvino", "int8"),
        ("onnxruntime fp32", "onnxruntime", "fp32"),
    ]
    assert content["layers"] == [] and {path.name for path in report.parent.iterdir()} >= {"inputs.json", "outputs.json"}


def test_layers_are_listed_by_what_differs_adds_and_begins(act: Act, compared: list[tuple[str, int]]) -> None:
    status, said = act("debug_accuracy", *BERT, "--layers")
    assert status == 0 and compared == [("onnxruntime:fp32", 4)] and "add --layers" not in said, said
    listed = [words[0] for words in rows(said) if words[0] in ("first", "second")]
    assert listed == ["second", "first", "second", "first", "first", "second"]
    assert ["second", "Softmax", "-20.0", "-60.0", "0.125"] in rows(said) and [
        "first",
        "MatMul",
        "-60.0",
        "equal",
        "0.001",
    ] in rows(said)
    content = json.loads(next((build_dir() / "debug").rglob("report.json")).read_text())
    assert [one["name"] for one in content["layers"]] == ["second", "first"], "what is equal is not listed"
    assert [one["name"] for one in content["begins_at"]] == ["first", "second"]
    assert content["layers"][0]["own_noise_db"] == pytest.approx(-20.0, abs=0.01)


def test_equal_layers_are_counted(act: Act, compared: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug_accuracy, "_layers", lambda *_: DIFFERENCES[2:])
    status, said = act("debug_accuracy", *BERT, "--layers")
    assert status == 0 and "all 1 layers are equal" in said


def test_without_polygraphy_nothing_is_built(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polygraphy", None)
    status, said = act("debug_accuracy", *BERT)
    assert status == 3 and "make debug" in said and not (build_dir() / "debug").exists(), said


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        (("--benchmarks=gptj", "--scenarios=Offline", "--system=CPU_x86_64"), 2, "generates text"),
        ((*BERT, "--backend=simulated"), 2, "computes nothing"),
        ((*BERT, "--against=onnxrumtime"), 2, "onnxruntime"),
        ((*BERT, "--against=fp32:fp16"), 2, "names two of a kind: fp32 and fp16"),
        ((*BERT, "--against=/nowhere/model.onnx"), 3, "/nowhere/model.onnx does not exist"),
        ((*BERT, "--model_variant=reference"), 3, "make download"),
    ],
)
def test_what_cannot_be_compared(
    act: Act, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int, expected: str
) -> None:
    monkeypatch.setattr(side_by_side, "require", lambda: None)
    found, said = act("debug_accuracy", *words)
    assert found == status and expected in said and "next:" in said, said
    assert not list(build_dir().glob("debug/*")), "nothing is left of it"


@pytest.mark.full
def test_the_tiny_bert_on_two_runtimes(act: Act) -> None:
    pytest.importorskip("polygraphy", reason="polygraphy is not installed: make debug_accuracy installs it")
    with_tiny_bert(act)
    status, said = act("debug_accuracy", *TINY, "--precision=fp32", "--debug_samples=2", "--layers")
    assert status == 0 and "openvino fp32 against onnxruntime fp32, 2 samples" in said, said
    content = json.loads(next((build_dir() / "debug").rglob("report.json")).read_text())
    assert len(content["outputs"]) == 2 and all(one["noise_db"] < -60 for one in content["outputs"].values())
    assert len(content["samples"]) == 2 and len(content["layers"]) > 10
    status, said = act("debug_accuracy", *TINY, "--precision=fp32", "--against=openvino:fp32")
    assert status == 2 and "would be compared with itself" in said, said
