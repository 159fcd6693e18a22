"""What a change of Autotask's role does is shown before, and the numbers shown are what then happens (rule 6)."""

import random
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient

from portal import clock
from portal.extensions import db
from portal.imports import invoices as imports
from portal.imports.given import GivenInvoice
from portal.models import AuditEvent, Customer, Delivery, ExceptionItem, Integration, Invoice, Payment
from portal.queries import matching
from portal.sync import role_change, role_preview
from portal.sync.role_preview import Preview
from sandbox import Sandbox
from tests import factories
from tests.reading import words_of
from tests.sync.conftest import ACTOR, one, rows, sync
from tests.sync.test_matching import company, secondary

__all__ = ["company", "secondary"]
TODAY = date(2026, 11, 19)


def books(empty: Sandbox, integration: Integration, seed: int) -> None:
    """A few invoices of each kind, in two currencies: of the own system or made by hand, matched, paid, put away."""
    chance = random.Random(seed)
    companies = {"USD": empty.add_company(companyName="Contoso")}
    people = {
        code: factories.customer(currency=code, external_id=f"C-{code}", name=f"Customer {code}")
        for code in ("USD", "EUR")
    }
    for number in range(chance.randint(8, 14)):
        code, amount = (
            chance.choice(["USD", "USD", "EUR"]),
            f"{chance.randint(1, 900)}.{chance.randint(10, 99)}",
        )
        known = {"external_id": f"X-{number}"} if chance.random() < 0.7 else {}
        put_away: dict[str, Any] = chance.choice(
            [{}, {}, {}, {}, {"is_voided": True, "voided_on": TODAY}, {"archived_at": clock.now()}]
        )
        if chance.random() < 0.15:
            amount = f"-{amount}"
        factories.invoice(people[code], amount, number=f"N-{number}", **known, **put_away)
        for _ in range(chance.choice([0, 1, 1, 1, 2]) if code == "USD" and amount[0] != "-" else 0):
            empty.add_invoice(companyID=companies["USD"], invoiceNumber=f"N-{number}", invoiceTotal=amount)
    db.session.commit()
    sync(integration, "new", "schedule")
    for row in rows(Invoice):
        if row.is_payable and chance.random() < 0.4:
            factories.payment((row, str(row.amount_due)))
    db.session.commit()


def stands() -> dict[str, tuple[int, dict[str, Decimal]]]:
    """What the page of matching says."""
    return {one.standing: (one.count, dict(one.sums)) for one in matching.tallies()}


def of(told: Preview, key: str) -> tuple[int, dict[str, Decimal]]:
    return told.of(key).number, dict(told.of(key).sums)


def summed(*parts: tuple[int, dict[str, Decimal]]) -> tuple[int, dict[str, Decimal]]:
    sums: dict[str, Decimal] = {}
    for _, amounts in parts:
        for code, amount in amounts.items():
            sums[code] = sums.get(code, Decimal(0)) + amount
    return sum(number for number, _ in parts), sums


def unconfirmed() -> tuple[int, dict[str, Decimal]]:
    found = [row for row in rows(Delivery) if row.state in ("waiting", "sending", "parked")]
    return summed(*((1, {row.invoice.currency: row.invoice.amount_due}) for row in found))


