"""`make site`: build the documentation as a site that works offline, and check it.

The pages keep their places, so that their links are the repository's. API pages are made from the docstrings of the packages.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE", "pyproject.toml")
PACKAGES = sorted(path.parent.name for path in (ROOT / "code").glob("*/__init__.py"))
TUTORIALS = "tutorials"
LINK = re.compile(r"\]\(([\w./-]+)(?:#[\w-]*)?\)")
"""A link to a file of the repository."""


def gather(source: Path) -> None:
    """Lay out the pages in an empty folder."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "documentation", source / "documentation")
    for name in TOP:
        shutil.copy(ROOT / name, source / name)
    for readme in sorted((ROOT / "code" / "benchmarks").glob("*/README.md")):
        target = source / "documentation" / "benchmarks" / f"{readme.parent.name}.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text(moved(readme, target.parent, source), encoding="utf-8")
    shutil.copy(HERE / "iframe-worker.js", source)
    for page in list(source.rglob("*.md")):
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            place = (page.parent / target).resolve()
            ours = ROOT / place.relative_to(source.resolve()) if place.is_relative_to(source.resolve()) else place
            if ours.is_file() and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ours, place)
    (source / "api").mkdir()
    for name in PACKAGES:
        (source / "api" / f"{name}.md").write_text(api_page(name), encoding="utf-8")


def moved(page: Path, folder: Path, source: Path) -> str:
    """The text of a page of the project with its links as they are from a folder of the site's sources."""

    def link(found: re.Match[str]) -> str:
        place = source / (page.parent / found[1]).resolve().relative_to(ROOT)
        return found[0].replace(found[1], os.path.relpath(place, folder), 1)

    return LINK.sub(link, page.read_text(encoding="utf-8"))


def api_page(name: str) -> str:
    """A package's modules with the docstrings of what is public in them."""
    folder = ROOT / "code" / name
    modules = [path for path in sorted(folder.rglob("*.py")) if not path.name.startswith("_") and "tiny" not in path.parts]
    lines = [f"# code.{name}", ""]
    for path in modules:
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        lines += [f"## {module}", "", f"::: {module}", ""]
    return "\n".join(lines)


def configuration(source: Path, folder: Path) -> Path:
    """mkdocs.yml with the lists of pages of its two folders written out."""
    text = (HERE / "mkdocs.yml").read_text(encoding="utf-8")
    guides = sorted(path.relative_to(source).as_posix() for path in (source / "documentation").rglob("*.md"))
    listed = "".join(f"      - {name}\n" for name in guides if f"/{TUTORIALS}/" not in name)
    more = "".join(f"      - {name}\n" for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"))
    api = "".join(f"      - code.{name}: api/{name}.md\n" for name in PACKAGES)
    text = text.replace("  - Guides: documentation\n", f"  - Guides:\n{listed}{more}").replace(
        "  - API: api\n", f"  - API:\n{api}"
    )
    target = folder / "mkdocs.yml"
    target.write_text(text, encoding="utf-8")
    return target


def main() -> int:
    """Build and check; the exit status."""
    build = Path(os.environ.get("BUILD_DIR") or ROOT / "build")
    source, site = build / "site_source", build / "site"
    gather(source)
    environment = {
        **os.environ,
        "SITE_SOURCE": str(source),
        "SITE_FOLDER": str(site),
        "PROJECT_ROOT": str(ROOT),
        "NO_MKDOCS_2_WARNING": "1",
        "DISABLE_MKDOCS_2_WARNING": "true",
    }
    config = configuration(source, build)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", str(config)]
    done = subprocess.run(command, env=environment, check=False)
    if done.returncode:
        return done.returncode
    print(f"site: {site / 'README.html' if (site / 'README.html').is_file() else site / 'index.html'}")
    return subprocess.run([sys.executable, str(HERE / "check.py"), str(site)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
