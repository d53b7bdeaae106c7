"""A benchmark's facts: where they stand, what is whole in them, and that nothing outside its package knows a benchmark by name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from code.benchmarks.benchmark import definition_of
from code.common.constants import AccuracyTarget, Benchmark, Scenario
from code.common.errors import UsageError
from code.rules import benchmarks as lookup
from code.rules.benchmark_facts import BenchmarkFacts
from code.rules.benchmarks import BENCHMARKS
from code.rules.rounds import CATEGORIES, ROUNDS, round_named

ALLOWED = {
    "code/common/constants.py": "the enum of benchmarks, and the other names that config files give them",
    "code/rules/benchmarks.py": "one entry for each benchmark",
    "code/systems/data/published.py": "public results, by the names they carry",
    "code/systems/data/results.py": "public results, by the names they carry",
    "code/systems/data/token_results.py": "public results, by the names they carry",
    "code/run/service_model.py": "an example in an error message",
    "code/run/mixed.py": "an example in an error message",
    "code/campaign/acceptance.py": "an example in an error message",
    "code/systems/data/public_configs.py": "public configs, by the names they carry",
    "code/backends/generators/tensorrt_llm_package.py": "an architecture whose example lies elsewhere in TensorRT-LLM's repository",
    "code/fields/rows/words.py": "what rows call the families of benchmarks by",
    "code/fields/rows/runs.py": "a help text says what data_path is for some benchmarks",
    "code/fields/field.py": "an example in an error message",
    "code/actions/__init__.py": "an example command",
    "code/actions/add_system.py": "an example command",
    "code/actions/nodes.py": "an example command",
    "code/plan/request.py": "an example command",
    "code/preflight/storage.py": "an example command",
    "code/submission/stage/candidates.py": "an example command",
}
"""Files outside benchmarks' packages that name one, and why."""

EVERY = list(lookup.every_facts())
PACKAGES = [package.rpartition(".")[2] for package in BENCHMARKS.values()]
COUNTS = {
    facts.samples for facts in EVERY if facts.samples > 1000 and facts.samples % 1000
}  # round numbers are other things, too


def named() -> re.Pattern[str]:
    """The names of every benchmark, its package and its enum member, as words of their own."""
    full = [target.full_name for facts in EVERY for target in facts.targets.values()]
    words = {*BENCHMARKS, *PACKAGES, *full}
    return re.compile(r"(?<![\w-])(" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + r")(?![\w-])")


