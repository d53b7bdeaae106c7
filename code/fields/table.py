"""The one list of options.

The argument parser, the check of config classes, the environment variables, the harness's JSON and documentation/fields.md are all
derived from this table, whose rows are in code/fields/rows. A new option is one new row. Names that public vendor configs set keep
their spelling.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from code.common.errors import unknown
from code.fields.field import Field
from code.fields.rows import asking, engines, others, rounds, runs, surroundings

FIELDS: tuple[Field, ...] = tuple(
    replace(field, aliases=(*field.aliases, *others.ALIASES.get(field.name, ())))
    for field in (*asking.ROWS, *runs.ROWS, *engines.ROWS, *surroundings.ROWS, *others.ROWS, *rounds.ROWS)
)


@cache
def field_table() -> dict[str, Field]:
    """Every name of every option, including aliases."""
    table: dict[str, Field] = {}
    for field in FIELDS:
        for name in (field.name, *field.aliases):
            if name in table:
                raise ValueError(f"option {name!r} is in the table twice")
            table[name] = field
    return table


def lookup(name: str, where: str = "", kind: str = "field") -> Field:
    """The option called `name`; UsageError with the nearest known name otherwise."""
    field = field_table().get(name.replace("-", "_"))
    if field is None or (kind == "flag" and field.class_only):
        known = [spelling for spelling, option in field_table().items() if kind != "flag" or not option.class_only]
        raise unknown(kind, name, known, where, listing=False)
    return field
