"""No test passes where what it looks for is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.empty import hollow, some

HOLLOW = {
    "a loop over files": "for path in folder.glob('*'):\n        assert path",
    "files under a name": "paths = sorted(folder.rglob('*'))\n    for path in paths:\n        assert path",
    "a loop over matches": "for word in re.findall('x', text):\n        assert word",
    "what another function found": "for one in listed(folder):\n        assert one",
    "an empty list of faults": "assert not [path for path in folder.iterdir() if path.is_dir()]",
    "the same, compared": "assert [path for path in folder.iterdir() if path.is_dir()] == []",
    "all of them": "assert all(path.is_file() for path in folder.glob('*'))",
    "not any": "assert not any(path.is_dir() for path in folder.glob('*'))",
}
SOUND = {
    "some": "for path in some(folder.glob('*')):\n        assert path",
    "checked before": "paths = list(folder.glob('*'))\n    assert paths\n    for path in paths:\n        assert path",
    "a table": "for word in ('a', 'b'):\n        assert word",
    "nothing may be there": "assert not list(folder.glob('*'))",
    "another check": "fails(folder)\n    assert not [path for path in folder.glob('*')]",
    "an error": "with pytest.raises(ValueError):\n        read(folder)",
}
LISTED = "def listed(folder):\n    return [path for path in folder.glob('*')]\n\n\n"


@pytest.mark.parametrize(("body", "found"), [*((body, 1) for body in HOLLOW.values()), *((body, 0) for body in SOUND.values())])
def test_what_passes_on_nothing_is_seen(body: str, found: int) -> None:
    assert len(list(hollow(f"{LISTED}def test_it(folder):\n    {body}\n"))) == found


def test_no_test_passes_on_nothing(project: Path) -> None:
    files = some((project / "tests").rglob("test_*.py"))
    assert [f"{path}:{line} {name}" for path in files for line, name in hollow(path.read_bytes())] == [], (
        "wrap what the test goes through in `some` (tests/empty.py)"
    )


def test_some_is_what_was_found_and_never_nothing() -> None:
    assert some(iter((1, 2))) == [1, 2]
    with pytest.raises(AssertionError, match="would check nothing"):
        some(iter(()))
