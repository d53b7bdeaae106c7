"""Every page: links lead somewhere; commands, targets, variables, options, modules and paths exist; cheap commands run."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from code import actions
from code.common.errors import HarnessError, UsageError
from code.fields.table import lookup
from code.main import main
from code.plan.make_targets import targets
from code.plan.reads import REHEARSED
from code.plan.request import parse
from tests.unit.pages import ROOT, Command, Page, is_placeholder, pages, words

PAGES = {page.name: page for page in pages()}
COMMANDS = [command for page in PAGES.values() for command in page.commands()]
FOLDERS = (
    "code/",
    "configs/",
    "docker/",
    "documentation/",
    "requirements/",
    "scripts/",
    "systems/",
    "tests/",
    ".ci/",
    ".github/",
)
MADE_BY_OTHERS = (
    *(
        "code/common/systems/system_list.py",
        "code/common/systems/known_hardware.py",
        "code/bert/tensorrt",
        "code/3d-unet/tensorrt",
    ),
    *("configs/bert/Offline/custom.py", "code/common/systems/custom_list.py", "code/common/systems/custom_list.json"),
    *("code/llama", "docker/Dockerfile.automation"),
)
"""Paths of the project that a user or another harness makes."""
OF_TOOLS = (
    *("cpus", "cpuset-cpus", "memory", "build-arg", "init", "userns", "build-context"),
    *("privileged", "require-hashes", "gpus", "tool", "user", "no-deps", "index-url", "find-links", "network", "rm", "help"),
    *("version", "all-files", "upgrade", "ipc", "device", "group-add", "ulimit", "volume", "detach", "quiet", "dport", "pull"),
    *(
        "query-gpu",
        "format",
        "no-new-privileges",
        "cap-drop",
        "cap-add",
        "security-opt",
        "config",
        "trust-remote-code",
        "shm-size",
    ),
)
"""Options of docker, pip, nvidia-smi and other tools that pages name."""


@cache
def makefiles() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("Makefile*")))


@cache
def every_target() -> frozenset[str]:
    heads = re.findall(r"^([a-z][a-z_0-9 ]*):(?!=)", makefiles(), re.MULTILINE)
    lists = re.findall(r"^\.PHONY: (.*(?:\\\n.*)*)", makefiles(), re.MULTILINE)
    lists += re.findall(r"^PACKAGES = (.*(?:\\\n.*)*)", makefiles(), re.MULTILINE)
    return frozenset(word for text in (*heads, *lists) for word in text.replace("\\", " ").split())


@cache
def own_options() -> frozenset[str]:
    """Options of the project's own scripts, from their sources."""
    found: set[str] = set()
    for folder in ("scripts", "tests", "docker", "code"):
        for path in (ROOT / folder).rglob("*"):
            if (path.suffix in (".py", ".sh", ".cc") or path.parent.name == "docker") and path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                found |= set(re.findall(r"add_?(?:argument|option)\(\s*\"--([\w-]+)\"", text))
                found |= set(re.findall(r"(?:^\s*|== \[?\")--([\w-]+)[=)|\"]", text, re.MULTILINE))
    return frozenset(found)


def option_of_page(text: str) -> str:
    """The name of an option, from '--name', '--name=value' or '--name value'."""
    return re.split(r"[=\s]", text.removeprefix("--"), maxsplit=1)[0]


def problem_with(command: Command) -> str:
    """What is wrong with a command of a page; '' where nothing is."""
    given = words(command.text)
    if given is None:
        return "its quotes do not match"
    while given and re.fullmatch(r"[A-Z_]+=.*", given[0]):
        given.pop(0)
    program, *rest = given
    if program == "make":
        return problem_with_make(rest)
    if re.search(r"(/python|python3(\.\d+)?)$", program):
        return problem_with_python(rest)
    return "" if (ROOT / program).exists() or is_placeholder(program) else f"{program} does not exist"


