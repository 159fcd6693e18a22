"""Pages read as a person and a program read them: the numbers that lead somewhere, and the rows that are there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag

from flask.testing import FlaskClient

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
DOWNLOAD = re.compile(r"\.csv$|\.json$|/pdf$|\.pdf$|/static/|/logout")
MOST_PAGES = 40


@dataclass
class Page(HTMLParser):
    """`counts` are (number, address) of links that say how many rows stand behind them; `outside` is other text."""

    html: str
    counts: list[tuple[int, str]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    rows: int = 0
    following: str = ""
    outside: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        href = given.get("href") or ""
        if tag == "a" and href:
            self.links.append(href)
            if "data-counts" in given:
                self.counts.append((int(given["data-counts"] or 0), href))
            if given.get("rel") == "next" and any(kept.get("class") == "pages" for _, kept in self.open):
                self.following = href
        in_list = any("data-list" in kept for _, kept in self.open)
        self.rows += "data-row" in given or (tag == "tr" and in_list)
        if tag not in VOID:
            self.open.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self.open]
        if "body" not in tags or {"script", "template", "option"} & set(tags):
            return
        counted = any("data-counts" in given for _, given in self.open)
        self.outside += "\N{LOWER SEVEN EIGHTHS BLOCK}" if counted else data


def rows_behind(client: FlaskClient, address: str) -> int:
    """All rows of the list at this address, over all its pages."""
    found, path = 0, urldefrag(address).url
    for _ in range(MOST_PAGES):
        answer = client.get(path)
        assert answer.status_code == 200, path
        page = Page(answer.text)
        found += page.rows
        if not page.following:
            return found
        path = urldefrag(page.following).url
    raise AssertionError(f"{address} has more than {MOST_PAGES} pages")


def every_page(client: FlaskClient, start: str) -> Iterator[tuple[str, Page]]:
    """Every kind of page that can be reached by links below `start`; those that differ in numbers only are one kind."""
    waiting, seen = [start], set[str]()
    while waiting:
        path = urldefrag(waiting.pop(0)).url
        kind = re.sub(r"\d+|(?<==)[^&]*", "#", path)
        if kind in seen or not path.startswith(start) or DOWNLOAD.search(path.partition("?")[0]):
            continue
        seen.add(kind)
        answer = client.get(path)
        assert answer.status_code == 200, path
        page = Page(answer.text)
        yield path, page
        waiting += page.links
