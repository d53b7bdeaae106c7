"""check.py FOLDER: every link of a built site leads to a page and a place of it, and no page fetches anything from elsewhere."""

from __future__ import annotations

import sys
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
    """A line for each dead link and each fetch from elsewhere."""
    found = []
    for path in sorted(site.rglob("*.html")):
        where = path.relative_to(site)
        if where.name == "404.html":
            continue  # its addresses are those of a server
        from_elsewhere = [one for one in seen(path).loads if urlsplit(one).scheme not in ("", "data") or one.startswith("//")]
        found += [f"{where}: loads {target} from elsewhere" for target in from_elsewhere]
        for target in [*seen(path).links, *(one for one in seen(path).loads if not urlsplit(one).scheme)]:
            url = urlsplit(target)
            if url.scheme or target.startswith("//"):
                continue
            place = (path.parent / unquote(url.path)).resolve() if url.path else path
            place = place / "index.html" if place.is_dir() else place
            if not place.is_file():
                found.append(f"{where}: {target} does not exist")
            elif url.fragment and place.suffix == ".html" and unquote(url.fragment) not in seen(place).anchors | {"__top"}:
                found.append(f"{where}: {target}: there is no such place")
    return found


def main(arguments: list[str]) -> int:
    """Print what is wrong; 1 where something is, or where there is no site."""
    site = Path(arguments[0])
    wrong = faults(site) if (site / "search").is_dir() else [f"{site} has no search index"]
    print("\n".join(wrong[:50]) or f"{len(list(site.rglob('*.html')))} pages, no dead link, nothing loaded from elsewhere")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
