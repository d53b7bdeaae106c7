"""A job makes each thing once, says each line once, and lets observers stand around a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from code import main
from code.common.errors import Interrupted, MissingError, RunError, UsageError
from code.common.notices import Notices
from code.plan.request import parse
from code.plan.workload import Workload, build
from code.run import job as jobs
from code.run import language, loadgen_run, observers, preparation
from code.run.job import Job
from code.run.observers import Test, observed
from code.run.settings import lengthen
from code.run.spec import run_spec
from tests import run_documents

SEQUENCES = run_documents.BOTH["sequence"]["dataset"] | {"usual_count": 1}


def planned(*words: str) -> Workload:
    given = ["--action=run", "--benchmarks=bert", "--scenarios=offline", "--system=A100_SXM4_40GBx8", "--backend=simulated"]
    return build(parse([*given, *words], {}))[0][0]


def test_what_follows_from_a_workload_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[str] = []
    real = jobs.place

    def counted(*arguments: object) -> object:
        made.append("placement")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "place", counted)
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    job = Job(planned(), Notices())
    assert job.placement is job.placement and job.engines is job.engines and job.graph is job.graph
    assert made == ["placement"] and job.values["max_batch"] == job.placement.batch > 0


def test_a_simulated_job_says_so_in_its_label() -> None:
    assert Job(planned(), Notices()).label == "bert-99 Offline SIMULATED"


def test_an_accuracy_run_of_a_simulated_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no accuracy"):
        Job(planned(), Notices()).test("AccuracyOnly", tmp_path, "label")


def test_a_line_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    notices = Notices()
    for _ in range(3):
        notices.say("a line")
        notices.warn("a warning")
    printed = capsys.readouterr()
    assert printed.out.count("a line") == 1 and printed.err.count("a warning") == 1


def test_observers_start_in_order_and_end_in_reverse_also_when_the_test_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[str] = []

    def observer(name: str) -> observers.Observer:
        @contextmanager
        def around(test: Test) -> Iterator[None]:
            seen.append(f"{name} starts at {test.folder.name}")
            try:
                yield
            finally:
                seen.append(f"{name} ends")

        return around

    monkeypatch.setattr(observers, "OBSERVERS", {"clocks": observer("clocks"), "power": observer("power")})
    job = Job(planned(), Notices())
    with pytest.raises(RunError), observed(Test(job.workload, "PerformanceOnly", tmp_path, job.placement)):
        raise RunError("the harness failed")
    assert seen == [f"clocks starts at {tmp_path.name}", f"power starts at {tmp_path.name}", "power ends", "clocks ends"]


def test_words_of_a_variable_reach_the_command_line_as_they_are_quoted() -> None:
    environment = {"RUN_ARGS": "--numa_config='0:0&1:1' --log_dir=/tmp/$HOME --x=\"a b\""}
    found = main.expanded(["--action=run", "@RUN_ARGS"], environment)
    assert found == ["--action=run", "--numa_config=0:0&1:1", "--log_dir=/tmp/$HOME", "--x=a b"]
    assert main.expanded(["@RUN_ARGS"], {}) == []
    with pytest.raises(UsageError, match="RUN_ARGS cannot be read"):
        main.expanded(["@RUN_ARGS"], {"RUN_ARGS": "--a='b"})


def test_a_harness_process_runs_at_the_place_that_it_is_given(tmp_path: Path) -> None:
    """A place that is not this machine gets the command, the progress pipe and the placement's variables."""
    import dataclasses

    from code.harness.schema.run_spec import parse as parse_spec
    from code.run import launch
    from code.run.places import ThisMachine
    from tests import run_documents

    asked: list[tuple[list[str], dict[str, str]]] = []

    class Elsewhere(ThisMachine):
        def start(self, command, output, progress, environment):  # type: ignore[no-untyped-def]
            asked.append((list(command), dict(environment)))
            return super().start(["true"], output, progress, environment)

    spec = parse_spec(run_documents.BOTH["sequence"], "run.json")
    devices = tuple(dataclasses.replace(d, name=name) for d, name in zip(spec.devices, ("GPU-1", "MIG-2"), strict=True))
    spec = dataclasses.replace(spec, output_dir=str(tmp_path), devices=devices)
    launch.run(spec, "label", "python", Elsewhere())
    ((command, environment),) = asked
    assert command[-1].endswith("run.json") and environment["CUDA_VISIBLE_DEVICES"] == "GPU-1,MIG-2"


