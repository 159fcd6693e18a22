"""The portal against each answer that Autotask may give: connect, read all, pay, confirmed, delete, cleared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal import connect
from portal.access.actor import Actor
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import (
    CallSlot,
    Customer,
    Delivery,
    DeliveryState,
    ExceptionItem,
    Integration,
    Invoice,
    InvoicePdf,
    SyncRun,
)
from portal.payments import recording
from portal.reconcile import deliver, sweep
from portal.sync import perform, runs
from sandbox import Sandbox
from sandbox.switches import Switches, choices
from tests import factories
from tests.both_sides import partner

__all__ = ["partner"]
DAY = date(2026, 11, 19)

# Where a number goes, the positions that are worth a trial.
NUMBERS: dict[str, list[Any]] = {
    "over_limit_status": [429, 403, 500, 503],
    "thread_limit_status": [429, 403, 500, 503],
    "retry_after_seconds": [60, 0],
    "in_limit": [500, 200, 1],
    "page_positions": [0, 1],
    "threads": [3, 0],
    "lock_after": [5, 1, 0],
    "threshold": [10_000, 200],
    "timeframe_minutes": [60, 5],
    "latency": [0.0],
    "pace": [0.0, 0.001],
    "fresh_404": [0, 1],
}


def positions() -> list[tuple[str, Any]]:
    """Every switch in every position."""
    return [(name, value) for name, options in choices().items() for value in NUMBERS.get(name, options)]


def trials() -> list[tuple[str, Any]]:
    """The positions, where all those in which nothing is switched are one trial for each way of trying."""
    usual_ones, found, defaults = set(), [], Switches().as_dict()
    for name, value in positions():
        play = PLAY.get(name, usual)
        if str(value).lower() == str(defaults[name]).lower():
            if play in usual_ones:
                continue
            usual_ones.add(play)
        found.append((name, value))
    return found


@dataclass
class Trial:
    """One partner and one Autotask in one position."""

    app: Flask
    sandbox: Sandbox
    integration: Integration | None = None
    keys: list[int] = field(default_factory=list)

    def connect(self) -> None:
        request = connect.ConnectRequest("dana@example.com", self.sandbox.username, self.sandbox.secret)
        verified = connect.check(request, self.app.config)
        self.integration = connect.save_connection(factories.ACTOR, request, verified)
        db.session.commit()

    def sync(self, kind: str = "all") -> SyncRun:
        assert self.integration is not None
        run = runs.start(factories.refreshed(self.integration), kind, "command", Actor.system())
        db.session.commit()
        for _ in range(3):
            perform.perform(run.id)
            run = runs.get(run.id)
            if run.state != "waiting":
                break
            run.next_try_at = run.created_at
            db.session.commit()
        db.session.commit()
        return run

    def invoice(self, number: int = 0) -> Invoice:
        db.session.expire_all()
        return db.session.scalars(scoped(Invoice).where(Invoice.autotask_id == self.keys[number])).one()

    def deliver(self) -> Delivery:
        """Delivers until it is confirmed or a person is asked, whatever pauses are in between."""
        for _ in range(6):
            for row in db.session.scalars(select(Delivery)):
                if row.next_try_at is not None:
                    row.next_try_at = row.wished_at
            db.session.commit()
            deliver.deliver_due()
            db.session.expire_all()
            row = db.session.scalars(scoped(Delivery)).one()
            if row.state in (DeliveryState.CONFIRMED, DeliveryState.PARKED):
                break
        return row

    def compare(self) -> Delivery:
        """The sweep looks, as it does by itself some minutes later."""
        for row in db.session.scalars(select(Delivery)):
            row.look_at = row.wished_at
        db.session.commit()
        sweep.compare_due()
        return self.deliver()

    def shown(self, number: int = 0) -> str | None:
        row = self.sandbox.invoice(self.keys[number])
        assert row is not None
        return row["paidDate"] and row["paidDate"][:10]

    def exceptions(self) -> dict[str, str]:
        db.session.expire_all()
        rows = db.session.scalars(scoped(ExceptionItem).where(ExceptionItem.state == "open"))
        return {row.cause: row.detail for row in rows}


@pytest.fixture
def trial(app: Flask, partner: Any) -> Iterator[Callable[[str, Any], Trial]]:
    """Makes the trial of a position: six invoices of one customer, two lines each, one line uninvoiced."""
    started: list[Sandbox] = []

    def make(name: str, value: Any) -> Trial:
        sandbox = Sandbox(customers=0, invoices=0, **{"latency": 0, name: value}).start()
        started.append(sandbox)
        app.config["AUTOTASK_DISCOVERY_URL"] = sandbox.discovery_url
        app.config["AUTOTASK_TRUSTED_HOSTS"] = ["127.0.0.1"]
        made = Trial(app, sandbox)
        company = sandbox.add_company(companyName="Acme", currencyID=1)
        sandbox.add_contact(companyID=company, lastName="Payer")
        for number in range(6):
            lines = [{"rate": "10.00", "taxDollars": "2.00"}, {"rate": "5.00", "taxDollars": "1.00"}]
            made.keys.append(
                sandbox.add_invoice(companyID=company, invoiceNumber=f"INV-{number}", lines=lines)
            )
        sandbox.add_line(companyID=company, rate="3.00")
        return made

    yield make
    for sandbox in started:
        sandbox.stop()


# What a position ends with instead of the usual: a clear exception, or words on connecting.
CLEAR = {
    ("in_limit", 1): "asked for a few invoices with their lines",
}


def usual(here: Trial, value: Any, number: int = 0) -> None:
    """Paid, confirmed, deleted, cleared."""
    payment = factories.payment((here.invoice(number), "18.00"), on=DAY)
    told(here, DAY.isoformat(), number)
    recording.delete(factories.ACTOR, payment.id, "bounced")
    db.session.commit()
    told(here, None, number)


def told(here: Trial, expected: str | None, number: int = 0) -> None:
    row = here.deliver()
    if row.state == DeliveryState.PARKED:
        assert row.error
        assert here.exceptions(), "stuck, and nobody is asked"
        row = here.compare()
    assert (row.state, row.error) == (DeliveryState.CONFIRMED, None)
    assert here.shown(number) == expected
    assert here.exceptions() == {}


def keeps_paid(here: Trial, value: Any) -> None:
    """Neither way of clearing works together with this one's partner switch: a person is told what to do."""
    usual(here, value)
    here.sandbox.switches.update({"patch_null": "ignored", "put_omitted": "ignored"})
    payment = factories.payment((here.invoice(), "18.00"), on=DAY)
    told(here, DAY.isoformat())
    recording.delete(factories.ACTOR, payment.id, "bounced")
    db.session.commit()
    assert here.deliver().state == DeliveryState.PARKED
    assert "by hand" in here.exceptions()["not_cleared"]