def documented(tree: ast.AST) -> set[ast.AST]:
    """The constants that are docstrings, or strings that document the assignment before them."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}


def mentions(path: Path) -> Iterator[str]:
    """Where a file of code names a benchmark, or gives the size of its data set."""
    tree, pattern = ast.parse(path.read_text(encoding="utf-8")), named()
    text = documented(tree)
    members = {benchmark.name for benchmark in Benchmark if str(benchmark) in BENCHMARKS}
    for node in ast.walk(tree):
        found: object = None
        if isinstance(node, ast.Constant) and node not in text:
            if (isinstance(node.value, str) and pattern.search(node.value)) or (
                isinstance(node.value, int) and node.value in COUNTS
            ):
                found = node.value
        elif isinstance(node, ast.ImportFrom) and re.match(rf"code\.benchmarks\.({'|'.join(PACKAGES)})\b", node.module or ""):
            found = node.module
        elif isinstance(node, ast.Attribute) and node.attr in members and isinstance(node.value, ast.Name):
            found = f"{node.value.id}.{node.attr}"
        if found is not None:
            yield f"{path}:{getattr(node, 'lineno', 0)}: {found!r}"


def outside(project: Path) -> Iterator[Path]:
    """The Python files of code/ and configs/ that belong to no benchmark."""
    own = {project / "code/benchmarks" / package for package in PACKAGES}
    for path in sorted((project / "code").rglob("*.py")):
        if not own & set(path.parents):
            yield path
    yield from sorted((project / "configs").glob("*.py"))


def test_no_benchmark_is_named_outside_its_package(project: Path) -> None:
    found = [line for path in outside(project) if path.relative_to(project).as_posix() not in ALLOWED for line in mentions(path)]
    assert not found, "\n".join(found)


def test_every_exception_is_still_one(project: Path) -> None:
    assert [name for name in ALLOWED if not any(mentions(project / name))] == []


@pytest.mark.parametrize("facts", EVERY, ids=lambda facts: facts.name)
def test_facts_are_whole(facts: BenchmarkFacts) -> None:
    assert facts.targets and set(facts.targets) <= {target.name for target in AccuracyTarget}
    assert all(set(target.most) <= set(target.least) for target in facts.targets.values())
    assert set(facts.scenarios) <= {scenario.name for scenario in Scenario}
    assert set(facts.space) == {"reference", "tiny"}
    assert facts.rounds and set(facts.rounds) <= set(ROUNDS)
    for rules in facts.rounds.values():
        assert set(rules.required) <= set(CATEGORIES)
        allowed = {name for category in CATEGORIES for name in rules.allowed(category)}
        assert allowed <= set(facts.scenarios)
        assert (rules.server_latency_ns is not None or "Server" in rules.token_bounds) == ("Server" in allowed)
        assert set(rules.token_bounds) == (allowed & {"Server", "Interactive"} if rules.token_bounds else set())
    assert set(facts.audits.sampling) <= set(facts.audits.tests)
    assert (facts.text is not None) == (facts.family == "text")
    assert len(facts.length_spread) == 65 and list(facts.length_spread) == sorted(facts.length_spread)
    longest = facts.longest_input or (facts.text.longest_input if facts.text else None)
    assert longest is None or facts.length_spread[-1] <= longest


@pytest.mark.parametrize("facts", EVERY, ids=lambda facts: facts.name)
def test_the_definition_is_its_facts(facts: BenchmarkFacts) -> None:
    definition = definition_of(facts.name)
    assert definition.facts is facts and definition.name == facts.name and definition.samples == facts.samples
    targets = [AccuracyTarget[name] for name in facts.targets]
    assert [definition.full_name(target) for target in targets] == [one.full_name for one in facts.targets.values()]


def test_rounds_ask_what_they_asked() -> None:
    """The rules of v4.1 to v6.1 (mlcommons/inference, tools/submission)."""
    v41, v50, v61 = (round_named(name) for name in ("v4.1", "v5.0", "v6.1"))
    assert lookup.required_scenarios(v41, "bert-99", "datacenter,edge") == ("SingleStream", "Offline", "Server")
    assert lookup.required_scenarios(v41, "bert-99.9", "datacenter,edge") == ("Offline", "Server")
    assert lookup.required_scenarios(v41, "bert-99.9", "edge") == ()
    assert lookup.required_scenarios(v50, "bert-99", "datacenter") == ()
    assert lookup.required_scenarios(v50, "gptj-99", "datacenter") == ("Server", "Offline")
    assert lookup.required_scenarios(v61, "3d-unet-99", "datacenter") == ("Offline",)
    assert lookup.rules_in(v61, "gptj-99") is None and lookup.rules_in(v61, "resnet50") is None
    assert lookup.required_audits(v41, "bert") == ("TEST01", "TEST05") and lookup.required_audits(v50, "gptj") == ("TEST06",)
    assert lookup.required_scenarios(v61, "llama3.1-8b", "datacenter") == ("Offline",)
    assert lookup.allowed_scenarios(v61, "llama3.1-8b", "datacenter") == ("Offline", "Interactive", "Server")
    assert lookup.required_scenarios(v61, "llama3.1-8b-edge", "edge") == ("SingleStream", "Offline")
    assert lookup.required_audits(v61, "llama3.1-8b") == ("TEST06",) and lookup.required_audits(v61, "llama3.1-8b-edge") == ()
    assert [lookup.newest_with(name).name for name in BENCHMARKS] == ["v6.1", "v5.0", "v6.1", "v6.1", "v6.1"]
    with pytest.raises(UsageError, match="no round includes the benchmark resnet50"):
        lookup.newest_with("resnet50")


def test_results_names() -> None:
    high, low = lookup.result_named("bert-99.9"), lookup.result_named("bert-99")
    assert high is not None and low is not None and lookup.result_named("bert") is None
    assert (high.name, high.below, low.below) == ("bert", "bert-99", "")
    assert [lookup.short_name(name) for name in ("3d-unet-99.9", "llama2-70b-99", "resnet50")] == [
        "3d-unet",
        "llama2-70b",
        "resnet50",
    ]


def test_an_unknown_name_has_its_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        lookup.facts_of("brt")
    what, why, step = caught.value.lines()
    assert what == "error: unknown benchmark 'brt'" and why.startswith("  why:  ") and step.startswith("  next: ")
    assert "did you mean 'bert'?" in caught.value.next_step


def test_facts_import_nothing_heavy(project: Path) -> None:
    script = (
        "import sys\n"
        "from code.rules import benchmarks as lookup\n"
        "list(lookup.every_facts())\n"
        "own = {m for m in sys.modules if m.startswith('code.benchmarks.') and m.count('.') > 2 and not m.endswith('.facts')}\n"
        "heavy = {'numpy', 'onnx', 'openvino', 'rich', 'mlperf_loadgen'} & set(sys.modules)\n"
        "sys.exit(f'imported {own} {heavy}' if own or heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=project, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
