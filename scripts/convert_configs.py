"""`python3 -m scripts.convert_configs FOLDER TO`: convert class files to the newer layout, and files of the newer layout to classes.

This EXECUTES every config file below FOLDER as Python, as check_configs does. Values are written as they are after inheritance and
imports. What the other layout cannot say is listed, and so is every file that did not load.

Exit status: 0 when every config was converted, however much the list names; 1 when a file did not load; 2 for a usage error; 3 when there
is no config file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from code.common import console
from code.common.errors import HarnessError, UsageError
from code.common.files import atomic_directory
from code.fields.table import field_table
from scripts.check_configs import SECONDS, check_tree
from scripts.config_text import MODULE_OF, classes_text, exports_text, identifier, system_name
from scripts.config_trees import find_trees

Config = dict[str, Any]
NEWER_HARNESSES = ("Custom", "Triton", "TritonUnified")
SCENARIOS = ("Offline", "Server", "SingleStream", "MultiStream")


def main(arguments: Sequence[str]) -> int:
    """Convert, print the list, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m scripts.convert_configs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of config files; what is in it is executed")
    parser.add_argument("to", type=Path, help="folder to write; it must not exist, or be empty")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long one file may take (default: %(default)g)")
    options = parser.parse_args(arguments)
    try:
        return convert(options.folder, options.to, options.seconds)
    except HarnessError as error:
        console.fail(error.lines())
        return error.exit_status


def convert(folder: Path, to: Path, seconds: float = SECONDS) -> int:
    """Convert every config below a folder; the exit status. UsageError for a target that is in use."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise UsageError(f"{to} exists already", "converting never overwrites files", "name a new folder with TO=…")
    reports = [check_tree(tree, seconds, values=True) for tree in find_trees([folder]).trees]
    configs = [config for report in reports for config in report["configs"]]
    failures = list(_failures(reports))
    lost = list(_notes(reports))
    written = {
        **_to_exports([c for c in configs if not c["folder"]], lost),
        **_to_classes([c for c in configs if c["folder"]], lost),
    }
    if written:
        _write(to, written)
    _show(lost, failures)
    console.say(
        f"{len(configs)} configs read, {len(written)} files written to {to}; {len(dict.fromkeys(lost))} things that the other layout "
        f"cannot say, {len(failures)} failures"
    )
    return int(bool(failures or not written))


def _show(lost: Sequence[str], failures: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    for line in dict.fromkeys(lost):
        console.say(f"  not said  {line}")
    for file, failure in failures:
        console.say(f"  failed    {file}:{failure['line']}: {failure['reason']}")


def _failures(reports: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for report in reports:
        for file in report["files"]:
            yield from ((file["file"], failure) for failure in file["failures"])


def _notes(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for report in reports:
        for file in report["files"]:
            yield from (f"{file['file']}: {note}" for note in file["notes"] if file["layout"])


def _write(to: Path, files: Mapping[str, str]) -> None:
    """Write every file or none."""
    with atomic_directory(to) as out:
        for place, text in sorted(files.items()):
            path = out / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _to_exports(configs: Sequence[Config], lost: list[str]) -> dict[str, str]:
    """The files of the newer layout for classes; what it cannot say is added to `lost`."""
    groups: dict[str, dict[tuple[str, ...], Config]] = {}
    for config in configs:
        harness = config["setting"][0]
        if not config["member"] or not config["system"]:
            lost.append(f"{config['where']}: this class has no benchmark or no system")
            continue
        if config["suffix"]:
            lost.append(f"{config['where']}: the variant {config['suffix']!r}: EXPORTS has one config for each setting")
        if harness not in NEWER_HARNESSES:
            lost.append(f"{config['where']}: HarnessType.{harness}: the newer layout does not have it")
        lost += [f"{place}: {name}: {why}" for name, place, why in config["unsaid"]]
        lost += [f"{config['where']}: {name}: other harnesses do not know this field" for name in _own_fields(config)]
        folder = config["system_id"] or config["system"]
        place = f"{folder}/{config['scenario']}/{config['benchmark'].replace('.', '_')}.py"
        kept = groups.setdefault(place, {})
        if tuple(config["setting"]) in kept:
            lost.append(f"{config['where']}: another class is for the same setting and is written instead")
            continue
        kept[tuple(config["setting"])] = config
    return {place: exports_text(list(kept.values())) for place, kept in groups.items()}


def _own_fields(config: Mapping[str, Any]) -> Iterator[str]:
    """The fields of a class that are this project's alone."""
    return (name for name in config["values"] if name in field_table() and field_table()[name].name not in MODULE_OF)


def as_class_value(name: str, value: Any) -> Any:
    """A value as classes have it: EXPORTS may also hold a number, a switch or a batch size as text, such as 'bert:8'."""
    field = field_table().get(name)
    if field is None or field.type not in ("int", "float", "bool", "batch") or not isinstance(value, str):
        return value
    try:
        return field.parse(value, name)
    except UsageError:
        return value  # checked, and refused with its place, where the class is used


def _to_classes(configs: Sequence[Config], lost: list[str]) -> dict[str, str]:
    """The class files for configs of the newer layout; what classes cannot say is added to `lost`."""
    groups: dict[str, list[Config]] = {}
    for config in configs:
        if not config["member"]:
            lost.append(f"{config['where']}: {config['benchmark']}: no benchmark of that name is known")
            continue
        if config["scenario"] not in SCENARIOS:
            lost.append(f"{config['where']}: {config['scenario']}: classes have no such scenario")
            continue
        if not config["known"]:
            lost.append(
                f"{config['where']}: the system folder {config['folder']} is not a known system: it is written as "
                f"KnownSystem.{system_name(config)}, which `make add_system NAME={identifier(config['folder'])}` defines"
            )
        lost += [
            f"{config['where']}: {name}: not the name of a class attribute"
            for name in config["values"]
            if not name.isidentifier()
        ]
        read = {**config, "values": {name: as_class_value(name, value) for name, value in config["values"].items()}}
        groups.setdefault(f"{config['benchmark']}/{config['scenario']}/__init__.py", []).append(read)
    return {place: classes_text(found, found[0]["member"]) for place, found in groups.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
