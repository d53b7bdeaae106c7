"""Adds a machine to the known systems, and removes it.

Adding writes an entry in `custom_list.py`, blocks in `configs/<benchmark>/<Scenario>/custom.py` and `systems/<name>.json`; for
a system that is already known, only the blocks. With $MLPINF_CUSTOM_DEFINITION_PATH set, entry and blocks go below
that folder. All texts are prepared before the first file is written.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from code.common.constants import Benchmark, Scenario
from code.common.errors import MissingError, UsageError, nearest
from code.common.files import atomic_write
from code.common.paths import project_root, shown, variable
from code.machine.detect import DetectedSystem
from code.systems import custom
from code.systems.custom_files import blocks, has_non_finite, own_class, with_block, with_entry, without_block, without_entry
from code.systems.data.description_fields import BY_HAND
from code.systems.description import NOT_APPLICABLE, describe, description_path, read_description, unfinished, write_description
from code.systems.matching import match
from code.systems.stubs import Highest, Target, base_class, config_folder, stub
from code.systems.stubs import benchmarks as known_benchmarks
from code.systems.system_list import KnownSystem


@dataclass
class Change:
    """Planned file changes: new text by path (None removes the file), and remarks for the user."""

    texts: dict[Path, str | None] = field(default_factory=dict)
    description: Path | None = None
    remarks: list[str] = field(default_factory=list)
    todo: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The changes as text, one line each."""
        found = []
        for path, text in self.texts.items():
            verb = "remove" if text is None else "change" if path.exists() else "create"
            found.append(f"{verb} {shown(path)}")
        if self.description is not None:
            found.append(f"{'change' if self.description.exists() else 'create'} {shown(self.description)}")
        return found


def list_path() -> Path:
    """Path of the `custom_list.py` to write."""
    folder = variable(custom.DEFINITION_PATH)
    return Path(folder) / "custom_systems" / "custom_list.py" if folder else custom.project_list()


def config_path(benchmark: Benchmark, scenario: Scenario) -> Path:
    """Path of the `custom.py` to write for a workload."""
    folder = variable(custom.DEFINITION_PATH)
    root = Path(folder) / "custom_configs" if folder else project_root() / "configs"
    return root / config_folder(benchmark, scenario) / "custom.py"


def proposed_name(detected: DetectedSystem) -> str:
    """A name for a machine: that of the known GPU system it is, else one made of its accelerator or processor and their number."""
    try:
        known = match(detected).system
    except MissingError:
        known = None
    if known is not None and known.accelerators:
        return known.name
    kinds = detected.config.accelerator_conf.layout
    processors = detected.processors
    kind, count = next(((str(kind.name), number) for kind, number in kinds.items()), (processors.model, processors.sockets))
    words = re.sub(r"[^A-Za-z0-9]+", "_", f"{kind} x{count}").strip("_")
    return words if words[:1].isalpha() else f"system_{words}"


def check_name(name: str) -> None:
    """Raises UsageError for an invalid system name."""
    if not name:
        raise UsageError("no name was given", "a system needs one", "add NAME=<name>, such as NAME=my_server_L40Sx4")
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        why = "configs write KnownSystem.<name>, so it must be letters, digits and underscores, not starting with a digit"
        raise UsageError(f"{name!r} cannot be a system's name", why, "choose another NAME")


def plan_addition(
    name: str,
    detected: DetectedSystem,
    benchmarks: Iterable[Benchmark] = (),
    scenarios: Iterable[Scenario] = (),
    highest: Highest | None = None,
) -> Change:
    """What adding the machine under a name would write. Doing it again changes nothing.

    For the name of one of the project's own systems, only configs are planned, whatever the machine is.

    Args:
        benchmarks: those to make configs for; all where none is named.
        scenarios: likewise; those that a benchmark does not have are skipped.
        highest: Server rates that are not to be exceeded.

    Raises UsageError for a name that cannot be used or a file of the user's that does not parse.
    """
    check_name(name)
    change = Change()
    known = KnownSystem.get(name)
    if known is not None and not known.custom:
        target = Target.of_system(known)
    else:
        target = Target.of_machine(detected)
        path = list_path()
        configuration = replace(detected.config, numa_conf=None, system_id=name)  # detected again at each run
        expression = repr(configuration)
        if has_non_finite(expression):
            why = "a number of the machine's description is not finite (see: make info)"
            raise UsageError(f"{name} cannot be added", why, "correct that number in the capture")
        change.texts[path] = with_entry(_text(path), path, name, expression)
        change.description = description_path(name)
    wanted = list(scenarios)
    for benchmark in benchmarks or known_benchmarks():
        for scenario in known_benchmarks()[benchmark]:
            if not wanted or scenario in wanted:
                _plan_config(change, name, benchmark, scenario, target, highest or {})
    for path in [path for path, text in change.texts.items() if text == _text(path)]:
        del change.texts[path]
    return change


