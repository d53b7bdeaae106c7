"""check.py FOLDER: every link of a built site leads to a page and a place of it, and no page fetches anything from elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
LOADED_LINKS = ("stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload")


class Seen(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag's link, source and anchor."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag in LOADED and LOADED[tag] in values:
            self.loads.append(values[LOADED[tag]])
        elif tag == "link" and any(word in values.get("rel", "") for word in LOADED_LINKS):
            self.loads.append(values.get("href", ""))


@cache
def seen(path: Path) -> Seen:
    """A page, read once."""
    page = Seen()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def faults(site: Path) -> list[str]:
    """A line for each dead link and each fetch from elsewhere. 404.html is left out: its addresses are those of a server."""
    pages = [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]
    return [f"{path.relative_to(site)}: {fault}" for path in pages for fault in of_page(path)]


def of_page(path: Path) -> Iterator[str]:
    """What is wrong with the links of a page and with what it loads."""
    page = seen(path)
    for target in page.loads:
        if is_elsewhere(target):
            yield f"loads {target} from elsewhere"
    for target in (*page.links, *page.loads):
        if not urlsplit(target).scheme and not target.startswith("//"):
            yield from dead(path, target)


def is_elsewhere(target: str) -> bool:
    """Whether an address is neither of the site nor part of its page."""
    return urlsplit(target).scheme not in ("", "data") or target.startswith("//")


def dead(path: Path, target: str) -> Iterator[str]:
    """What is missing of a link within the site."""
    url = urlsplit(target)
    place = (path.parent / unquote(url.path)).resolve() if url.path else path
    place = place / "index.html" if place.is_dir() else place
    if not place.is_file():
        yield f"{target} does not exist"
    elif url.fragment and place.suffix == ".html" and unquote(url.fragment) not in seen(place).anchors | {"__top"}:
        yield f"{target}: there is no such place"


def main(arguments: list[str]) -> int:
    """Print what is wrong; 1 where something is, or where there is no site."""
    site = Path(arguments[0])
    wrong = faults(site) if (site / "search").is_dir() else [f"{site} has no search index"]
    print("\n".join(wrong[:50]) or f"{len(list(site.rglob('*.html')))} pages, no dead link, nothing loaded from elsewhere")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
