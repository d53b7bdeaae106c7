"""The accuracy log of 3D-UNet entry by entry, and how many processes score it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from code.benchmarks.unet3d import accuracy, processes
from code.benchmarks.unet3d.manifest import CaseRecord, Manifest
from code.common.errors import RunError
from code.results.accuracy_log import LOG_NAME
from tests.unit.test_unet3d_accuracy import write_log

CASES = 8
SHAPE = (2, 2, 2)
KIDNEY, TUMOR = np.ones(SHAPE, np.uint8), np.full(SHAPE, 2, np.uint8)


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """Cases of eight voxels, all of them kidney."""
    folder = tmp_path / "arrays"
    folder.mkdir()
    for number in range(CASES):
        np.save(folder / f"case_{number:05d}_label.npy", KIDNEY)
    Manifest({}, {f"case_{number:05d}": CaseRecord({}, {}, {}, {}, 1, [0, 0, 0]) for number in range(CASES)}).write(folder)
    return folder


def entry(index: object, data: object = KIDNEY.tobytes().hex(), more: str = "") -> str:
    """One response as LoadGen writes it; `index` and `data` may be anything."""
    shown = f'"{data}"' if isinstance(data, str) else data
    return f'{{{more}"qsl_idx": {index}, "data": {shown}}}'


def scored(folder: Path, arrays: Path, *lines: str, workers: int = 1) -> accuracy.Scores:
    """The scores of a log of these lines."""
    (folder / LOG_NAME).write_text("".join(f"{line}\n" for line in lines))
    return accuracy.check(folder, arrays, complete=False, workers=workers)


@pytest.mark.parametrize(
    ("answered", "named"), [(3, "00003, 00004, 00005, 00006, 00007"), (2, "00002, 00003, 00004, 00005, 00006, …")]
)
def test_up_to_five_absent_cases_are_named(answered: int, named: str, arrays: Path, tmp_path: Path) -> None:
    path = write_log(tmp_path / "log", [(index, KIDNEY) for index in range(answered)])
    with pytest.raises(RunError) as caught:
        accuracy.check(path.parent, arrays)
    listed = ", ".join(name if name == "…" else f"case_{name}" for name in named.split(", "))
    assert caught.value.what == f"{path} lacks {CASES - answered} of {CASES} cases: {listed}"
    assert len(accuracy.check(path.parent, arrays, complete=False, workers=1).cases) == answered


def test_a_log_without_responses_scores_nothing(arrays: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="contains no responses"):
        scored(tmp_path, arrays, "[", "]")


def test_entries_need_neither_lines_of_their_own_nor_other_keys(arrays: Path, tmp_path: Path) -> None:
    more = entry(2, TUMOR.tobytes().hex(), more='"seq_id": 7, ')
    two = f"{entry(0)}, {more},"
    found = scored(tmp_path, arrays, f"[{entry(5)},", two, f"  {entry(7)}]")
    cases = {name: round(kidney) for name, (kidney, _) in found.cases.items()}
    assert cases == {"case_00000": 1, "case_00002": 0, "case_00005": 1, "case_00007": 1}
    assert found.kidney == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"qsl_idx": 0, "data": "00"', "the line is not a response"),
        (entry('"one"'), "the line is not a response"),
        (entry(0, 5), "the line is not a response"),
        (entry(0, "0"), "the line is not a response"),
        ('{"data": "00"}', "the line is not a response"),
        ('{"qsl_idx": 0}', "the line is not a response"),
        (entry(-1), "sample -1 is unknown"),
        (entry(CASES), f"sample {CASES} is unknown"),
        (entry(0, "00" * 7), "the response for sample 0 has 7 bytes"),
        (entry(0, "00" * 9), "the response for sample 0 has 9 bytes"),
    ],
)
def test_what_is_no_response_is_told_with_its_line(line: str, words: str, arrays: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        scored(tmp_path, arrays, "[", f"{entry(1)},", line, "]")
    assert words in caught.value.what and caught.value.where == f"{tmp_path / LOG_NAME}:3"


def test_what_an_unreadable_line_lacks_is_said(arrays: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        scored(tmp_path, arrays, "[", '{"qsl_idx": 0, "data": "00"', "]")
    assert caught.value.why == "its '{' is not closed"
    with pytest.raises(RunError) as caught:
        scored(tmp_path, arrays, '{"qsl_idx": 0}', "]")
    assert caught.value.why == "it does not begin with '['"
    with pytest.raises(RunError) as caught:
        scored(tmp_path, arrays, "[", entry(CASES), "]")
    assert caught.value.why == "the data set has the samples 0 to 7"
    with pytest.raises(RunError) as caught:
        scored(tmp_path, arrays, "[", entry(0, "00"), "]")
    assert caught.value.why == "the case has [2, 2, 2] voxels, one byte each"


# ── Processes ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many processes were asked for; threads stand in for them."""
    counts: list[int] = []

    @contextmanager
    def pool(count: int) -> Iterator[Any]:
        counts.append(count)
        with ThreadPoolExecutor(count) as several:
            yield several

    monkeypatch.setattr(processes, "pool", pool)
    monkeypatch.setattr(processes, "cores", lambda: 3)
    return counts


@pytest.mark.parametrize(
    ("workers", "cases", "used"), [(1, 8, []), (2, 8, [2]), (None, 8, [3]), (5, 4, [4]), (None, 2, [2]), (9, 1, [])]
)
def test_a_process_for_each_case_at_most(
    workers: int | None, cases: int, used: list[int], asked: list[int], arrays: Path, tmp_path: Path
) -> None:
    write_log(tmp_path / "log", [(index, KIDNEY) for index in range(cases)])
    found = accuracy.check(tmp_path / "log", arrays, complete=False, workers=workers)
    assert len(found.cases) == cases and set(found.cases.values()) == {(1.0, 1.0)} and asked == used


def test_a_bound_is_scored_beside_the_run_in_one_process(asked: list[int], arrays: Path, tmp_path: Path) -> None:
    bound = accuracy.DiceBound(arrays, CASES, 0.85)
    bound.add(write_log(tmp_path / "log", [(0, KIDNEY), (1, TUMOR)]).parent)
    (one,), words = bound.best(0)
    assert asked == [] and one.name == "DICE" and one.threshold == 0.85
    assert one.value == pytest.approx(7 / 8, abs=1e-6), "six are not there yet, one is right and one has nothing right"
    assert words == "2 of 8 cases are answered, with a mean DICE of 0.50000"
    bound.add(write_log(tmp_path / "more", [(1, KIDNEY)]).parent)
    assert bound.best(0)[0][0].value == 1.0, "the last response to a case counts"


def test_the_mean_is_over_kidney_and_tumour_of_each_case() -> None:
    found = accuracy.mean_of({"a": (1.0, 0.5), "b": (0.5, 0.0)})
    assert (found.mean, found.kidney, found.tumor) == (0.5, 0.75, 0.25)
