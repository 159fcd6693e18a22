"""What happens becomes events, in the transaction of the change, for those who listen."""

import threading
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text, update

from portal import attention, clock, ledger
from portal.access import api_keys
from portal.access.tenancy import scoped
from portal.attention import decisions
from portal.extensions import db
from portal.ledger import closing
from portal.models import (
    Cause,
    Delivery,
    Event,
    EventKind,
    ExceptionItem,
    Happened,
    Integration,
    Invoice,
    Tenant,
)
from portal.payments import life, recording
from portal.webhooks import events, kinds
from tests import factories


@pytest.fixture
def partner(app: Flask) -> Any:
    """A partner with Autotask; nobody listens yet."""
    with app.app_context():
        row = factories.tenant("northwind")
        with factories.inside(row):
            factories.integration(app)
            yield row


def listen() -> None:
    api_keys.create(factories.ACTOR, "Poller", ["events.read"])
    db.session.commit()


def told() -> list[tuple[str, int]]:
    return [(row.kind, row.subject_id) for row in db.session.scalars(scoped(Event).order_by(Event.id))]


def source() -> Integration:
    return db.session.query(Integration).one()


def invoice(**values: Any) -> Invoice:
    return factories.invoice(factories.customer(source()), "100.00", **values)


def restate(row: Invoice, **values: Any) -> None:
    """As a sync or a person changes an invoice."""
    for name, value in values.items():
        setattr(row, name, value)
    db.session.flush()
    ledger.restate([row.id])
    db.session.commit()


def test_an_invoices_whole_life_is_told_in_its_order(partner: Tenant) -> None:
    listen()
    row = invoice(number="N-1", due_on=None)
    restate(row, due_on=date(2026, 12, 24), amount_due=Decimal(120))
    payment = factories.payment((row, "120.00"), reference="ch_1")
    recording.delete(factories.ACTOR, payment.id, "Recorded twice")
    restate(row, is_voided=True, voided_on=date(2026, 11, 20))
    names = [
        ("invoice.created", row.id), ("invoice.changed", row.id), ("payment.recorded", payment.id),
        ("invoice.paid", row.id), ("payment.deleted", payment.id), ("invoice.reopened", row.id),
        ("invoice.voided", row.id),
    ]  # fmt: skip
    assert sorted(told()) == sorted(names)
    rows = {one.kind: events.told(one) for one in db.session.scalars(scoped(Event))}
    assert rows["invoice.changed"]["data"]["before"] == {"due_on": None, "amount_due": "100.00"}
    assert rows["invoice.changed"]["data"]["invoice"]["amount_due"] == "120.00"
    paid = rows["payment.recorded"]["data"]["payment"]
    assert (paid["amount"], paid["reference"], paid["allocations"][0]["number"]) == ("120.00", "ch_1", "N-1")
    assert rows["invoice.voided"]["data"]["invoice"]["outstanding"] == "0.00"
    assert "note" not in paid


def test_a_payment_is_confirmed_once_all_of_its_invoices_are(partner: Tenant) -> None:
    listen()
    one = invoice()
    other = factories.invoice(one.customer, "50.00")
    payment = factories.payment((one, "100.00"), (other, "50.00"))
    [event] = db.session.scalars(scoped(Event).where(Event.kind == "payment.recorded"))
    assert sorted(event.invoice_ids) == sorted([one.id, other.id])
    for row in (one, other):
        assert not [kind for kind, _ in told() if kind == "payment.confirmed"]
        confirm(row)
    assert told()[-1] == ("payment.confirmed", payment.id)
    confirm(one, "waiting")
    confirm(one)
    assert [kind for kind, _ in told()].count("payment.confirmed") == 1


def confirm(row: Invoice, state: str = "confirmed") -> None:
    mine = Delivery.invoice_id == row.id
    db.session.execute(update(Delivery).where(mine).values(stored_state=state, confirmed_at=clock.now()))
    db.session.commit()


