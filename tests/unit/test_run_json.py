"""What run.json says of a workload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from code.actions.run_harness import run_spec
from code.backends.base import backend
from code.common.errors import UsageError
from code.harness.schema.run_spec import RunSpec
from code.plan.request import parse
from code.plan.workload import build

DATASET: dict[str, Any] = {"kind": "sequence", "count": 3}


def spec_of(folder: Path, scenario: str, *words: str) -> RunSpec:
    asked = ["--action=run_harness", "--benchmarks=bert", f"--scenarios={scenario}", "--system=CPU_x86_64", *words]
    (found,), failed = build(parse(asked, {}))
    assert not failed
    return run_spec(found, "PerformanceOnly", backend("openvino"), folder / "engine", DATASET, folder, {})


def test_lengths_are_rounded_unless_somebody_asks_otherwise(tmp_path: Path) -> None:
    for scenario in ("offline", "server", "singlestream", "multistream"):
        assert spec_of(tmp_path, scenario).dataset["pad_to_multiple_of"] == 16
    assert spec_of(tmp_path, "server", "--pad_to_multiple_of=1").dataset == DATASET


def test_lengths_are_rounded_on_gpus_too() -> None:
    asked = ["--action=run_harness", "--benchmarks=bert", "--scenarios=offline,server", "--system=H100_SXM_80GBx1"]
    found, _ = build(parse(asked, {}))
    assert [one.plain()["pad_to_multiple_of"] for one in found] == [16, 16]


def test_a_negative_rounding_is_refused_with_its_origin(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pad_to_multiple_of cannot be -5") as caught:
        spec_of(tmp_path, "server", "--pad_to_multiple_of=-5")
    assert "--pad_to_multiple_of" in caught.value.where and "from 1 to" in caught.value.why
