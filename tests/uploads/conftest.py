"""A partner whose clerk uploads files."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import db
from portal.models import Customer, ImportFile, ImportKind, Invoice, Tenant
from tests import factories, uploaded
from tests.reading import words_of

URL = "/p/northwind/imports/files"


def _partner() -> Tenant:
    return db.session.query(Tenant).filter_by(slug="northwind").one()


class Desk:
    """A clerk at the pages of uploads."""

    def __init__(self, app: Flask, browser: FlaskClient) -> None:
        self.app, self.browser = app, browser

    def inside(self, work: Callable[[], Any]) -> Any:
        with self.app.app_context(), factories.inside(_partner()):
            return work()

    def choose(self, words: str | bytes, kind: str = "invoices", name: str = "file.csv") -> Any:
        data = words.encode() if isinstance(words, str) else words
        return self.browser.post(f"{URL}/new", data={"kind": kind, "file": (io.BytesIO(data), name)})

    def columns(self, file_id: int, /, **more: str) -> Any:
        """Sends the form of the columns as it stands, but for what is said otherwise."""
        page = self.browser.get(f"{URL}/{file_id}/columns").text
        fields = dict(_chosen(page))
        return self.browser.post(f"{URL}/{file_id}/columns", data={**fields, **more})

    def look(self, words: str | bytes, kind: str = "invoices", *, by_pages: bool = False, **more: str) -> int:
        """Uploads a file and has it looked at, its columns as they are suggested or as they are chosen; its number."""
        if not by_pages and not more and isinstance(words, str):
            return int(self.inside(lambda: uploaded.checked(words, ImportKind(kind)).id))
        answer = self.choose(words, kind)
        assert answer.status_code == 303, words_of(answer.text)[-900:]
        number = int(re.search(r"/files/(\d+)/", answer.location)[1])  # type: ignore[index]
        read = self.columns(number, **more)
        assert read.status_code == 303, words_of(read.text)[-1500:]
        return number

    def page(self, number: int, query: str = "") -> str:
        return words_of(self.browser.get(f"{URL}/{number}{query}").text)

    def take(self, number: int) -> Any:
        return self.browser.post(f"{URL}/{number}/take")

    def undo(self, number: int) -> Any:
        return self.browser.post(f"{URL}/{number}/undo")

    def into(self, words: str | bytes, kind: str = "invoices", **more: str) -> int:
        number = self.look(words, kind, **more)
        assert self.take(number).status_code == 303
        return number

    def results(self, number: int) -> dict[str, int]:
        from portal.queries import uploads

        def count() -> dict[str, int]:
            file = db.session.query(ImportFile).filter_by(id=number).one()
            return {tally.result: tally.count for tally in uploads.shown(file).tallies if tally.count}

        return dict(self.inside(count))

    def rows(self, model: Any, *names: str) -> list[tuple[Any, ...]]:
        found = self.inside(
            lambda: [tuple(getattr(row, name) for name in names) for row in db.session.query(model)]
        )
        return sorted(found, key=str)

    def invoices(self) -> list[tuple[Any, ...]]:
        return [(n, str(a), v) for n, a, v in self.rows(Invoice, "number", "amount_due", "is_voided")]

    def customers(self) -> list[tuple[Any, ...]]:
        return self.rows(Customer, "name", "external_id")


def _chosen(page: str) -> list[tuple[str, str]]:
    found = []
    for name, inside in re.findall(r'<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option selected value="([^"]*)"', inside)
        found.append((name, chosen[1] if chosen else ""))
    return found


@pytest.fixture
def desk(app: Flask, log_in: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("portal.queue.bell", lambda *_: True)
    with app.app_context():
        partner = factories.tenant("northwind", time_zone="America/Chicago")
        with factories.inside(partner):
            factories.customer(name="Fabrikam", external_id="Fabrikam")
        browser = log_in(_partner(), "clerk")
    return Desk(app, browser)