@pytest.mark.parametrize("warmup_s", [0.0, 0.1])
def test_what_results_need_is_imported_while_the_harness_warms_up(
    warmup_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from code.harness.schema.run_spec import parse as parse_spec
    from code.run import launch
    from code.run.places import ThisMachine
    from tests import run_documents

    class Elsewhere(ThisMachine):
        def start(self, command, output, progress, environment):  # type: ignore[no-untyped-def]
            assert "needed_later" not in sys.modules
            return super().start(["true"], output, progress, environment)

    (tmp_path / "needed_later.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(launch, "AFTERWARDS", ("nothing_of_this_name", "needed_later"))
    spec = parse_spec(run_documents.BOTH["sequence"], "run.json")
    launch.run(dataclasses.replace(spec, output_dir=str(tmp_path), warmup_s=warmup_s), "label", "python", Elsewhere())
    assert (sys.modules.pop("needed_later", None) is not None) == (warmup_s > 0)


def test_what_is_imported_meanwhile_is_there() -> None:
    from importlib.util import find_spec

    from code.run import launch

    assert launch.AFTERWARDS and all(find_spec(name) for name in launch.AFTERWARDS)


@pytest.fixture
def sliced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Placements whose devices need a process each, as MIG slices do."""
    import dataclasses

    real = jobs.place

    def placed(*arguments: Any) -> Any:
        found = real(*arguments)
        return dataclasses.replace(found, processes=tuple((i,) for i in range(len(found.devices))))

    monkeypatch.setattr(jobs, "place", placed)
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))


def test_slices_get_a_process_each_in_the_python_harness(sliced: None, tmp_path: Path) -> None:
    words = ("--system=CPU_x86_64", "--backend=onnxruntime", "--numa_config=0:0&1:1", "--model_variant=tiny")
    job = Job(build(parse(["--action=run", "--benchmarks=bert", "--scenarios=offline", *words], {}))[0][0], Notices())
    assert preparation.languages(job) == ("python",)
    spec = run_spec(job.workload, "PerformanceOnly", job.backend, [tmp_path], SEQUENCES, tmp_path, {}, job.placement)
    assert [engine.backend for engine in spec.engines] == ["apart"] and len(spec.devices) == 2
    assert spec.engines[0].options.runtime == "onnxruntime"  # type: ignore[union-attr]


def test_slices_behind_triton_in_the_harness_process_are_refused(sliced: None) -> None:
    words = ("--system=CPU_x86_64", "--backend=onnxruntime", "--numa_config=0:0&1:1", "--config_ver=triton_unified")
    job = Job(build(parse(["--action=run", "--benchmarks=bert", "--scenarios=offline", *words], {}))[0][0], Notices())
    with pytest.raises(UsageError, match="cannot be driven by one process") as caught:
        preparation.languages(job)
    assert "--triton_protocol=grpc" in caught.value.next_step


def test_simulated_slices_need_no_process(sliced: None) -> None:
    assert preparation.languages(Job(planned("--devices=3,5"), Notices())) == ("cpp",)


def test_a_text_generator_on_several_slices_is_refused(sliced: None) -> None:
    words = ("--system=H100_SXM_80GBx8", "--devices=3,5", "--backend=tensorrt_llm")
    job = Job(build(parse(["--action=run", "--benchmarks=gptj", "--scenarios=offline", *words], {}))[0][0], Notices())
    with pytest.raises(MissingError, match="GPU 3, GPU 5 cannot be driven together") as caught:
        preparation.languages(job)
    assert "--devices=3" in caught.value.next_step


def test_a_harness_that_a_backend_does_not_run_in_is_refused_before_one_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from code.run import cpp_build

    monkeypatch.setattr(cpp_build, "ensure", lambda _why: pytest.fail("a harness would be built"))
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    job = Job(planned("--harness_lang=python"), Notices())
    job.build()
    with pytest.raises(UsageError, match="has no python harness"):
        job.prepare()


@pytest.mark.parametrize("action", ["run", "run_harness"])
def test_a_gpu_system_on_a_machine_without_gpus_is_named_before_data_or_a_model(
    action: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    if planned().detected.gpus:
        pytest.skip("this machine has GPUs")
    words = [f"--action={action}", "--benchmarks=bert", "--scenarios=offline", "--system=ND_H100_v5"]
    assert main.main(words) == 3
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert "this machine is not ND_H100_v5" in text and "8 × H100" in text and "tensorrt" in text and "--dry_run" in text
    assert "model" not in text and "data set" not in text


@pytest.mark.parametrize(
    ("words", "environment", "step"),
    [
        (("--fast",), {}, "leave out --fast"),
        (("--min_duration=2000",), {}, "leave out --min_duration"),
        (("--fast", "--min_duration=2000"), {}, "leave out --min_duration"),
        (("--test_query_count=70",), {}, "leave out --test_query_count"),
        ((), {"MLPINF_MIN_DURATION": "2000"}, "unset MLPINF_MIN_DURATION"),
        ((), {"MLPINF_FAST": "1"}, "unset MLPINF_FAST"),
        ((), {}, ""),
    ],
)
def test_a_short_run_names_what_made_it_short(words: tuple[str, ...], environment: dict[str, str], step: str) -> None:
    given = ["--action=run", "--benchmarks=bert", "--scenarios=offline", "--system=A100_SXM4_40GBx8", *words]
    assert lengthen(build(parse(given, environment))[0][0]) == step


def test_a_short_run_of_a_users_conf_names_its_line(tmp_path: Path) -> None:
    conf = tmp_path / "user.conf"
    conf.write_text("\n*.Offline.min_duration = 2000\n")
    assert lengthen(planned(f"--user_conf_path={conf}")) == f"change it at {conf}:2"


@pytest.mark.parametrize(
    ("raised", "kept"),
    [(RunError("it ended"), True), (Interrupted("interrupted"), False), (KeyboardInterrupt(), False), (None, False)],
)
def test_what_a_failed_probe_printed_is_kept_where_its_error_says(
    raised: BaseException | None, kept: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def probing(_spec: object, _label: str, _language: str, folder: Path, _place: object) -> dict[str, float]:
        (folder / "probe.txt").touch()
        if raised is not None:
            raise raised
        return {"samples_per_second": 1.0, "latency_ns": 1.0}

    monkeypatch.setenv("BUILD_DIR", str(tmp_path))
    monkeypatch.setattr(loadgen_run, "_spec", lambda *_: None)
    monkeypatch.setattr(loadgen_run.launch, "probe", probing)
    job = Job(planned("--harness_lang=python"), Notices())
    job.__dict__["language"] = language.Choice("python", "asked for")
    if raised is None:
        job.probe("a probe")
    else:
        with pytest.raises(type(raised)):
            job.probe("a probe")
    assert [path.name for path in (tmp_path / "probes").glob("*/*")] == (["probe.txt"] if kept else [])
