"""Bounds of accuracy runs under way, in any order of answers and any scores."""

from __future__ import annotations

from functools import partial

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed; run `make packages_dev`")
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.examples import EXAMPLES, fuzzed
from tests.unit.test_accuracy_bounds import Case, bounds_a_mean, case, keeps_what_passes, only_closes  # noqa: F401 a fixture

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
slowly_fuzzed = partial(fuzzed, examples=max(1, EXAMPLES // 20))
"""An example scores a whole log, for each of four benchmarks."""


@slowly_fuzzed
@given(seed=st.integers(0, 2**31), again=st.integers(0, 3))
def test_no_run_that_passes_is_ended(
    seed: int,
    again: int,
    case: Case,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    keeps_what_passes(seed, again, case, tmp_path_factory.mktemp("logs"))


@slowly_fuzzed
@given(seed=st.integers(0, 2**31))
def test_a_bound_only_closes_and_ends_at_the_score(
    seed: int,
    case: Case,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    only_closes(seed, case, tmp_path_factory.mktemp("logs"))


@fuzzed
@given(
    scores=st.lists(st.floats(0, 1), min_size=1, max_size=60),
    known=st.integers(0, 60),
    replaced=st.lists(st.floats(0, 1), max_size=5),
)
def test_a_mean_never_exceeds_its_bound(scores: list[float], known: int, replaced: list[float]) -> None:
    bounds_a_mean(scores, known, replaced)