CONFIRM = "UPDATE delivery SET state = 'confirmed', confirmed_at = now() WHERE invoice_id = %s"


def test_a_payment_is_confirmed_when_the_last_of_its_invoices_is_closed(partner: Tenant) -> None:
    """One is gone from Autotask and was archived here; a payment of which nothing was read back is never confirmed."""
    listen()
    one = invoice()
    other = factories.invoice(one.customer, "50.00")
    payment = factories.payment((one, "100.00"), (other, "50.00"))
    lost = invoice()
    factories.payment((lost, "100.00"))
    confirm(one)
    assert "payment.confirmed" not in dict(told())
    closing.close([lost.id])
    closing.close([other.id])
    db.session.commit()
    closing.close([other.id])
    assert [one for one in told() if one[0] == "payment.confirmed"] == [("payment.confirmed", payment.id)]


def test_a_payment_whose_invoices_are_confirmed_side_by_side_is_confirmed_once(
    partner: Tenant, database_url: str
) -> None:
    listen()
    one = invoice()
    other = factories.invoice(one.customer, "50.00")
    payment = factories.payment((one, "100.00"), (other, "50.00"))
    told()
    db.session.commit()
    with psycopg.connect(database_url) as first, psycopg.connect(database_url) as second:
        for connection in (first, second):
            connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(partner.id)])
        first.execute(CONFIRM, [one.id])
        later = threading.Thread(target=second.execute, args=(CONFIRM, [other.id]))
        later.start()
        later.join(0.5)
        first.commit()
        later.join(30)
        second.commit()
    assert [one for one in told() if one[0] == "payment.confirmed"] == [("payment.confirmed", payment.id)]


def test_what_one_transaction_does_and_undoes_is_no_event(partner: Tenant) -> None:
    """A total that is raised is owed for a moment, until Autotask's paid date settles it again."""
    row = invoice(autotask_paid_on=date(2026, 11, 3))
    listen()
    restate(row, amount_due=Decimal(150))
    assert row.status == "paid"
    assert told() == [("invoice.changed", row.id)]


def test_exceptions_and_a_refused_login_are_told(partner: Tenant) -> None:
    listen()
    for _ in range(2):
        attention.open_item(
            Cause.BAD_RECORD, "invoice", "9", label="Invoice 9", detail="Its company is no number."
        )
    item = db.session.query(ExceptionItem).one()
    decisions.resolve(factories.ACTOR, [item], "Mended there")
    login = {"state": "needs_reconnecting", "reconnect_since": clock.now(), "reconnect_reason": "Refused."}
    db.session.execute(update(Integration).values(**login, probe_at=clock.now()))
    assert told() == [("exception.opened", item.id), ("exception.closed", item.id)]
    db.session.execute(update(Integration).values(probe_at=None))
    db.session.commit()
    assert told()[-1] == ("integration.needs_reconnecting", source().id)


def test_an_invoice_that_is_taken_away_again_is_void_for_those_who_heard_of_it(partner: Tenant) -> None:
    """As undoing a file does it."""
    listen()
    row = factories.invoice(factories.customer(), "100.00")
    number = row.id
    db.session.execute(text("DELETE FROM invoice WHERE id = :id"), {"id": number})
    db.session.commit()
    assert told() == [("invoice.created", number), ("invoice.voided", number)]
    last = db.session.scalars(scoped(Event).order_by(Event.id.desc())).first()
    assert last is not None
    data = events.told(last)["data"]["invoice"]
    assert (data["status"], data["outstanding"], data["amount_due"]) == ("voided", "0.00", "100.00")


def test_what_is_rolled_back_did_not_happen(partner: Tenant) -> None:
    listen()
    row = invoice()
    new = recording.NewPayment([(row.id, Decimal(100))], "check", date(2026, 11, 19), old_day_confirmed=True)
    recording.record(factories.ACTOR, new)
    db.session.rollback()
    assert told() == [("invoice.created", row.id)]