def problem_with_make(rest: list[str]) -> str:
    for number, word in enumerate(rest):
        name, equals, value = word.partition("=")
        if equals and re.fullmatch(r"[A-Za-z_0-9]+", name):
            if not re.search(rf"\b{name}\b", makefiles()):
                return f"no makefile knows the variable {name}"
            if name == "RUN_ARGS" and (wrong := problem_with_options(value)):
                return wrong
            if name == "CMD" and not is_placeholder(value) and (wrong := problem_with(Command("", value))):
                return wrong
        elif word.startswith("-") or (number and rest[number - 1] in ("-f", "-C")) or is_placeholder(word):
            continue
        elif word in ("&&", "||", ";", "|"):
            return ""
        elif word not in every_target():
            return f"there is no target {word}"
    return ""


def problem_with_options(text: str) -> str:
    """Parse RUN_ARGS as the harness does, but for the values that a reader fills in."""
    kept = [word for word in words(text) or [] if not is_placeholder(word.partition("=")[2] or word)]
    for word in words(text) or []:
        if word.startswith("--"):
            try:
                lookup(option_of_page(word), kind="flag")
            except HarnessError as error:
                return error.what
    try:
        request = parse([word for word in kept if word.startswith("--")], {})
        if request["benchmarks"]:
            request.undefined()
        request.settings()
    except UsageError as error:
        return str(error)
    return ""


def problem_with_python(rest: list[str]) -> str:
    if not rest or rest[0] in ("-", "-c") or is_placeholder(rest[0]):
        return ""
    if rest == ["-m"]:
        return ""
    if rest[0] == "-m":
        module = rest[1].replace(".", "/")
        if module.split("/")[0] in ("code", "scripts", "tests", "configs"):
            if not any((ROOT / path).exists() for path in (f"{module}.py", f"{module}/__main__.py", f"{module}/__init__.py")):
                return f"there is no module {rest[1]}"
            if rest[1] == "code.main":
                return problem_with_options(" ".join(rest[2:]))
        return ""
    return "" if (ROOT / rest[0]).exists() or not rest[0].startswith(FOLDERS) else f"{rest[0]} does not exist"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_link_leads_somewhere(name: str) -> None:
    page, dead = PAGES[name], []
    for line, target in page.links():
        url = urlsplit(target)
        if url.scheme:
            if url.scheme not in ("https", "mailto"):
                dead.append(f"{name}:{line}: {target} is not https")
            continue
        path = (page.path.parent / unquote(url.path)).resolve() if url.path else page.path
        if not path.exists() or not path.is_relative_to(ROOT):
            dead.append(f"{name}:{line}: {target} does not exist")
        elif url.fragment and path.suffix == ".md" and url.fragment not in Page(path).anchors:
            dead.append(f"{name}:{line}: {target}: no such heading; there are {sorted(Page(path).anchors)}")
    assert not dead


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_command_exists_with_its_options(name: str) -> None:
    found = [(command, problem_with(command)) for command in PAGES[name].commands()]
    assert not [f"{command.where}: {command.text}: {problem}" for command, problem in found if problem]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_option_that_a_page_names_exists(name: str) -> None:
    unknown = []
    for line, text in PAGES[name].spans():
        if text in rows_of_others():
            continue  # theirs
        for word in re.findall(r"(?:^|(?<=[\s,\"']))--[A-Za-z][\w-]*", text):
            option = option_of_page(word)
            try:
                lookup(option, kind="flag")
            except HarnessError:
                if option not in own_options() | set(OF_TOOLS) and not is_placeholder(text[text.index(word) + len(word) :][:2]):
                    unknown.append(f"{name}:{line}: {word}")
    assert not unknown


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_path_of_the_project_that_a_page_names_exists(name: str) -> None:
    missing = []
    for line, text in PAGES[name].spans():
        if text in rows_of_others():
            continue  # theirs
        path = re.split(r"[:#\s]", text)[0].rstrip("/")
        if path.startswith(FOLDERS) and not is_placeholder(path) and path not in MADE_BY_OTHERS and not (ROOT / path).exists():
            missing.append(f"{name}:{line}: {path}")
    assert not missing


WIDEST = 130
"""Columns of a line of prose: terminals and reviews wrap a longer one badly. Tables and code are as wide as they are."""


@pytest.mark.parametrize("name", sorted(PAGES))
def test_each_row_of_a_table_has_the_cells_of_its_head(name: str) -> None:
    head, before, wrong = 0, 0, []
    for number, line in PAGES[name].prose:
        if line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line))
            head = head if number == before + 1 else cells
            before = number
            wrong += [f"{name}:{number}: {cells - 1} cells of {head - 1}"] if cells != head else []
    assert not wrong


