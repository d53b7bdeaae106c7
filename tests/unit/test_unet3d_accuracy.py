"""DICE is the official script's to the last digit, and a log that cannot be scored says what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from code.benchmarks.unet3d import accuracy, manifest
from code.benchmarks.unet3d.manifest import CaseRecord, Manifest
from code.common.errors import HarnessError, MissingError, RunError
from code.submission.check import accuracy_text

SHAPES = {"case_00000": (4, 6, 8), "case_00003": (2, 3, 5), "case_00005": (8, 8, 8)}


def one_hot_dice(predicted: NDArray[Any], labelled: NDArray[Any]) -> NDArray[np.float64]:
    """As the official script has it: one-hot arrays of float64, sums over the voxels."""
    both = [np.eye(3)[a.reshape(-1)][:, 1:].astype(np.float64) for a in (predicted, labelled)]
    shared = np.sum(both[0] * both[1], axis=0)
    return np.asarray((2.0 * shared + 1e-6) / (np.sum(both[1], axis=0) + np.sum(both[0], axis=0) + 1e-6))


@pytest.fixture
def preprocessed(tmp_path: Path) -> Path:
    folder = tmp_path / "arrays"
    folder.mkdir()
    records = {}
    for number, (name, shape) in enumerate(SHAPES.items()):
        np.save(folder / f"{name}_label.npy", np.random.default_rng(number).integers(0, 3, shape).astype(np.uint8))
        records[name] = CaseRecord({}, {}, {}, {}, 1, [0, 0, 0])
    Manifest({}, records).write(folder)
    return folder


def answers(seed: int = 9) -> dict[int, NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return {index: rng.integers(0, 3, shape).astype(np.uint8) for index, shape in enumerate(SHAPES.values())}


def write_log(folder: Path, given: list[tuple[int, NDArray[np.uint8]]]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [json.dumps({"seq_id": n, "qsl_idx": i, "data": a.tobytes().hex().upper()}) for n, (i, a) in enumerate(given)]
    path = folder / accuracy.LOG_NAME
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="ascii")
    return path


@pytest.mark.parametrize("workers", [1, 2])
def test_scores_are_the_official_ones(preprocessed: Path, tmp_path: Path, workers: int) -> None:
    given = answers()
    write_log(tmp_path / "log", list(given.items())[::-1])
    scores = accuracy.check(tmp_path / "log", preprocessed, workers=workers)
    labels = [np.load(preprocessed / f"{name}_label.npy") for name in SHAPES]
    expected = np.array([one_hot_dice(given[i], label) for i, label in enumerate(labels)])
    assert [list(pair) for pair in scores.cases.values()] == expected.tolist()
    assert scores.mean == expected.mean(axis=1).mean()
    assert (scores.kidney, scores.tumor) == tuple(expected.mean(axis=0))
    assert list(scores.cases) == list(SHAPES)


def test_a_class_that_is_nowhere_counts_as_found() -> None:
    nothing = np.zeros((2, 2, 2), np.uint8)
    assert accuracy.dice(nothing, nothing) == (1.0, 1.0)
    kidney = np.ones((2, 2, 2), np.uint8)
    assert accuracy.dice(kidney, nothing)[0] == pytest.approx(1e-6 / 8)


def test_the_text_is_what_the_submission_checker_reads(tmp_path: Path) -> None:
    text = accuracy.Scores(0.861234567, 0.93471, 0.78874, {}).text()
    assert text == "Accuracy: mean = 0.86123, kidney = 0.9347, tumor = 0.7887\n"
    (tmp_path / "accuracy.txt").write_text(text)
    assert accuracy_text.scores(tmp_path / "accuracy.txt", ("DICE",)) == {"DICE": 0.86123}


def test_an_audit_s_log_is_scored_over_the_cases_it_has(preprocessed: Path, tmp_path: Path) -> None:
    given = answers()
    write_log(tmp_path / "log", [(2, given[0].reshape(-1)[:0]), (2, given[2]), (0, given[0])])
    with pytest.raises(RunError, match="lacks 1 of 3 cases: case_00003"):
        accuracy.check(tmp_path / "log", preprocessed)
    assert list(accuracy.check(tmp_path / "log", preprocessed, complete=False, workers=1).cases) == ["case_00000", "case_00005"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text.replace("]", ""), "is incomplete"),
        (lambda text: "", "is incomplete"),
        (lambda text: "hello\n", "not an accuracy log"),
        (lambda text: text.replace('"qsl_idx": 1', '"qsl_idx": 7'), "sample 7 is unknown"),
        (lambda text: text.replace('"data": "', '"data": "01'), "bytes"),
        (lambda text: text.replace('"data": "', '"data": "zz'), "not a response"),
        (lambda text: text.replace('"data"', '"dat"'), "not a response"),
        (lambda text: text.replace('"qsl_idx": 1', '"qsl_idx": 0'), "lacks 1 of 3 cases"),
    ],
)
def test_a_bad_log_is_an_error_with_its_place(preprocessed: Path, tmp_path: Path, spoil: Any, words: str) -> None:
    path = write_log(tmp_path / "log", list(answers().items()))
    path.write_text(spoil(path.read_text()))
    with pytest.raises(HarnessError) as raised:
        accuracy.check(tmp_path / "log", preprocessed, workers=1)
    assert words in str(raised.value)
    assert "mlperf_log_accuracy.json" in str(raised.value)
    assert raised.value.exit_status == 4


def test_no_log_or_no_arrays_is_missing(preprocessed: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no accuracy log at"):
        accuracy.check(tmp_path / "none", preprocessed)
    write_log(tmp_path / "log", list(answers().items()))
    (preprocessed / "case_00003_label.npy").unlink()
    with pytest.raises(MissingError, match=manifest.REPAIR):
        accuracy.check(tmp_path / "log", preprocessed, workers=1)
