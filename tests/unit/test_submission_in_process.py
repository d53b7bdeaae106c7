"""The sequence of a submission and strictness, called in this process."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from code.actions import Context, submission
from code.common.errors import MissingError, RunError, UsageError
from code.plan.request import parse
from code.results.report import Outcome, ReportRow
from code.rules.rounds import round_named
from code.submission.stage.identity import Identity
from tests.unit.acting import Act
from tests.unit.test_actions_in_process import BERT, context, logs_here  # noqa: F401 a fixture

# ── the whole sequence ─────────────────────────────────────────────────


def test_a_submission_stops_before_it_runs_without_a_submitter(act: Act) -> None:
    status, said = act("submission", *BERT)
    assert status == 3 and "submitter, division, category, status must be given" in said and "1/6" not in said


def test_a_submission_runs_both_modes_with_the_rounds_seeds() -> None:
    who = Identity("Example", "open", "edge", "available", round_named("v5.0"), file=Path("/x/submission.toml"))
    request = submission.with_round(parse(["--benchmarks=bert"], {}), who)
    assert request["test_mode"] == "SubmissionRun" and request["round"] == "v5.0"
    assert request.given["round"].origin == "/x/submission.toml"
    kept = submission.with_round(parse(["--benchmarks=bert", "--round=v6.1"], {}), who)
    assert kept["round"] == "v6.1", "the command line goes before the file"
    none = submission.with_round(parse(["--benchmarks=bert"], {}), Identity("E", "open", "edge", "available", None))
    assert "round" not in none.given


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps of `make submission` that are called; every one succeeds."""
    called: list[str] = []

    def step(name: str, status: int = 0) -> Any:
        def run(_: Context) -> int:
            called.append(name)
            return status

        return SimpleNamespace(run=run)

    monkeypatch.setattr(submission, "_run_all", lambda _: called.append("run"))
    monkeypatch.setattr(submission, "_audit_all", lambda _: called.append("audits"))
    monkeypatch.setattr(submission, "STEPS", tuple((name, step(name)) for name, _ in submission.STEPS))
    return called


WHO = ("--submitter=Example", "--category=edge", "--status=available")
LAST = ["stage_results", "truncate_results", "check_submission", "pack_submission"]


def test_the_steps_of_a_submission_in_their_order(act: Act, steps: list[str]) -> None:
    status, said = act("submission", *BERT, *WHO, "--division=closed")
    assert status == 0 and steps == ["run", "audits", *LAST]
    assert [f"{number}/6" in said for number in range(1, 7)] == [True] * 6 and "6/6 pack_submission" in said
    steps.clear()
    status, said = act("submission", *BERT, *WHO, "--division=open")
    assert status == 0 and steps == ["run", *LAST] and "2/6 audits: not required in the open division" in said


def test_the_first_step_that_fails_is_the_last(act: Act, steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Context) -> int:
        return 4

    names = [name for name, _ in submission.STEPS]
    monkeypatch.setattr(
        submission,
        "STEPS",
        tuple((n, SimpleNamespace(run=refuse) if n == "check_submission" else s) for n, s in submission.STEPS),
    )
    status, said = act("submission", *BERT, *WHO, "--division=open")
    assert status == 4 and steps == ["run", *names[:2]]
    assert "stopped at check_submission; fix the errors above, then continue with: make check_submission" in said


def test_a_submission_with_a_failed_run_stages_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def rows(outcome: Outcome) -> None:
        row = ReportRow("bert-99", "Offline", "AccuracyOnly", outcome)
        monkeypatch.setattr(submission, "run_both", SimpleNamespace(run=lambda *_: [row]))
        submission._run_all(context(*BERT))

    for good in (Outcome.VALID, Outcome.PASSED, Outcome.INVALID):
        rows(good)
    for bad in (Outcome.FAILED, Outcome.ERROR):
        with pytest.raises(RunError) as caught:
            rows(bad)
        assert caught.value.what == "not every run succeeded" and caught.value.why == f"bert-99 Offline AccuracyOnly: {bad.value}"
    with pytest.raises(UsageError):
        submission._run_all(context("--benchmarks=bert", "--scenarios=Offline", "--system=nothing"))


# ── strictness ─────────────────────────────────────────────────────────


@pytest.mark.usefixtures("logs_here")
@pytest.mark.parametrize(
    ("outcome", "words", "status"),
    [
        (Outcome.VALID, (), 0),
        (Outcome.INVALID, (), 0),
        (Outcome.INVALID, ("--strict",), 5),
        (Outcome.FAILED, ("--strict",), 5),
        (Outcome.VALID, ("--strict",), 0),
        (Outcome.UNDEFINED, ("--strict",), 0),
    ],
)
def test_strict_makes_an_invalid_result_status_5(
    act: Act, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, words: tuple[str, ...], status: int
) -> None:
    from code import actions

    verb = actions.EachWorkload(lambda job, _: [ReportRow("bert-99", "Offline", "PerformanceOnly", outcome, "1 s")], reports=True)
    monkeypatch.setattr("code.actions.run.ACTION", verb)
    found, said = act("run", *BERT, *words)
    assert found == status and outcome.value in said
    found, said = act("run", *BERT, *words, "--json")
    assert found == status and json.loads(said)[0]["outcome"] == outcome.value


def test_one_failed_workload_does_not_stop_the_others(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    from code import actions

    def verb(job: Any, _: Context) -> list[ReportRow]:
        if "Server" in job.label:
            raise MissingError("no such thing", "because", "do that")
        return [ReportRow("bert-99", str(job.workload.scenario), "PerformanceOnly", Outcome.VALID, "1 s")]

    monkeypatch.setattr("code.actions.run.ACTION", actions.EachWorkload(verb, reports=True))
    words = ("--benchmarks=bert", "--scenarios=Server,Offline", "--system=CPU_x86_64")
    status, said = act("run", *words)
    assert status == 3 and "error: no such thing" in said and "VALID" in said and "ERROR" in said
    status, said = act("run", *words, "--json")
    assert status == 3 and {entry["outcome"] for entry in json.JSONDecoder().raw_decode(said)[0]} == {"VALID", "ERROR"}