def refused_as_autotasks() -> int:
    """Of how many the own system is told that Autotask owns them."""
    given = [
        GivenInvoice(
            external_id=str(row.external_id), customer=f"C-{row.currency}", number=row.number, currency=row.currency,
            issued_on=row.issued_on, net=row.amount_due, due_on=row.due_on,
        )
        for row in rows(Invoice)
        if row.external_id and not row.is_voided and not row.archived_at and row.amount_due > 0
    ]  # fmt: skip
    found = imports.look(given)
    db.session.rollback()
    return sum("owned" in repr(one) or "Autotask" in repr(one) for one in found)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_numbers_shown_are_what_then_happens_there_and_back(
    secondary: Integration, empty: Sandbox, seed: int
) -> None:
    books(empty, secondary, seed)
    invoices, payments = len(rows(Invoice)), len(rows(Payment))
    before, matches = stands(), [row.id for row in rows(Invoice) if row.autotask_id]
    open_before = {row.id: row.cause for row in rows(ExceptionItem, state="open")}

    told = role_preview.preview(secondary, "primary")
    assert of(told, "there") == before["matched"]
    assert of(told, "own") == summed(*(before[name] for name in ("several", "mismatched", "none", "waiting")))
    assert of(told, "deliveries") == unconfirmed()
    db.session.commit()
    run = role_change.change(ACTOR, secondary, "primary", told.seen)
    db.session.commit()
    closed = {
        cause for row_id, cause in open_before.items() if one(ExceptionItem, id=row_id).state == "resolved"
    }
    assert closed <= {"match_none", "match_several"}
    assert told.numbers["matching"] == len(open_before) - len(rows(ExceptionItem, state="open"))
    assert told.numbers["exceptions"] == len(rows(ExceptionItem, state="open"))
    assert of(told, "deliveries") == unconfirmed()
    assert told.numbers["owned"] == refused_as_autotasks()
    assert run is None, "nothing was ever read as a whole"
    sync(secondary, "all", "connect")
    theirs = {row.id for row in rows(Invoice) if row.autotask_id}
    assert set(matches) <= theirs, "matched ones are Autotask's, the same rows"
    assert len(rows(Invoice)) == invoices + len(theirs) - len(matches)
    assert len(rows(Invoice, autotask_id=None, is_voided=False)) == invoices - len(matches) - len(
        [row for row in rows(Invoice, autotask_id=None) if row.is_voided]
    )

    told = role_preview.preview(secondary, "secondary")
    run = role_change.change(ACTOR, secondary, "secondary", told.seen)
    db.session.commit()
    assert run is not None
    assert told.numbers["customers"] == len([row for row in rows(Customer) if row.autotask_id])
    after = stands()
    assert of(told, "there") == after["matched"]
    assert of(told, "own") == after["waiting"]
    assert of(told, "deliveries") == unconfirmed()
    assert told.numbers["exceptions"] == len(rows(ExceptionItem, state="open"))
    assert len(rows(Payment)) == payments
    said = [
        (row.details["before"], row.details["after"])
        for row in rows(AuditEvent, event="integration.role_changed")
    ]
    assert said == [("secondary", "primary"), ("primary", "secondary")]


def test_an_owner_sees_the_numbers_and_they_hold_when_the_button_is_pressed(
    secondary: Integration, empty: Sandbox, browse: Callable[..., FlaskClient], at: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("portal.queue.bell", lambda *_: True)
    books(empty, secondary, 1)
    owner, path = browse("owner"), at("/integrations/autotask/role")
    told = role_preview.preview(secondary, "primary")
    page = words_of(owner.get(path).text)
    assert f"Matched invoices {told.of('there').number}" in page
    assert f"Exceptions of matching {told.of('matching').number}" in page
    factories.invoice(one(Customer, currency="USD"), "5.00", number="LATER")
    db.session.commit()
    again = owner.post(path, data={"role": "primary", "seen": told.seen})
    assert again.status_code == 422
    assert "Something changed while you looked" in words_of(again.text)
    assert one(Integration).role == "secondary"
    seen = role_preview.preview(secondary, "primary").seen
    db.session.commit()
    done = owner.post(path, data={"role": "primary", "seen": seen}, follow_redirects=True)
    assert "Autotask is primary now." in words_of(done.text)
    assert one(Integration).role == "primary"
    assert browse("manager").get(path).status_code == 403


def test_while_a_sync_is_under_way_the_role_stays(secondary: Integration, empty: Sandbox) -> None:
    from portal.sync import runs

    runs.start(secondary, "new", "schedule", ACTOR)
    db.session.commit()
    with pytest.raises(role_change.CannotChange, match="A sync is under way"):
        role_change.change(ACTOR, secondary, "primary")
    db.session.rollback()
    assert one(Integration).role == "secondary"
