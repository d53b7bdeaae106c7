"""An error that says which option to change names one that exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from code.common.errors import HarnessError
from code.fields.table import lookup
from tests.empty import some
from tests.unit.test_documentation import own_options

PROJECT = Path(__file__).resolve().parents[2]
ERRORS = {"HarnessError", "MissingError", "RunError", "UsageError"}
OTHERS = re.compile(
    r"\b(docker|git|nvidia-smi|pip|python|ray start|sudo|vLLM|trtllm-build|huggingface-cli|hf|numactl|quantize)\b"
)
"""Programs whose own options a message may name."""
OPTION = re.compile(r"(?:^|(?<=[\s,\"'`(]))--([A-Za-z]\w*)")


def named_in_errors(source: str) -> Iterator[tuple[int, str]]:
    """(line, option) for each option in a text of an error, without those of other programs."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
            for argument in node.args:
                texts = [one.value for one in ast.walk(argument) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                if not OTHERS.search(" ".join(texts)):
                    yield from ((argument.lineno, word) for text in texts for word in OPTION.findall(text))


def is_option(word: str) -> bool:
    try:
        return bool(lookup(word, kind="flag"))
    except HarnessError:
        return word == "help" or word in own_options()


def test_options_in_errors_are_found() -> None:
    source = "raise RunError('a', f'{x} is late', f'see {log}; --missing raises it')\nraise UsageError('pip --user', 'b', 'c')\n"
    assert list(named_in_errors(source)) == [(1, "missing")]
    assert is_option("benchmarks") and not is_option("missing")


@pytest.mark.parametrize("package", sorted(path.name for path in (PROJECT / "code").iterdir() if (path / "__init__.py").exists()))
def test_every_option_that_an_error_names_exists(package: str) -> None:
    files = some((PROJECT / "code" / package).rglob("*.py"))
    assert [
        f"{path.relative_to(PROJECT)}:{line}: --{word}"
        for path in files
        for line, word in named_in_errors(path.read_text(encoding="utf-8"))
        if not is_option(word)
    ] == []
