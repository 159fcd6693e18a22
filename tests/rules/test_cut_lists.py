"""No list on a page ends before its end without saying so: it pages, or `ui.cut` tells how many there are."""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import db
from portal.models import Tenant
from portal.queries import cut, paging
from tests import crowd
from tests.pages import every_page

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("queries", "views") for path in (ROOT / "portal" / folder).glob("*.py"))
# Where rows are left out by other means, and how the reader is told.
MAY_LIMIT = {"cut.py": "counts", "paging.py": "pages", "api.py": "pages, and the answer names the next one",
             "api_events.py": "the same", "notices.py": "the bell counts, and leads to all of them"}  # fmt: skip
MAY_SLICE = {
    ("cut.py", "found[:most]"): "counts",
    ("paging.py", "found[:size]"): "pages",
    ("api.py", "rows[:limit]"): "pages",
    ("api_events.py", "rows[:limit]"): "pages",
    ("health.py", "LOOKS[self.result.finding.state][:2]"): "a word and its tone, no rows",
    ("arrivals.py", "self.parts[:NAMED]"): "and 3 more",
    ("arrivals.py", "self._counting[:TOLD]"): "and 3 more",
    ("event_details.py", "found[:MOST_LINES]"): "and 3 more",
    ("event_words.py", "ids[:MOST_NAMED]"): "and 3 more",
    ("event_records.py", "(details.get('ids') or [])[:MOST_NAMED]"): "what event_words names",
    ("event_records.py", "(event.details.get('ids') or [])[:MOST_NAMED]"): "what event_words names",
}
MAY_SLICE_TEMPLATES = {
    ("_switcher.html", "my_partners[:12]"): "All 13 partners",
    ("_figures.html", "figures[:1]"): "the others follow",
    ("_detail.html", "sums[:1]"): "the others follow",
}
# No lists: which invoices get an amount when a form is sent, and which items a button is pressed for. What is looked for
# in such a form is seen cut in tests/views/test_many_open_invoices.py.
NO_LISTS = {"next_ones", "open_ones", "found"}
# On a person's own page, which belongs to no partner: seen cut in tests/access/test_your_login.py.
OF_A_PERSON = {"events", "open_logins"}
OF_TEXT = re.compile(r"text|words|value|str\(|error|hexdigest|path|reason|\.join|\.strip")


@pytest.fixture
def owner(app: Flask, log_in: Callable[..., FlaskClient], visit: Callable[..., FlaskClient]) -> FlaskClient:
    ids = crowd.crowded_books(app, visit)
    with app.app_context():
        return log_in(db.session.get_one(Tenant, ids["partner"]), "owner")


class Lists:
    """All that queries read for one page with room for one row in every list."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cut: list[cut.Some] = []
        self.pages: list[paging.Page] = []
        self.cut_somewhere: set[str] = set()
        first, fetch = cut.first, paging.fetch

        def one(statement: Any, most: int) -> cut.Some:
            found = first(statement, 1)
            if found.is_cut:
                self.cut.append(found)
                self.cut_somewhere.add(_caller())
            return found

        def page_of_one(statement: Any, keys: Any, args: Any, **how: Any) -> paging.Page:
            found = fetch(statement, keys, args, **how | {"size": 1})
            self.pages += [found] if found.older else []
            return found

        monkeypatch.setattr(cut, "first", one)
        monkeypatch.setattr(paging, "fetch", page_of_one)

    def wanting(self, html: str) -> str:
        """What the page keeps to itself; then all is forgotten for the next page."""
        told, following = html.count(" data-cut>"), html.count('rel="next"')
        lacking = []
        if told < len(self.cut):
            lacking.append(f"{len(self.cut)} lists are cut, {told} say so")
        if following < len(self.pages):
            lacking.append(f"{len(self.pages)} lists go on, {following} have a next page")
        self.cut, self.pages = [], []
        return ", ".join(lacking)


def test_every_list_of_every_page_goes_on_or_says_that_it_is_cut(
    owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard over all pages, with room for one row in each list."""
    lists, silent = Lists(monkeypatch), {}
    for start in (crowd.START, *crowd.TYPED):
        for path, page in every_page(owner, start):
            if lacking := lists.wanting(page.html):
                silent[path] = lacking
    assert silent == {}
    assert cutting() - lists.cut_somewhere - NO_LISTS - OF_A_PERSON == set(), (
        "never seen cut: make the crowd larger"
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_is_left_out_of_a_list_by_other_means(path: Path) -> None:
    text = path.read_text()
    limits = [] if path.name in MAY_LIMIT else re.findall(r"\.limit\((?!1\))[^)]*\)|LIMIT (?!1\b)\S+", text)
    slices = [one for one in sliced(text) if (path.name, one) not in MAY_SLICE and not OF_TEXT.search(one)]
    assert limits + slices == []


def test_templates_leave_nothing_out_by_themselves() -> None:
    found = {
        (path.name, one)
        for path in (ROOT / "templates").rglob("*.html")
        for one in re.findall(r"[\w.]+\[:\w+\]", path.read_text())
    }
    assert found - set(MAY_SLICE_TEMPLATES) == set()


def cutting() -> set[str]:
    """The functions that read the beginning of a list."""
    return {name for path in SOURCES for name in _functions(path.read_text())}


def _functions(text: str) -> Iterator[str]:
    for one in ast.walk(ast.parse(text)):
        if isinstance(one, ast.FunctionDef) and "cut.first(" in ast.unparse(one):
            yield one.name


def sliced(text: str) -> list[str]:
    """Every `rows[:most]` of the source."""
    return [
        ast.unparse(one)
        for one in ast.walk(ast.parse(text))
        if isinstance(one, ast.Subscript)
        and isinstance(one.slice, ast.Slice)
        and one.slice.lower is None
        and one.slice.upper is not None
        and one.slice.step is None
    ]


def _caller() -> str:
    return sys._getframe(2).f_code.co_name
