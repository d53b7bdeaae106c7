"""The option list as text: `--help`, and the generated parts of documentation/commands.md and documentation/fields.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from code.common import paths
from code.common.files import atomic_write
from code.fields.accepted import ACCEPTED
from code.fields.field import Field
from code.fields.table import FIELDS
from code.plan import words
from code.plan.benchmark_pages import benchmark_table
from code.plan.consumers import consumers_of
from code.plan.make_targets import targets

BEGIN = "<!-- generated: {} -->"
END = "<!-- end of generated -->"


def usage(actions: Sequence[str]) -> str:
    """What `--help` prints.

    Args:
        actions: the names of all actions.
    """
    lines = [
        'python3 -m code.main --action=ACTION [options]        (make ACTION RUN_ARGS="options")',
        "",
        "actions: " + ", ".join(actions),
        "",
        "Lists are comma-separated; names are matched in any case. Every value can also come from the environment:",
        "MLPINF_<NAME> (command line > environment > config class > default).",
    ]
    for group in groups():
        lines += ["", f"{group}:"]
        for field in FIELDS:
            if field.group == group and field.name not in ACCEPTED and not field.class_only:
                lines.append(f"  {_option(field):<44} {_text(field)}")
    lines += ["", "Accepted because public configs set them, and ignored (documentation/fields.md has the reasons):"]
    lines.append("  " + ", ".join(f.name for f in FIELDS if f.name in ACCEPTED))
    return "\n".join(lines)


def groups() -> list[str]:
    """The headings, in the table's order."""
    return list(dict.fromkeys(f.group for f in FIELDS))


def _option(field: Field) -> str:
    names = ", ".join(f"--{name}" for name in (field.name, *field.aliases))
    if field.type == "bool":
        return names
    return f"{names}={'|'.join(field.choices) if field.choices and len(field.choices) < 4 else field.unit or field.type}"


def _text(field: Field) -> str:
    default = "" if field.default in (None, False, 0) else f" Default: {_shown(field.default)}."
    return field.help + default


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def option_table() -> str:
    """The request's options, as Markdown."""
    rows = ["| option | description |", "| --- | --- |"]
    rows += [f"| `{_option(f)}` | {_text(f)} |".replace("|python|", "\\|") for f in FIELDS if f.request and f.name != "action"]
    return "\n".join(_escape(row) for row in rows)


def _escape(row: str) -> str:
    """Bars inside a code span would end a table cell."""
    parts = row.split("`")
    for i in range(1, len(parts), 2):
        parts[i] = parts[i].replace("|", "\\|")
    return "`".join(parts)


FIRST_TARGETS = (
    *("help", "doctor", "download_data", "download_model", "preprocess_data"),
    *("build", "run", "explain", "tune", "submission"),
)
"""The ten first targets, in the order of use."""


def target_table() -> str:
    """Every make target, as Markdown."""
    return _targets({name: one.text for name, one in targets().items()})


def first_target_table() -> str:
    """The first targets, as Markdown."""
    every = targets()
    return _targets({name: every[name].text for name in FIRST_TARGETS})


def other_target_table() -> str:
    """The targets of other harnesses, and what does their work here, as Markdown."""
    rows = ["| your command | ours |", "| --- | --- |"]
    return "\n".join(rows + [f"| `make {name}` | {_cell(one.text)} |" for name, one in targets("Makefile.compat").items()])


def _targets(found: Mapping[str, str]) -> str:
    rows = ["| target | description |", "| --- | --- |", *(f"| `make {name}` | {_cell(text)} |" for name, text in found.items())]
    return "\n".join(rows)


def _cell(text: str) -> str:
    """A bar would end the cell."""
    return text.replace("|", "\\|")


def field_tables() -> str:
    """Config fields that have an effect, by group, as Markdown."""
    out = []
    for group in groups():
        fields = [f for f in FIELDS if f.group == group and not f.request and f.name not in ACCEPTED]
        if not fields:
            continue
        out += [
            f"### {group}",
            "",
            "| field | type | unit | range | description | used by |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        out += [f"| `{f.name}` | {_kind(f)} | {f.unit} | {_range(f)} | {_described(f)} | {acted_on_by(f.name)} |" for f in fields]
        out.append("")
    return "\n".join(out).rstrip()


def accepted_table() -> str:
    """Config fields that are ignored, as Markdown."""
    rows = ["| field | type | description | why it is ignored |", "| --- | --- | --- | --- |"]
    rows += [f"| `{f.name}` | {_kind(f)} | {_described(f)} | {ACCEPTED[f.name]} |" for f in FIELDS if f.name in ACCEPTED]
    return "\n".join(rows)


def acted_on_by(name: str) -> str:
    """The consumers of an option, each with the runs that it is for and its note."""
    words = []
    for consumer in consumers_of(name):
        note = consumer.notes.get(name, "")
        if note and consumer.languages:
            note = f"the Python harness {note}" if consumer.languages == ("cpp",) else note
        details = "; ".join(part for part in (consumer.only, note) if part)
        words.append(f"{consumer.name} ({details})" if details else consumer.name)
    return "; ".join(dict.fromkeys(words))


def _kind(field: Field) -> str:
    return " \\| ".join(field.choices) or {"batch": "int or dict", "flags": "dict"}.get(field.type, field.type)


def _range(field: Field) -> str:
    return field.range.removeprefix("from ").replace(" to ", " … ")


def _described(field: Field) -> str:
    scope = ", ".join((*field.benchmarks, *field.scenarios))
    older = f" Older name: `{'`, `'.join(field.aliases)}`." if field.aliases else ""
    return _text(field) + (f" Only {scope}." if scope else "") + older


PARTS = {
    "documentation/commands.md": {"targets": target_table, "options": option_table},
    "documentation/fields.md": {"fields": field_tables, "accepted": accepted_table},
    "documentation/from_other_harnesses.md": {"commands": other_target_table},
    "documentation/benchmarks.md": {"benchmarks": benchmark_table},
    "README.md": {"first targets": first_target_table},
}
FILES = {words.WORDS: words.text}
"""Files that are generated as a whole."""


def rendered(page: str) -> str:
    """A page's text with its generated parts updated."""
    if page in FILES:
        return FILES[page]()
    text = (paths.project_root() / page).read_text(encoding="utf-8")
    for name, make in PARTS[page].items():
        begin = BEGIN.format(name)
        before, found, rest = text.partition(begin)
        if not found:
            raise ValueError(f"{page} has no marker for the generated part {name!r}")
        _, found, after = rest.partition(END)
        if not found:
            raise ValueError(f"{page}: the generated part {name!r} has no end marker")
        text = f"{before}{begin}\n{make()}\n{END}{after}"
    return text


def write_pages() -> list[Path]:
    """Update every page. Returns the pages that changed."""
    changed = []
    for page in (*PARTS, *FILES):
        path = paths.project_root() / page
        text = rendered(page)
        if not path.is_file() or text != path.read_text(encoding="utf-8"):
            with atomic_write(path) as out:
                out.write(text)
            changed.append(path)
    return changed