def refuses_voided(here: Trial, value: Any) -> None:
    """Voided after it was read, before the payment arrives: never written to, and a person is asked."""
    factories.payment((here.invoice(), "18.00"), on=DAY)
    here.sandbox.void_invoice(here.keys[0])
    row = here.deliver()
    assert row.state == DeliveryState.PARKED
    assert any("voided" in detail for detail in here.exceptions().values())


def moved(here: Trial, value: Any) -> None:
    """After a move nothing is taken for gone, and the first run reads all that is new at the new address."""
    company = here.sandbox.rows("Companies")[-1]["id"]
    for kind in ("new", "unpaid", "all"):
        here.keys.append(here.sandbox.add_invoice(companyID=company, lines=[{"rate": "4.00"}]))
        here.sandbox.change_company(company, companyName=f"Renamed before {kind}")
        here.sandbox.move_zone()
        db.session.execute(update(CallSlot).values(held_until=None))  # five minutes later
        db.session.commit()

        assert here.sync(kind).state == "completed"

        assert factories.refreshed(here.integration).zone_url == here.sandbox.api_url
        assert here.exceptions() == {}
        assert db.session.scalars(scoped(Invoice).where(Invoice.missing_since.is_not(None))).all() == []
        assert here.invoice(-1).amount_due == 4
        name = db.session.scalars(scoped(Customer).where(Customer.autotask_id == company)).one().name
        assert (name == f"Renamed before {kind}") == (kind != "unpaid")
    here.sandbox.move_zone()
    usual(here, value)


