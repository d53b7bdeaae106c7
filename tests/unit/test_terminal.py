"""What a terminal shows: help that fits it, completion with the Tab key, colours, JSON, and the last line of a run."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import configs
from code import actions
from code.actions import EachWorkload
from code.common import console, paths
from code.fields.table import field_table
from code.main import main
from code.plan.make_targets import targets
from code.plan.reads import FIELDS_READ_BY, PLANNING, READ_BY, READ_BY_AS_WELL, options_of
from code.results.report import Outcome, ReportRow, last_line
from tests import left_behind
from tests.unit.reading import _subscripts
from tests.unit.shell_pty import ESCAPES, Shell


def help_of(project: Path, columns: int, *words: str) -> list[str]:
    done = subprocess.run(
        ["make", "--no-print-directory", "help", *words],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=20,
        env={**os.environ, "COLUMNS": str(columns), "VENV": "/nonexistent"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_help_fits_one_screen_and_has_every_target(project: Path, columns: int) -> None:
    lines = help_of(project, columns)
    assert len(lines) <= 26 and max(map(len, lines)) <= columns
    shown = {name for line in lines for word in line.split() for name in expanded(word)}
    assert set(targets()) <= shown | {"help"}


def expanded(word: str) -> list[str]:
    """'test0{1,4}' → ['test01', 'test04']."""
    before, brace, rest = word.partition("{")
    return [before + end for end in rest.rstrip("}").split(",")] if brace else [word]


@pytest.mark.parametrize("name", sorted(targets()))
def test_help_shows_each_target_with_its_options(project: Path, name: str) -> None:
    lines = help_of(project, 100, f"TARGET={name}")
    assert targets()[name].text in lines[0] and max(map(len, lines[1:]), default=0) <= 100
    text = "\n".join(lines)
    for option in options_of(targets()[name].action) if targets()[name].action else ():
        assert f"--{option.name}" in text


def test_help_on_an_unknown_target_names_the_nearest(project: Path) -> None:
    done = subprocess.run(["make", "help", "TARGET=genrate_engine"], cwd=project, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "make help TARGET=generate_engines" in done.stderr


def test_the_harness_without_words_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr()
    assert not shown.out and "make help" in shown.err and "--help" in shown.err
    assert shown.err.splitlines()[-1] == '  next: make run RUN_ARGS="--benchmarks=bert --scenarios=offline --fast"'


# ── who reads which option ──────────────────────────────────────────────────────────────────────────


def test_the_actions_that_plan_are_those_that_take_workloads() -> None:
    taking = {name for name in actions.names() if isinstance(actions.load(name), EachWorkload)}
    assert set(PLANNING) == (taking - {"dry_run"}) | {"submission", "run_heterogeneous"}


def test_the_lists_of_readers_name_options_and_actions_that_exist() -> None:
    for table in (READ_BY, READ_BY_AS_WELL, FIELDS_READ_BY):
        assert {name for readers in table.values() for name in readers} <= set(actions.names())
        assert set(table) <= set(field_table())


@pytest.mark.parametrize("name", actions.names())
def test_what_an_action_reads_itself_is_listed_for_it(project: Path, name: str) -> None:
    import ast

    tree = ast.parse((project / "code" / "actions" / f"{name}.py").read_text(encoding="utf-8"))
    read = {
        key.value
        for node in ast.walk(tree)
        for source, key in _subscripts(node)
        if isinstance(key, ast.Constant) and ast.unparse(source) in ("request", "context.request")
    }
    listed = {option.name for option in options_of(name)}
    assert name == "dry_run" or read <= listed, "name the action in code/plan/reads.py"


def test_an_option_that_an_action_ignores_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--action=list_engines", "--trials=3"]) == 0
    assert "trials is for tune, and list_engines does not read it" in capsys.readouterr().err


# ── JSON, colours, the last line ──────────────────────────────────────────────────────────────────────────


def test_json_is_all_of_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with console.for_programs(True):
        console.say("a line for people")
        console.table("Title", ("A",), [("b",)])
        console.emit({"a": 1})
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"a": 1}
    assert "a line for people" in shown.err and " A\n" in shown.err


def test_a_command_leaves_its_process_as_it_was(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    before, folders = left_behind.state(), list(configs.__path__)
    assert main(["--action=list_engines", "--json", f"--config_dir={project / 'configs'}"]) == 0
    assert main(["--action=list_engines", "--json", "--system=no_such"]) in (0, 2)
    assert left_behind.changed(before) == [] and list(configs.__path__) == folders
    capsys.readouterr()
    console.say("a line for people")
    assert capsys.readouterr().out == "a line for people\n"


def row(folder: Path) -> ReportRow:
    return ReportRow("bert-99", "Offline", "PerformanceOnly", Outcome.VALID, "1 samples/s", folder=folder)


def test_the_last_line_names_the_logs_and_the_command_for_the_report(tmp_path: Path) -> None:
    logs = paths.build_dir() / "logs" / "2026.01.01-00.00.00" / "X" / "bert-99"
    shown = paths.shown(logs)
    assert last_line([row(logs / "Offline")]) == f"Logs: {shown}/Offline   Report: make report"
    assert last_line([row(logs / "Offline"), row(logs / "Server")]) == f"Logs: {shown}   Report: make report"
    assert last_line([row(tmp_path / "X" / "bert-99" / "Offline")]).endswith(f"Report: make report LOG_DIR={tmp_path}")
    assert last_line([ReportRow("bert-99", "Offline", "run", Outcome.ERROR)]) == ""


@pytest.mark.parametrize(("variable", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)])
def test_colours_are_off_where_no_color_is_set(project: Path, variable: dict[str, str], coloured: bool) -> None:
    script = (
        "from code.results.report import Outcome, ReportRow, print_report\n"
        "print_report([ReportRow('bert-99', 'Offline', 'PerformanceOnly', Outcome.VALID)])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")} | {"TERM": "xterm", **variable}
    master, slave = pty.openpty()
    done = subprocess.run([sys.executable, "-c", script], cwd=project, stdout=slave, env=environment, timeout=60, check=False)
    os.close(slave)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert done.returncode == 0 and "VALID" in shown
    assert ("\x1b[32m" in shown) == coloured


# ── completion ──────────────────────────────────────────────────────────────────────────

KINDS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        "bind 'set enable-bracketed-paste off'; source scripts/completion/make.bash",
    ),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source scripts/completion/make.zsh; PS1='$ '"),
}


@pytest.fixture(params=sorted(KINDS))
def shell(request: pytest.FixtureRequest, project: Path, tmp_path: Path) -> Iterator[Shell]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed: apt-get install {request.param}")
    command, first = KINDS[request.param]
    one = Shell(command, project, {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PS1": "$ "})
    one.send(f"{first}; echo rea''dy\n")
    one.until("ready")
    yield one
    one.close()


def test_the_tab_key_completes(shell: Shell) -> None:
    """Targets, their variables, options of the target's action, and values in any case. The line is then printed word by word."""
    for typed, words in (
        ("make explai", ["explain"]),
        ('make run RUN_ARGS="--benchm', ["run", "RUN_ARGS=--benchmarks="]),
        ('make run RUN_ARGS="--benchmarks=be', ["run", "RUN_ARGS=--benchmarks=bert"]),
        ('make run RUN_ARGS="--scenarios=Offline,ser', ["run", "RUN_ARGS=--scenarios=Offline,Server"]),
        ('make run RUN_ARGS="--fast --scenarios=mul', ["run", "RUN_ARGS=--fast --scenarios=MultiStream"]),
        ("make run RUN_ARGS=--system=a100_sxm4_40gbx8", ["run", "RUN_ARGS=--system=A100_SXM4_40GBx8"]),
        ('make compare RUN_ARGS="--any', ["compare", "RUN_ARGS=--anyway"]),
        ("make run BENCHMARKS=gp", ["run", "BENCHMARKS=gptj"]),
        ("make help TARGET=run_audit_ver", ["help", "TARGET=run_audit_verification"]),
    ):
        shell.quiet(0.2)
        shell.send(typed + "\t")
        shell.quiet(0.5)
        shell.send(('"' if '"' in typed else "") + "\x01printf '<%s>' \n")
        shell.until("".join(f"<{word}>" for word in ("make", *words)))
        shell.quiet(0.1)
        shell.send("\n")
    shell.send('make compare RUN_ARGS="--trial\t\t')  # compare does not read --trials
    assert "--trials" not in shell.quiet(1.0).replace("\n", "")


def test_completion_is_told_how_to_load(project: Path) -> None:
    done = subprocess.run(["make", "completion"], cwd=project, capture_output=True, text=True, timeout=20)
    for name in ("make.bash", "make.zsh"):
        assert str(project / "scripts" / "completion" / name) in done.stdout
    assert ESCAPES.sub("", done.stdout) == done.stdout
