"""Sentences name amounts and days as pages do: with their thousands apart, as the partner writes them.

`plain` and `as_typed` are for files, programs and the fields of a form.
"""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import db
from portal.models import SyncChange, Tenant
from tests import crowd, factories
from tests.pages import every_page
from tests.reading import words_of

ROOT = Path(__file__).parents[2]
# Answers to programs repeat amounts as programs send them.
TO_PROGRAMS = {"api_records.py"}
SOURCES = sorted(
    path
    for folder in ("portal", "jobs")
    for path in (ROOT / folder).rglob("*.py")
    if path.name not in TO_PROGRAMS
)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
BARE = {"plain", "as_typed"}
RAW = re.compile(r"(?<![\w.,-])(?:\d{4}-\d\d-\d\d(?![\w-])|\d{4,}\.\d\d\d{0,4}(?![\w.]))")
# Pages that tell how days and amounts can be written, and those that show a file or a message, sign by sign.
EXAMPLES = re.compile(
    r"(/api/v1/docs|/payments/(?:happened/)?upload|/settings/partner|/settings/webhook-messages/\d+|/imports/files/\d+/columns)(\?.*)?$"
)


def bare_in_sentences(text: str) -> list[str]:
    """What is put into a text bare, or by a date format of its own."""
    found = []
    for one in ast.walk(ast.parse(text)):
        if isinstance(one, ast.JoinedStr):
            found += [
                ast.unparse(part)
                for part in one.values
                if isinstance(part, ast.FormattedValue) and _bare(part)
            ]
    return found


def _bare(part: ast.FormattedValue) -> bool:
    if part.format_spec is not None and "%b" in ast.unparse(part.format_spec):
        return True
    calls = [one.func for one in ast.walk(part.value) if isinstance(one, ast.Call)]
    return any(
        (one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "")) in BARE for one in calls
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_holds_a_bare_amount_or_a_day_of_its_own_format(path: Path) -> None:
    assert bare_in_sentences(path.read_text()) == []


def test_what_a_form_is_filled_with_is_all_that_is_written_as_typed() -> None:
    used = {path.name for path in SOURCES if re.search(r"formatters\.as_typed\(", path.read_text())}
    assert used == {"open_rows.py", "payment_form.py", "credits.py", "invoice_edits.py"}
    drawn = {
        (path.name, one)
        for path in TEMPLATES
        for one in re.findall(r"\S+\s*\|\s*as_typed\b|strftime\([^)]*%b[^)]*\)", path.read_text())
    }
    assert drawn == {
        ("_allocations.html", "i.outstanding|as_typed"),
        ("_allocations.html", "choice.table.owed_by_others|as_typed"),
    }


def test_a_bare_amount_is_found() -> None:
    assert bare_in_sentences("f'Only {plain(owed, currency)} {currency} is left'") == [
        "{plain(owed, currency)}"
    ]
    assert bare_in_sentences("f'Only {formatters.as_typed(a, b)} is left'") == ["{formatters.as_typed(a, b)}"]
    assert bare_in_sentences("f'On {day:%-d %b %Y}'") == ["{day:%-d %b %Y}"]
    assert bare_in_sentences("f'Only {money(owed, currency)} is left, {text}'") == []


def test_no_page_shows_a_day_or_an_amount_as_it_is_stored(
    app: Flask, log_in: Callable[..., FlaskClient], visit: Callable[..., FlaskClient]
) -> None:
    """The guard over all pages, with days and large amounts in what people and syncs changed."""
    ids = crowd.crowded_books(app, visit)
    with app.app_context():
        partner = db.session.get_one(Tenant, ids["partner"])
        with factories.inside(partner):
            for name, old, new in (
                ("Amount due", "1234.50", "98765.43"),
                ("Due date", "2026-11-02", "2026-11-16"),
            ):
                db.session.add(
                    SyncChange(
                        tenant_id=ids["partner"], run_id=ids["run"], subject_type="invoice", subject_id=ids["paid"],
                        label="One", field=name, old_value=old, new_value=new,
                    )
                )  # fmt: skip
            db.session.commit()
        browser = log_in(partner, "owner")
    shown = {}
    for start in (crowd.START, *crowd.TYPED):
        for path, page in every_page(browser, start):
            if not EXAMPLES.search(path) and (raw := RAW.findall(words_of(page.html))):
                shown[path] = raw[:3]
    assert shown == {}