def _plan_config(change: Change, name: str, benchmark: Benchmark, scenario: Scenario, target: Target, highest: Highest) -> None:
    """Add one workload's config to a change, or a remark why none is written."""
    gpu = target.accelerator is not None
    base = base_class(benchmark, scenario, gpu)
    if base is None:
        kind = "GPUs" if gpu else "processors"
        change.remarks.append(f"no configs for {benchmark} {scenario} on {kind} to inherit from: none written")
        return
    path = config_path(benchmark, scenario)
    place = _configured(name, benchmark, scenario)
    if place:
        change.remarks.append(f"{place} has a config for {name} already: it is used, none written")
        return
    text = _text(path)
    if text is not None and name in blocks(text):
        return  # written before, and perhaps tuned since
    change.texts[path] = with_block(text, name, stub(name, benchmark, scenario, target, base, highest))


def _configured(name: str, benchmark: Benchmark, scenario: Scenario) -> str:
    """ "<file>:<line>" of a hand-written config for a system, "" if there is none."""
    packaged = project_root() / "configs" / config_folder(benchmark, scenario)
    for path in dict.fromkeys((packaged / "__init__.py", packaged / "custom.py", config_path(benchmark, scenario))):
        text = _text(path)
        try:
            line = None if text is None else own_class(text, path, name)
        except UsageError:
            if path == config_path(benchmark, scenario):
                raise
            continue  # a broken file that is not written here can be skipped
        if line is not None:
            return f"{shown(path)}:{line}"
    return ""


def add(name: str, detected: DetectedSystem, change: Change) -> Change:
    """Apply a planned addition. Raises RunError when a file cannot be written."""
    _write(change)
    if change.description is not None:
        write_description(change.description, describe(detected, name))
        change.todo = unfinished(read_description(change.description))
    KnownSystem.forget()
    return change


def plan_removal(name: str) -> Change:
    """The changes for removing an added system. Raises MissingError for one that was not added here."""
    change = Change()
    path = list_path()
    text = _text(path)
    if text is not None:
        left = without_entry(text, path, name)
        if left != text:
            change.texts[path] = left
    for benchmark, scenarios in known_benchmarks().items():
        for scenario in scenarios:
            path = config_path(benchmark, scenario)
            text = _text(path)
            if text is not None and name in blocks(text):
                change.texts[path] = without_block(text, name)
    if name not in KnownSystem or KnownSystem[name].custom:
        _plan_removal_of_description(change, description_path(name))
    if not change.texts:
        raise _nothing_added(name)
    return change


def _plan_removal_of_description(change: Change, description: Path) -> None:
    if not description.is_file():
        return
    content = read_description(description)
    if any(content.get(name) not in ("", None, NOT_APPLICABLE) for name in BY_HAND):
        change.remarks.append(f"{shown(description)} is kept: somebody filled it in; remove it by hand if it is not needed")
    else:
        change.texts[description] = None


def _nothing_added(name: str) -> MissingError:
    """The error for a system that was not added here."""
    added = [system.name for system in KnownSystem if system.custom]
    if name in KnownSystem and name not in added:
        why = f"{name} is one of the project's own, and no configs were added for it"
        return MissingError(f"nothing was added for {name}", why, "see what was added with: make list_systems")
    like = nearest(name, added)
    why = f"added systems: {', '.join(added) or 'none'}"
    step = f"did you mean NAME={like}?" if like else "see them with: make list_systems"
    return MissingError(f"no added system is called {name!r}", why, step)


def remove(change: Change) -> None:
    """Apply a planned removal. Raises RunError when a file cannot be changed."""
    _write(change)
    KnownSystem.forget()


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {shown(path)}", str(error), "correct the file", str(path)) from error


def _write(change: Change) -> None:
    for path, text in change.texts.items():
        if text is None:
            path.unlink(missing_ok=True)
            continue
        with atomic_write(path) as out:
            out.write(text)
