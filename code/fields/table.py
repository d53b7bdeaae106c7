"""The one list of options.

The argument parser, the check of config classes, the environment variables, the harness's JSON and documentation/fields.md are all
derived from this table, whose rows are in code/fields/rows. A new option is one new row. Names that public vendor configs set keep
their spelling.
"""

from __future__ import annotations

from functools import cache

from code.common.errors import UsageError, unknown
from code.fields.field import Field
from code.fields.rows import asking, engines, runs, surroundings

FIELDS: tuple[Field, ...] = (*asking.ROWS, *runs.ROWS, *engines.ROWS, *surroundings.ROWS)


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


def require_applicable(field: Field, benchmark: str, scenario: str, where: str) -> None:
    """UsageError if `field` was set on the command line for a benchmark it does not apply to."""
    if field.benchmarks and benchmark not in field.benchmarks:
        raise UsageError(
            f"{field.name} does not apply to {benchmark}",
            f"it belongs to {', '.join(field.benchmarks)}",
            f"remove it, or run one of these benchmarks (requested: {scenario})",
            where,
        )
