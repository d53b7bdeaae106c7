"""The site of the documentation: what its check sees, what its pages are made from, and that its packages are locked."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"site_{name}", ROOT / "scripts" / "site" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="b.html#there">x</a><script src="s.js"></script>', ""),
        ('<a href="c.html">x</a>', "c.html does not exist"),
        ('<a href="b.html#nowhere">x</a>', "there is no such place"),
        ('<script src="https://example.org/x.js"></script>', "from elsewhere"),
        ('<link rel="stylesheet" href="https://example.org/x.css">', "from elsewhere"),
        ('<img src="//example.org/x.png">', "from elsewhere"),
        ('<a href="https://example.org">x</a>', ""),
    ],
)
def test_the_check_sees_dead_links_and_fetches(tmp_path: Path, body: str, fault: str) -> None:
    (tmp_path / "b.html").write_text('<h1 id="there">b</h1>')
    (tmp_path / "s.js").touch()
    (tmp_path / "a.html").write_text(body)
    found = loaded("check").faults(tmp_path)
    assert [line for line in found if fault in line] if fault else not found


def test_the_site_has_every_page_and_a_page_for_each_package(tmp_path: Path) -> None:
    build = loaded("build")
    build.gather(tmp_path / "source")
    text = build.configuration(tmp_path / "source", tmp_path).read_text()
    for page in (ROOT / "documentation").rglob("*.md"):
        assert page.relative_to(ROOT).as_posix() in text
    packages = {path.name for path in (ROOT / "code").iterdir() if (path / "__init__.py").is_file()}
    assert packages <= set(build.PACKAGES)
    assert "::: code.results.verdict" in (tmp_path / "source" / "api" / "results.md").read_text()


def test_each_link_of_a_page_that_moved_leads_to_a_file(tmp_path: Path) -> None:
    build = loaded("build")
    build.gather(tmp_path / "source")
    pages = list((tmp_path / "source" / "documentation" / "benchmarks").glob("*.md"))
    links = [(page, target) for page in pages for target in build.LINK.findall(page.read_text())]
    assert len(pages) > 3 and links
    assert not [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()]


def test_nothing_of_the_site_is_told_to_come_from_elsewhere() -> None:
    text = (ROOT / "scripts" / "site" / "mkdocs.yml").read_text()
    assert "font: false" in text and "://" not in re.sub(r"#.*", "", text)
    assert "://" not in (ROOT / "scripts" / "site" / "iframe-worker.js").read_text()


def test_the_sites_packages_are_those_of_pyproject_and_locked() -> None:
    wanted = re.search(r"^site = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert wanted is not None
    named = (ROOT / "requirements" / "site.in").read_text().split()
    assert named == re.findall(r'"([^"]+)"', wanted[1])
    lock = (ROOT / "requirements" / "site.lock").read_text()
    assert all(f"\n{re.split(r'[>=[]', one)[0]}==" in f"\n{lock}" or f"\n{re.split(r'[>=[]', one)[0]}[" in lock for one in named)
    assert "--hash=sha256:" in lock
