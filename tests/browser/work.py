"""Every kind of work that pages show, each with how it ends and the pages it is seen on."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from flask import Flask
from sqlalchemy import update

from portal import clock, ledger
from portal.access import api_keys, consent, support_visits
from portal.access.tenancy import scoped
from portal.attention import decisions
from portal.autotask.filters import SyncFilters
from portal.extensions import db
from portal.imports import runs as imports
from portal.imports.given import GivenCustomer
from portal.models import (
    Contact,
    Delivery,
    ExceptionItem,
    ImportKind,
    Integration,
    IntegrationState,
    Invoice,
    InvoicePdf,
    MailKind,
    NoticeKind,
    RunState,
    SupportVisit,
    SyncRun,
    SyncSchedule,
    Tenant,
    WebhookEndpoint,
    WebhookMessage,
)
from portal.notices import telling
from portal.own_records import archive
from portal.payments import applying_credits, recording, upload
from portal.payments.applying_credits import NewApplication
from portal.payments.written_days import Order
from portal.reconcile import by_hand
from portal.sync import filter_choices
from portal.uploads import work as uploads
from tests import factories, uploaded
from tests.browser import books
from tests.webhooks import hooks

Ids = dict[str, int]


@dataclass(frozen=True)
class Work:
    """How it ends, and the pages that then say something else."""

    end: Callable[[Ids], Any]
    seen_on: tuple[str, ...]


def open_work(app: Flask, visit: Callable[..., Any]) -> Ids:
    """The books with a first read, matching and a PDF under way, an invoice gone from Autotask, and support inside."""
    ids = books.open_books(app)
    with app.app_context():
        visit(db.session.get_one(Tenant, ids["partner"]))
    with app.app_context(), factories.inside(db.session.get_one(Tenant, ids["partner"])):
        source = db.session.query(Integration).one()
        run = SyncRun(
            tenant_id=ids["partner"], integration_id=source.id, kind="all", trigger="connect", state="running",
            started_at=clock.now(), current_item="Invoices", progress_done=120, progress_total=None,
            lease_until=clock.now() + timedelta(minutes=5),
        )  # fmt: skip
        new = SyncRun(
            tenant_id=ids["partner"], integration_id=source.id, kind="new", trigger="button", state="waiting"
        )
        pdf = InvoicePdf(tenant_id=ids["partner"], invoice_id=ids["open"], state="waiting")
        db.session.add_all([run, new, pdf])
        (ids["endpoint"],) = hooks.listening()
        _goes_missing(ids["credit"])
        db.session.flush()
        exception = db.session.query(ExceptionItem).first()
        assert exception is not None
        ids |= {
            "now": run.id,
            "new": new.id,
            "delivery": _delivery(ids["waiting"]).id,
            "delivery_stuck": _delivery(ids["stuck"]).id,
            "exception": exception.id,
            "payer": _invoice(ids, "waiting").customer_id,
            "visit": db.session.query(SupportVisit).one().id,
            "message": _message(),
        }
        db.session.commit()
        ids["file"] = uploaded.waiting("Name,Currency\nUploaded,USD\nRefused,XXX\n").id
    return ids


def end_run(ids: Ids) -> None:
    values = {"invoices": {"found": 9, "created": 2, "changed": 0, "failed": 0}}
    done = {"state": RunState.COMPLETED, "finished_at": clock.now(), "items": values, "current_item": None}
    db.session.execute(update(SyncRun).where(SyncRun.id == ids["now"]).values(**done, api_calls=7))


def end_matching(ids: Ids) -> None:
    failed = {"state": RunState.FAILED, "finished_at": clock.now(), "started_at": clock.now(), "error": "No."}
    db.session.execute(update(SyncRun).where(SyncRun.id == ids["new"]).values(**failed))


def end_delivery(ids: Ids) -> None:
    books._confirm(ids["waiting"])


def try_again(ids: Ids) -> None:
    by_hand.retry(factories.ACTOR, ids["delivery_stuck"])


def read_line(ids: Ids) -> None:
    factories.line(_invoice(ids, "open"), name="Read just now")


def apply_credit(ids: Ids) -> None:
    new = NewApplication(ids["credit"], [(ids["open"], Decimal("1.00"))], clock.today("UTC"))
    applying_credits.apply(factories.ACTOR, new)


def end_pdf(ids: Ids) -> None:
    here = {"state": "here", "name": "INV.pdf", "size": 1000, "storage_key": "x", "fetched_at": clock.now()}
    db.session.execute(update(InvoicePdf).where(InvoicePdf.invoice_id == ids["open"]).values(**here))


def resolve(ids: Ids) -> None:
    item = db.session.get_one(ExceptionItem, (ids["partner"], ids["exception"]))
    decisions.resolve(factories.ACTOR, [item], "The customer called")


def disconnect(ids: Ids) -> None:
    gone = {"state": IntegrationState.DISCONNECTED, "disconnected_at": clock.now()}
    db.session.execute(update(Integration).values(**gone))
    db.session.execute(update(SyncSchedule).values(next_due_at=clock.now() + timedelta(days=1)))


def refuse_login(ids: Ids) -> None:
    refused = {
        "state": IntegrationState.NEEDS_RECONNECTING,
        "reconnect_since": clock.now(),
        "reconnect_reason": "No.",
    }
    db.session.execute(update(Integration).values(**refused))


def delete_payment(ids: Ids) -> None:
    recording.delete(factories.ACTOR, ids["payment_waiting"], "Recorded twice")


def record_file(ids: Ids) -> None:
    unpaid = scoped(Invoice).where(Invoice.customer_id == ids["payer"], Invoice.status == "open")
    rows = [f"{invoice.number},1.25,2026-11-19" for invoice in db.session.scalars(unpaid)]
    file = upload.preview("\n".join(["Invoice,Amount,Paid on", *rows]), Order.MONTH_FIRST)
    assert upload.record(factories.ACTOR, file, key=secrets.token_urlsafe(24)) == len(rows) > 1


def void(ids: Ids) -> None:
    invoice = _invoice(ids, "waiting")
    invoice.is_voided, invoice.voided_on = True, clock.today("UTC")
    db.session.flush()
    ledger.restate([invoice.id])


def lose(ids: Ids) -> None:
    _goes_missing(ids["part"])


def put_away(ids: Ids) -> None:
    archive(factories.ACTOR, "invoice", [ids["credit"]])


def filter_anew(ids: Ids) -> None:
    filter_choices.save(factories.ACTOR, db.session.query(Integration).one(), SyncFilters(active_only=True))


def support_leaves(ids: Ids) -> None:
    support_visits.stop(db.session.get_one(SupportVisit, (ids["partner"], ids["visit"])), None)


def agree(ids: Ids) -> None:
    consent.give(factories.ACTOR, timedelta(hours=1))


def join(ids: Ids) -> None:
    factories.member(db.session.get_one(Tenant, ids["partner"]), "clerk", name="New Colleague")


def put_customer_away(ids: Ids) -> None:
    archive(factories.ACTOR, "customer", [ids["payer"]])


def meet(ids: Ids) -> None:
    db.session.add(
        Contact(tenant_id=ids["partner"], customer_id=ids["customer"], first_name="A", last_name="New One")
    )


def make_key(ids: Ids) -> None:
    api_keys.create(factories.ACTOR, "Checkout", ["read"])


def tell(ids: Ids) -> None:
    words = telling.Words("Told.", "/p/harbour/activity", MailKind.PEOPLE_EVENT, {"what": "x", "at": "y"})
    telling.tell(NoticeKind.SYNC_LATE, "1", words)


def happen(ids: Ids) -> None:
    """Something is told to the endpoint, which fails to take it."""
    void(ids)
    db.session.execute(update(WebhookEndpoint).values(failures=1, failing_since=clock.now()))
    answer = {"at": clock.now().isoformat(), "code": 500, "words": "It answered 500.", "shown": ""}
    db.session.execute(update(WebhookMessage).values(answers=[answer], tries=1))


def _goes_missing(invoice_id: int) -> None:
    db.session.execute(update(Invoice).where(Invoice.id == invoice_id).values(missing_since=clock.now()))
    ledger.restate([invoice_id])


def _message() -> int:
    """One that waits."""
    factories.invoice(factories.customer(), number="TOLD")
    row = db.session.query(WebhookMessage).first()
    assert row is not None
    return row.id


def _delivery(invoice_id: int) -> Delivery:
    return db.session.query(Delivery).filter_by(invoice_id=invoice_id).one()


def bring_in(_: Ids) -> None:
    one = GivenCustomer("C-1", "Brought in", "USD")
    imports.put_batch(factories.ACTOR, ImportKind.CUSTOMERS, [one], [None], None)


def look_at_file(ids: Ids) -> None:
    assert uploads.work(ids["file"])


def _invoice(ids: Ids, name: str) -> Invoice:
    return db.session.get_one(Invoice, (ids["partner"], ids[name]))


OF_A_RUN = ("", "integrations", "integrations/autotask", "sync-runs", "sync-runs/{now}")
OF_A_DELIVERY = ("", "invoices/{waiting}", "payments", "payments/{payment_waiting}", "deliveries",
                 "deliveries/{delivery}")  # fmt: skip
OF_A_STUCK_ONE = ("", "deliveries", "deliveries/{delivery_stuck}", "invoices/{stuck}", "payments/{payment_stuck}",
                  "exceptions")  # fmt: skip
# What ends in one act is shown by the same pages.
ACTS: dict[str, tuple[Work, ...]] = {
    "syncs and the connection": (
        Work(end_run, OF_A_RUN),
        Work(read_line, ("invoices/{open}/lines", "invoices/{open}")),
        Work(end_matching, ("sync-runs", "integrations/autotask/preferences")),
        Work(end_pdf, ("invoices/{open}?getting=pdf", "invoices/{open}")),
        Work(filter_anew, ("activity",)),
        Work(refuse_login, ("", "integrations", "integrations/autotask", "settings")),
        Work(disconnect, ("", "integrations", "payments/{payment_waiting}", "deliveries/{delivery}")),
    ),
    "payments": (
        Work(end_delivery, OF_A_DELIVERY),
        Work(apply_credit, ("invoices/{credit}/credits", "invoices/{open}/credits")),
        Work(try_again, OF_A_STUCK_ONE),
        Work(resolve, ("exceptions/{exception}", "activity")),
        Work(
            delete_payment,
            ("payments/{payment_waiting}", "invoices/{waiting}/history"),
        ),
        Work(
            record_file,
            ("", "payments", "customers/{payer}", "reconciliation", "customers", "invoices?show=all"),
        ),
    ),
    "records": (
        Work(
            void,
            (
                "",
                "invoices/{waiting}",
                "customers/{payer}",
                "customers/{payer}/statement",
                "exceptions",
                "integrations/autotask/matching",
            ),
        ),
        Work(lose, ("missing", "invoices/{part}")),
        Work(put_away, ("missing", "invoices/{credit}", "activity")),
        Work(put_customer_away, ("customers/{payer}", "customers/{payer}/history")),
        Work(meet, ("customers/{customer}", "customers/{customer}/contacts")),
        Work(bring_in, ("imports",)),
        Work(look_at_file, ("imports", "imports/files/{file}")),
    ),
    "people": (
        Work(support_leaves, ("", "activity", "activity/visits", "activity/visits/{visit}")),
        Work(agree, ("settings/support",)),
        Work(join, ("settings/people", "settings")),
        Work(make_key, ("settings",)),
        Work(tell, ("", "notices")),
        Work(
            happen,
            ("settings/webhooks", "settings/webhooks/{endpoint}", "settings/webhook-messages/{message}"),
        ),
    ),
}
