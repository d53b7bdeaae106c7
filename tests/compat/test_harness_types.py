"""Config classes of Triton, TritonUnified and HeteroMIG, and of MIG systems, as public rounds have them: each plans, with its devices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from code.actions import Context, dry_run
from code.common.constants import Benchmark, Scenario
from code.common.notices import Notices
from code.plan.request import parse
from code.plan.workload import build
from code.run.job import Job
from code.run.language import served
from code.systems.data.migs import MIGS
from code.systems.system_list import KnownSystem, System
from tests.compat.class_examples import REGISTER, cls, parent
from tests.compat.conftest import DropIn

VALUES = {
    ("bert", "Offline"): "offline_expected_qps = 400",
    ("bert", "Server"): "server_target_qps = 300",
    ("bert", "SingleStream"): "single_stream_expected_latency_ns = 6200000",
    ("3d-unet", "Offline"): "offline_expected_qps = 0.5",
    ("3d-unet", "SingleStream"): "single_stream_expected_latency_ns = 4000000000",
}
VERSIONS = {"Custom": "default", "Triton": "triton", "TritonUnified": "triton_unified", "HeteroMIG": "hetero"}
TARGETS = {"k_99": "", "k_99_9": "high_accuracy_"}


def systems(everything: bool) -> list[System]:
    """MIG systems and, of GPU systems, one of a kind or all."""
    found = [one for one in KnownSystem if one.accelerators and not one.custom]
    slices = [one for one in found if one.accelerator in MIGS]
    whole = {one.accelerator: one for one in found if one.accelerator not in MIGS and not one.retired}
    assert len(slices) > 15
    return [*slices, *(one for one in found if one not in slices)] if everything else [*slices[::6], *list(whole.values())[::12]]


def write(drop_in: DropIn, chosen: Sequence[System]) -> None:
    """A class for each harness type, target and system, in the files of the public layout."""
    for (benchmark, scenario), value in VALUES.items():
        classes = [
            cls(
                REGISTER.format(harness, target, "MaxP", ""),
                f"{one.name}_{harness}_{target}",
                f"{scenario}GPUBaseConfig",
                f"system = KnownSystem.{one.name}",
                value,
                f"gpu_batch_size = {{'{benchmark}': 4}}",
                *(["use_triton = True", "instance_group_count = 2", "preferred_batch_size = '4'"] if "Triton" in harness else []),
            )
            for one in chosen
            for harness in VERSIONS
            for target in TARGETS
        ]
        drop_in.write(f"{benchmark}/{scenario}/__init__.py", parent(benchmark, scenario) + "".join(classes))


def jobs(everything: bool) -> Iterator[tuple[str, str, Job, Context]]:
    for one in systems(everything):
        for harness, version in VERSIONS.items():
            for target, word in TARGETS.items():
                version_word = (word + version).removesuffix("_default")
                words = (
                    "--benchmarks=bert,3d-unet",
                    "--scenarios=offline,server,singlestream",
                    f"--config_ver={version_word}",
                    f"--system={one.name}",
                    "--dry_run",
                )
                request = parse(["--action=run", "--backend=tensorrt", *words], {})
                workloads, failed = build(request)
                wanted = [(missed.label, missed.error.lines()) for missed in failed]
                assert wanted == [] and len(workloads) == len(VALUES), (one.name, version_word, wanted)
                for workload in workloads:
                    assert workload.config.cls.__name__ == f"{one.name}_{harness}_{target}"
                    yield one.name, harness, Job(workload, Notices()), Context(request)


def walk(drop_in: DropIn, everything: bool) -> int:
    """Plan and rehearse every class; how many there were."""
    for benchmark, scenario in ((Benchmark.BERT, Scenario.Offline), (Benchmark.UNET3D, Scenario.SingleStream)):
        write(drop_in, systems(everything))
        assert all(file.problems == () for file in drop_in.load(benchmark, scenario))
    count = 0
    for name, harness, job, context in jobs(everything):
        system = KnownSystem[name]
        expected = 1 if str(job.workload.scenario) == "SingleStream" else system.accelerators
        assert len(job.placement.devices) == expected and job.placement.on_gpus
        assert len(job.placement.processes) == (expected if system.accelerator in MIGS else 1)
        assert served(job.workload) is ("Triton" in harness)
        dry_run.run(job, context)
        count += 1
    return count


@pytest.mark.parametrize("everything", [False, pytest.param(True, marks=pytest.mark.full)])
def test_every_class_plans(drop_in: DropIn, everything: bool, capsys: pytest.CaptureFixture[str]) -> None:
    count = walk(drop_in, everything)
    assert count == len(systems(everything)) * len(VERSIONS) * len(TARGETS) * len(VALUES)
    assert "Traceback" not in capsys.readouterr().err