def inactive(here: Trial, value: Any) -> None:
    """An inactive user is a refused login, whatever status says so: one try, then a person."""
    factories.payment((here.invoice(), "18.00"), on=DAY)
    here.sandbox.deactivate_user()
    here.sandbox.clear_requests()
    here.deliver()
    row = factories.refreshed(here.integration)
    assert row.state == "needs_reconnecting"
    assert len(here.sandbox.calls("Invoices")) == 1
    here.sandbox.activate_user()
    connect.test_connection(factories.ACTOR, row)
    told(here, DAY.isoformat())


def forbidden(here: Trial, value: Any) -> None:
    factories.payment((here.invoice(), "18.00"), on=DAY)
    here.sandbox.forbid("Invoices")
    assert here.deliver().state == DeliveryState.PARKED
    assert "Give the API user the right" in here.exceptions()["delivery_refused"]


def refused_code(here: Trial, value: Any) -> None:
    here.sandbox.user.integration_code = "ANOTHER"
    factories.payment((here.invoice(), "18.00"), on=DAY)
    here.deliver()
    assert factories.refreshed(here.integration).state == "needs_reconnecting"
    assert here.shown() is None


def over_limit(here: Trial, value: Any) -> None:
    """What is over the limit waits, and counts no try."""
    factories.payment((here.invoice(), "18.00"), on=DAY)
    here.sandbox.add_other_usage(20_000)
    row = here.deliver()
    assert (row.state, row.attempts, row.error_kind) == (DeliveryState.WAITING, 0, "throttled")
    here.sandbox.clear_usage()
    told(here, DAY.isoformat())


def too_many_threads(here: Trial, value: Any) -> None:
    factories.payment((here.invoice(), "18.00"), on=DAY)
    here.sandbox.faults.add("thread_limit", "Invoices", "get", times=1, status=int(value))
    told(here, DAY.isoformat())


def missing_record(here: Trial, value: Any) -> None:
    """An invoice that is gone when its payment arrives."""
    factories.payment((here.invoice(), "18.00"), on=DAY)
    here.sandbox.remove_invoice(here.keys[0])
    assert here.deliver().state == DeliveryState.PARKED
    assert "no such invoice" in here.exceptions()["delivery_refused"]
    assert here.sync("unpaid").state == "completed"
    assert here.invoice().missing_since is not None


def voided(here: Trial, value: Any) -> None:
    here.sandbox.void_invoice(here.keys[0])
    assert here.sync("unpaid").state == "completed"
    row = here.invoice()
    assert row.is_voided
    assert row.number == ("INV-0" if here.sandbox.switches.void_number == "keep" else str(here.keys[0]))
    usual(here, value, number=3)


def pdfs(here: Trial, value: Any) -> None:
    """Read as they come; one of an invoice that is gone meanwhile is told."""
    here.sandbox.remove_invoice(here.keys[5])
    run = here.sync("pdfs")
    assert run.state == "completed"
    assert (run.items["pdfs"]["created"], run.items["pdfs"]["failed"]) == (5, 1)
    left = db.session.scalars(scoped(InvoicePdf).where(InvoicePdf.state != "here")).one()
    assert left.reason