def test_where_nobody_listens_nothing_is_written_and_nothing_more_is_asked(
    partner: Tenant, count_queries: Any
) -> None:
    """A first read of thousands is one statement a page for the events, within the database, and none without them."""
    customer = factories.customer(source())
    many = text("""INSERT INTO invoice (tenant_id, integration_id, autotask_id, customer_id, number, issued_on, currency,
            total_raw, amount_due)
        SELECT :tenant_id, :source, :first + n, :customer, 'N-' || n, '2026-11-01', 'USD', 1, 1
        FROM generate_series(1, 2000) n""")
    values = {"tenant_id": partner.id, "source": source().id, "customer": customer.id}
    told()
    quiet = count_queries(lambda: db.session.execute(many, {**values, "first": 100_000}))
    assert told() == []
    listen()
    told()
    assert count_queries(lambda: db.session.execute(many, {**values, "first": 200_000})) == quiet
    assert len(told()) == 2000


def test_a_place_is_given_after_the_commit_so_that_no_reader_misses_a_slower_writer(
    partner: Tenant, superuser: Any, database_url: str
) -> None:
    listen()
    row = invoice()
    events.number_new()
    seen = events.last_place()
    with psycopg.connect(database_url) as slower:
        slower.execute("SELECT set_config('app.tenant_id', %s, false)", [str(partner.id)])
        slower.execute(
            "UPDATE invoice SET order_number = 'A' WHERE id = %s", [row.id]
        )  # its event has a lower id
        other = invoice()
        events.number_new()
        assert [(one.kind, one.subject_id) for one in after(seen)] == [("invoice.created", other.id)]
        seen = events.last_place()
        slower.commit()
    events.number_new()
    assert [(one.kind, one.subject_id) for one in after(seen)] == [("invoice.changed", row.id)]


def after(place: int) -> list[Event]:
    return list(db.session.scalars(scoped(Event).where(Event.place > place).order_by(Event.place)))


def test_other_parts_write_events_of_payments_by_their_reserved_names(partner: Tenant) -> None:
    listen()
    payment = factories.payment((invoice(), "100.00"))
    events.write_of_payments(EventKind.PAYMENT_SETTLED, [payment.id])
    assert told()[-1] == ("payment.settled", payment.id)


def test_what_becomes_of_a_payment_is_told_with_what_it_was(partner: Tenant) -> None:
    listen()
    first, second = (factories.payment((invoice(), "100.00"), pending=True) for _ in range(2))
    told()
    for payment, kind, amount in (
        (first, "settled", None), (first, "refunded", "30"), (first, "charged_back", None), (second, "failed", None),
    ):  # fmt: skip
        new = life.NewEvent(Happened(kind), clock.today("UTC"), Decimal(amount) if amount else None, "R01")
        life.happen(factories.ACTOR, payment.id, new)
        db.session.commit()
    rows = db.session.scalars(scoped(Event).where(Event.kind.like("payment.%")).order_by(Event.id)).all()
    seen = [events.told(row) for row in rows][2:]
    bodies = [(one["type"], one["data"]["payment"]) for one in seen if one["type"] != "payment.confirmed"]
    assert [
        (kind, body["state"], body["amount"], body["event"]["kind"], body["event"]["amount"])
        for kind, body in bodies
    ] == [
        ("payment.settled", "settled", "100.00", "settled", "100.00"),
        ("payment.refunded", "part_refunded", "70.00", "refunded", "30.00"),
        ("payment.refunded", "charged_back", "70.00", "charged_back", "70.00"),
        ("payment.failed", "failed", "100.00", "failed", "100.00"),
    ]
    assert {body["recorded_amount"] for _, body in bodies} == {"100.00"}
    assert [body["allocations"][0]["amount"] for _, body in bodies] == ["100.00", "70.00", "70.00", "100.00"]
    assert "payment.deleted" not in {row.kind for row in rows}


def test_every_kind_has_its_words() -> None:
    assert set(kinds.KINDS) == set(EventKind)
