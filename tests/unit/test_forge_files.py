"""The files for contributors and forges agree with the Makefile, pyproject.toml and each other."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.empty import some

TEMPLATES = ".github/ISSUE_TEMPLATE"
WORKFLOW = ".github/workflows/ci.yaml"
HOOKS = ".pre-commit-config.yaml"
YAML_FILES = (
    "CITATION.cff",
    HOOKS,
    WORKFLOW,
    ".github/workflows/nightly.yaml",
    ".github/workflows/site.yaml",
    f"{TEMPLATES}/bug.yaml",
    f"{TEMPLATES}/result.yaml",
    f"{TEMPLATES}/config_file.yaml",
    f"{TEMPLATES}/config.yml",
)
TEXTS = ("CONTRIBUTING.md", "SECURITY.md", ".github/pull_request_template.md")


def loaded(project: Path, name: str) -> dict[str, Any]:
    content = yaml.safe_load((project / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict), name
    return content


def targets(project: Path) -> set[str]:
    return set(re.findall(r"^([a-z][a-z_0-9]*):", (project / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def named_targets(text: str) -> set[str]:
    """The targets of the make commands in code spans, indented code, YAML values and shell lines; prose is left out."""
    commands = re.findall(r"`([^`\n]+)`|^ +((?:[a-z]+: )?make .*)$", text, re.MULTILINE)
    found: set[str] = set()
    for words in commands:
        found.update(re.findall(r"(?:^|[ '])make ([a-z][a-z_0-9]*)", " ".join(words)))
    return found


def hooks(project: Path) -> list[dict[str, Any]]:
    return [hook for repository in loaded(project, HOOKS)["repos"] for hook in repository["hooks"]]


@pytest.mark.parametrize("name", YAML_FILES)
def test_yaml_files_parse(project: Path, name: str) -> None:
    assert loaded(project, name)


def test_every_file_of_the_forge_is_checked_here(project: Path) -> None:
    there = {str(path.relative_to(project)) for path in (project / ".github").rglob("*") if path.is_file()}
    assert there <= {*YAML_FILES, *TEXTS}


def test_the_workflow_runs_what_ci_runs(project: Path) -> None:
    job = loaded(project, WORKFLOW)["jobs"]["all"]
    assert "bash .ci/run" in [step.get("run") for step in job["steps"]] and (project / ".ci/run").is_file()
    assert job["timeout-minutes"] == 60


def test_the_workflow_covers_every_supported_python(project: Path) -> None:
    matrix = loaded(project, WORKFLOW)["jobs"]["first-run"]["strategy"]["matrix"]["python"]
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    first, after = map(int, re.findall(r'^requires-python = ">=3\.(\d+),<3\.(\d+)"', text, re.MULTILINE)[0])
    assert matrix == [f"3.{minor}" for minor in range(first, after)]


def test_the_workflow_starts_as_the_readme_does(project: Path) -> None:
    (command,) = [step["run"] for step in loaded(project, WORKFLOW)["jobs"]["first-run"]["steps"] if "run" in step]
    assert f"    {command}\n" in (project / "README.md").read_text(encoding="utf-8")


def test_the_citation_has_the_projects_version_and_licence(project: Path) -> None:
    citation, text = loaded(project, "CITATION.cff"), (project / "pyproject.toml").read_text(encoding="utf-8")
    assert citation["cff-version"] == "1.2.0"
    assert f'\nversion = "{citation["version"]}"\n' in text
    assert f'\nlicense = {{ text = "{citation["license"]}" }}\n' in text


@pytest.mark.parametrize("name", [*TEXTS, *YAML_FILES])
def test_every_target_that_is_named_exists(project: Path, name: str) -> None:
    named = named_targets((project / name).read_text(encoding="utf-8"))
    assert named <= targets(project), f"{name} names targets that Makefile does not have"


def test_a_target_that_does_not_exist_would_be_found(project: Path) -> None:
    text = "Please make sure.\n\n    make lint   # once\n  run: make nothing A=b\n`make docker_run CMD='make nowhere'` and `make x_1`"
    assert named_targets(text) == {"lint", "nothing", "docker_run", "nowhere", "x_1"}
    assert named_targets(text) & targets(project) == {"lint", "docker_run"}


@pytest.mark.parametrize(
    ("name", "wanted"), [("bug", ("info", "doctor")), ("result", ("info", "doctor")), ("config_file", ("info",))]
)
def test_issue_forms_ask_for_what_an_answer_needs(project: Path, name: str, wanted: tuple[str, ...]) -> None:
    asked = {
        part["id"]: part["attributes"]["label"] for part in loaded(project, f"{TEMPLATES}/{name}.yaml")["body"] if "id" in part
    }
    for target in wanted:
        assert asked[target] == f"Output of `make {target}`"


def test_hooks_are_local_and_are_the_tools_of_make_lint(project: Path) -> None:
    assert [repository["repo"] for repository in loaded(project, HOOKS)["repos"]] == ["local"]
    assert {hook["language"] for hook in hooks(project)} == {"system"}
    recipe = (project / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    assert recipe.count('"$$VENV"/bin/') == len(hooks(project))
    for hook in hooks(project):
        command = hook["entry"].removesuffix(" --force-exclude")
        assert command.replace(".venv/", '"$$VENV"/') in recipe, f"`make lint` does not run {command}"


def test_the_clang_format_hook_takes_the_files_of_make_lint(project: Path) -> None:
    (hook,) = [hook for hook in hooks(project) if hook["id"] == "clang-format"]
    folders = re.findall(r"&& find (.+?) -name", (project / "Makefile").read_text(encoding="utf-8"))[0].split()
    files = [path for folder in folders for path in (project / folder).rglob("*") if path.suffix in (".cc", ".cu", ".h")]
    assert files and all(re.search(hook["files"], str(path.relative_to(project))) for path in files)


def test_the_tools_of_the_hooks_exist(project: Path) -> None:
    for hook in hooks(project):
        tool = Path(sys.executable).parent / Path(hook["entry"].split()[0]).name
        assert tool.is_file(), f"{tool} is not installed (it is among the development packages)"


def in_texts(project: Path, pattern: str) -> list[tuple[str, str]]:
    """(text, place) of each place that the texts for contributors name; at least one."""
    texts = {name: (project / name).read_text(encoding="utf-8") for name in TEXTS}
    return some((name, place) for name, text in texts.items() for place in re.findall(pattern, text))


def test_relative_links_lead_somewhere(project: Path) -> None:
    for name, place in in_texts(project, r"\]\((?!https?:|#)([^)#]+)"):
        assert ((project / name).parent / place).exists(), f"{name} links to {place}"


def test_every_path_of_the_tree_that_is_named_exists(project: Path) -> None:
    folders = r"`((?:\.ci|\.github|code|docker|documentation|requirements|scripts|tests)/[\w./-]*)`"
    named = {place for _, place in in_texts(project, folders)}
    ours = {"code/common/systems/custom_list.py"}  # written by `make add_system`
    assert not {place for place in named - ours if not (project / place).exists()}


def test_the_readme_names_both_pages(project: Path) -> None:
    readme = (project / "README.md").read_text(encoding="utf-8")
    assert "(CONTRIBUTING.md)" in readme and "(SECURITY.md)" in readme