def tracked(here: Trial, value: Any) -> None:
    """A change that moves no stamp comes in with the weekly read of all customers."""
    company = here.sandbox.rows("Companies")[-1]["id"]
    long_ago = {"lastTrackedModifiedDateTime": "2026-01-01T00:00:00"}
    here.sandbox.change_company(company, **long_ago)
    here.sandbox.change_company(company, city="Springfield")
    hourly = here.sync("new")
    weekly = here.sync("customers")
    assert hourly.items["customers"]["changed"] + weekly.items["customers"]["changed"] == 1
    assert hourly.items["customers"]["changed"] == (1 if value == "all" else 0)
    usual(here, value)


def paged(here: Trial, value: Any) -> None:
    """More than a page, read through small ones."""
    for number in range(7):
        company = here.sandbox.add_company(companyName=f"Page {number}")
        here.sandbox.add_contact(companyID=company, lastName=f"Page {number}")
    ids = connect.calling(
        here.integration.id,
        lambda client: [row["id"] for page in client.pages("Companies", [], page_size=2) for row in page],
    )
    assert ids == [row["id"] for row in here.sandbox.rows("Companies")]
    usual(here, value)


def locks(here: Trial, value: Any) -> None:
    """A changed secret is sent once, so that it locks no user that allows more than one mistake."""
    factories.payment((here.invoice(), "18.00"), on=DAY)
    here.sandbox.change_secret("another")
    here.deliver()
    assert here.sandbox.user.refusals == 1
    assert here.sandbox.user.locked == (value == 1)
    assert factories.refreshed(here.integration).state == "needs_reconnecting"


def next_by_get(here: Trial, value: Any) -> None:
    """The portal never follows a page by GET."""
    paged(here, value)
    assert {one.method for one in here.sandbox.requests if one.verb == "next"} == {"POST"}


PLAY: dict[str, Callable[[Trial, Any], None]] = {
    "put_omitted": keeps_paid,
    "voided_write": refuses_voided,
    "wrong_zone": moved,
    "inactive_user": inactive,
    "forbidden": forbidden,
    "wrong_integration_code": refused_code,
    "over_limit_status": over_limit,
    "retry_after": over_limit,
    "retry_after_seconds": over_limit,
    "thread_limit_status": too_many_threads,
    "missing": missing_record,
    "void_lines": voided,
    "void_total": voided,
    "void_number": voided,
    "pdf_wrapped": pdfs,
    "pdf_data": pdfs,
    "pdf_missing": pdfs,
    "tracked_changes": tracked,
    "page_positions": paged,
    "order": paged,
    "next_by_get": next_by_get,
    "lock_after": locks,
}


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(("name", "value"), trials(), ids=lambda one: str(one))
def test_the_portal_keeps_its_promises_in_every_position(
    trial: Callable[[str, Any], Trial], name: str, value: Any
) -> None:
    here = trial(name, value)
    if (name, value) in CLEAR:
        with pytest.raises(connect.ConnectRefused, match=CLEAR[name, value]):
            here.connect()
        return
    here.connect()
    run = here.sync()
    assert (run.state, run.error) == ("completed", None)
    assert run.items["invoices"]["created"] == len(here.keys)
    assert run.items["line_items"]["created"] == 2 * len(here.keys)
    assert str(here.invoice().amount_due) in ("18.0000", "18.00")
    PLAY.get(name, usual)(here, value)


def test_every_switch_of_the_sandbox_stands_here_with_its_default_and_another_position() -> None:
    tried: dict[str, set[str]] = {}
    for name, value in positions():
        tried.setdefault(name, set()).add(str(value).lower())
    switches = Switches().as_dict()
    assert set(tried) == set(switches)
    assert set(PLAY) <= set(switches)
    one_only = {name for name, values in tried.items() if len(values) == 1}
    assert one_only == {"latency"}, "seconds of waiting, which a test cannot spend"
    for name, options in choices().items():
        if name not in NUMBERS:
            assert tried[name] == {option.lower() for option in options}
