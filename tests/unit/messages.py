"""What the harness can print: the text of every string in its sources, as patterns with placeholders."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEAST = 8
"""Letters that a pattern has at least beside its placeholders."""
HEAD = re.compile(
    r"^\s*(?:(?:error|warning|ok|unseen) +[\w' ]+(?:, [\w' ]+)?: |error: |warning: |note: |why:  |next: |- |-> \w+: )?"
    r"(?:[\w.-]+ (?:Offline|Server|SingleStream|MultiStream)(?: \w+)?: )?"
)
"""What stands before a message: its kind, a check of the preflight, an option to change, a workload."""
ANYTHING = ".*?"


@cache
def patterns() -> tuple[tuple[str, str], ...]:
    """(pattern, its longest literal part) of each text of the Python sources and the shell scripts that is long enough to tell."""
    found: set[str] = set()
    for folder in ("code", "configs"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp)):
                    found.add(_of_python(node))
    for path in (*sorted((ROOT / "scripts").glob("*.sh")), *sorted((ROOT / "docker").rglob("*.sh"))):
        for line in path.read_text(encoding="utf-8").splitlines():
            found |= {_of_shell(text) for text in re.findall(r"\"((?:[^\"\\]|\\.)*)\"", line)}
    for path in ROOT.glob("Makefile*"):
        found |= {_of_shell(text) for text in re.findall(r"\"([^\"\n]+)", path.read_text(encoding="utf-8"))}
    enough = (text for text in found if len(re.sub(r"\\.|\.\*\?|\W", "", text)) >= LEAST)
    return tuple((text, max((_literal(part) for part in text.split(ANYTHING)), key=len)) for text in sorted(enough))


def _literal(escaped: str) -> str:
    """The text of which `re.escape` made this."""
    return re.sub(r"\\(.)", r"\1", escaped, flags=re.DOTALL)


def _of_python(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return re.escape(node.value) if isinstance(node.value, str) and "\n" not in node.value else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(re.escape(str(v.value)) if isinstance(v, ast.Constant) else ANYTHING for v in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _of_python(node.left), _of_python(node.right)
        return (left or ANYTHING) + (right or ANYTHING) if left or right else ""
    return ""


def _of_shell(text: str) -> str:
    parts = re.split(
        r"\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}]*\}|\$\w+|%[ds]",
        text.rstrip("\\").replace("\\\\", "").replace("\\n", "").replace("\\`", "`"),
    )
    return ANYTHING.join(re.escape(part) for part in parts)


def is_printed(line: str) -> bool:
    """Whether the harness can print this line: a text of its sources covers two thirds of it."""
    for bare in (line.strip(), HEAD.sub("", line).strip()):
        for pattern, literal in patterns():
            match = re.search(pattern, bare) if literal in bare else None  # few are compiled
            if match and len(match[0]) >= 2 / 3 * len(bare):
                return True
            if match and pattern.endswith(ANYTHING) and match.start() <= len(bare) / 3:
                return True
    return False
