"""Parts of run.json that follow from fields and their defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from code.backends.base import backend
from code.plan import workload as plan
from code.plan.request import parse
from code.run.placement import place
from code.run.simulation import synthetic
from code.run.spec import run_spec

GPUS, CPU = "--system=A100_SXM4_40GBx8", "--system=CPU_x86_64"


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ([GPUS, "--scenarios=server"], 3.0),
        ([GPUS, "--scenarios=offline"], 0.7),
        ([CPU, "--scenarios=offline"], 0.4),
        ([CPU, "--scenarios=server"], 3.0),
        ([GPUS, "--scenarios=server", "--warmup_duration=0.25"], 0.25),
        ([GPUS, "--scenarios=offline", "--warmup_duration=0"], 0.0),
    ],
)
def test_warm_up_lasts_longest_where_batches_of_every_size_are_met(words: list[str], seconds: float, tmp_path: Path) -> None:
    given = ["--action=run", "--benchmarks=bert", "--backend=simulated", *words]
    workload, runtime = plan.build(parse(given, {}))[0][0], backend("simulated")
    data = synthetic(10, [64, 384])
    (tmp_path / "table.json").write_text(json.dumps({"batches": [1], "lengths": [1], "microseconds": [[1]]}))
    spec = run_spec(workload, "PerformanceOnly", runtime, [tmp_path], data, tmp_path, {}, place(workload, runtime))
    assert spec.warmup_s == seconds
