"""Files of this project that a copied tree of another harness replaces, found before anything imports them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from code.common.errors import UsageError
from code.common.files import require_regular
from code.common.paths import project_root, shown

OWN_MODULES = ("accelerator", "base", "cpu", "known_hardware", "memory", "system_list", "systems")
"""Modules of code/common/systems, which only hand on names of code.machine and code.systems."""
FROM = ("code.machine", "code.systems")


def require_own_modules() -> None:
    """UsageError where a module of code/common/systems is another harness's: it would define systems that nothing here knows."""
    for name in OWN_MODULES:
        path = project_root() / "code/common/systems" / f"{name}.py"
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            raise _refusal(path, "it is missing") from None
        why = _foreign(path, changed)
        if why:
            raise _refusal(path, why)


@cache
def _foreign(path: Path, _changed: int) -> str:
    """Why a file is not this project's; '' where it is."""
    try:
        tree = ast.parse(require_regular(path).read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        return f"it cannot be parsed: {error}"
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if defined:
        return f"it defines {', '.join(defined[:3])} itself"
    handed_on = [node for node in tree.body if isinstance(node, ast.ImportFrom) and str(node.module).startswith(FROM)]
    return "" if handed_on else "it does not hand on the names of code.machine and code.systems"


def _refusal(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{shown(path)} is not this project's file",
        f"{why}; a file of another harness was copied over it, or it was edited",
        f"restore it with `git checkout -- {shown(path)}`; systems of your own belong in custom_list.py beside it",
        str(shown(path)),
    )
