"""The frame of every page, and its tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{css}</style>
</head>
<body><main>
{body}
<footer>{footer}</footer>
</main></body>
</html>
"""


def section(title: str, content: str) -> str:
    """A section with a heading; '' without content."""
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], kind: str = "") -> str:
    """A table; '' without rows.

    Args:
        kind: a class of the style sheet; 'names': its first column holds long names, which break.
    """
    lines = []
    for row in rows:
        cells = "".join(
            f'<td data-label="{escape(name)}">{_cell(shown(cell), kind)}</td>' for name, cell in zip(columns, row, strict=True)
        )
        lines.append(f"<tr>{cells}</tr>")
    if not lines:
        return ""
    heads = "".join(f"<th>{escape(name)}</th>" for name in columns)
    classes = f"stack {kind}".strip()
    return f'<table class="{classes}"><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def _cell(text: str, kind: str) -> str:
    """A cell's text; names may break behind an underscore."""
    return escape(text).replace("_", "_<wbr>") if kind == "names" else escape(text)


def folded(title: str, content: str) -> str:
    """Content that opens on demand; '' without content."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>" if content else ""


def shown(value: Any) -> str:
    """A value formatted for a table cell."""
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return "" if value is None else str(value)