@pytest.mark.parametrize("name", sorted(PAGES))
def test_prose_is_not_wider_than_a_terminal(name: str) -> None:
    assert not [
        f"{name}:{number}" for number, line in PAGES[name].prose if len(line) > WIDEST and not line.lstrip().startswith("|")
    ]


# ── what runs ──────────────────────────────────────────────────────────────────────────

CHEAP = ("info", "list_systems", "list_configs", "list_engines", "list_results", "explain")
"""Actions that change nothing and take no long."""


def cheap() -> list[list[str]]:
    """The words for code.main of each command of a page that can run at once on this machine."""
    found: dict[tuple[str, ...], None] = {}
    for command in COMMANDS:
        given = words(command.text) or []
        if "tutorials/" in command.where:
            continue  # a block needs those before it: tests/e2e/test_tutorials.py
        if given[:1] != ["make"] or len(given) < 2 or given[1] not in targets():
            continue
        action = targets()[given[1]].action
        options = next((word.partition("=")[2] for word in given if word.startswith("RUN_ARGS=")), "")
        rest = words(options) or []
        placed = any(is_placeholder(word.partition("=")[2] or word) for word in (*rest, *given[2:]))
        runs = action in CHEAP or "--dry_run" in rest
        if runs and not placed and all(word.startswith("RUN_ARGS=") for word in given[2:]) and (rest or action != "explain"):
            found[(f"--action={action}", *rest)] = None
    return [list(line) for line in found]


@pytest.mark.parametrize("line", cheap(), ids=" ".join)
def test_cheap_commands_of_the_pages_run(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


# ── from other harnesses ──────────────────────────────────────────────────────────────────────────


def rows_of_others() -> dict[str, str]:
    """Each row of the tables of other harnesses: theirs → ours."""
    text = PAGES["documentation/from_other_harnesses.md"].text
    found: dict[str, str] = {}
    for table in re.findall(r"<!-- rows: [\w ]+ -->\n(.*?)<!-- end of rows -->", text, re.DOTALL):
        for line in table.splitlines()[2:]:
            theirs, ours = line.strip("| ").split(" | ")
            found[theirs.strip("`")] = ours.strip("`")
    return found


@pytest.mark.parametrize("theirs", rows_of_others())
def test_each_row_for_other_harnesses_is_true(theirs: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A path exists, a command resolves, and one that plans workloads is planned on this machine, option by option."""
    ours = rows_of_others()[theirs]
    given = words(ours) or []
    if given[0] not in ("make", "python3"):
        assert is_placeholder(ours) or ours in MADE_BY_OTHERS or (ROOT / ours).exists()
        return
    assert not problem_with(Command(theirs, ours))
    action = targets()[given[1]].action if given[0] == "make" else ""
    options = next((word.partition("=")[2] for word in given if word.startswith("RUN_ARGS=")), "")
    if action in REHEARSED and action not in ("tune", "run_audit_harness", "explain"):
        assert main([f"--action={action}", "--dry_run", *(words(options) or [])]) == 0, capsys.readouterr().err


def test_the_walk_sees_what_is_wrong(tmp_path: Path) -> None:
    for text, what in (
        ("make rnu", "no target rnu"),
        ("make run RUNARGS=x", "RUNARGS"),
        ('make run RUN_ARGS="--benchmark=bert"', "benchmark"),
        ('make run RUN_ARGS="--benchmarks=brt"', "brt"),
        ('make run RUN_ARGS="--benchmarks=bert --gpu_batch_size=x"', "gpu_batch_size"),
        ("make run RUN_ARGS='--benchmarks=bert", "quotes"),
        (".venv/bin/python -m scripts.nothing", "scripts.nothing"),
        ("scripts/nothing.sh", "does not exist"),
    ):
        assert what in problem_with(Command("", text)), text
    assert not problem_with(Command("", 'make run RUN_ARGS="… --system=NAME --dry_run"'))
    assert "--action=info" in {line[0] for line in cheap()} or actions.names()
