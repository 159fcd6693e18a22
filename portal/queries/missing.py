"""What was here at the last complete read but no longer in Autotask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import contains_eager, undefer

from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Customer, Delivery, DeliveryState, Invoice, RunState, SyncKind, SyncRun
from portal.queries import paging
from portal.queries.text import numbers
from portal.sync import record_kinds

KINDS = {kind.subject: kind.many for kind in (record_kinds.INVOICE, record_kinds.CUSTOMER)}
INVOICE_KEYS = (paging.Key(Invoice.id),)
CUSTOMER_KEYS = (paging.Key(Customer.id),)
MOST_AT_ONCE = 1000


@dataclass(frozen=True)
class Filter:
    kind: str = "invoice"
    archived: bool = False
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_of_invoices(self) -> bool:
        return self.kind == "invoice"

    @property
    def tab(self) -> str:
        """The list that is open: `archived`, or the kind that waits for a decision."""
        return "archived" if self.archived else self.kind

    @property
    def kept(self) -> dict[str, str]:
        return paging.kept(self.args, "kind", "show")


def filter_from(args: Mapping[str, str]) -> Filter:
    """The filter of an address; unknown words count as not given."""
    kind = args.get("kind", "")
    return Filter(kind if kind in KINDS else "invoice", args.get("show") == "archived", args)


def page(chosen: Filter) -> paging.Page:
    """Missing invoices with their customer, or missing customers, newest first."""
    model = Invoice if chosen.kind == "invoice" else Customer
    away = model.archived_at.is_not(None) if chosen.archived else model.archived_at.is_(None)
    statement = select(model).where(
        model.tenant_id == current_tenant_id(), model.missing_since.is_not(None), away
    )
    if chosen.kind == "customer":
        return paging.fetch(statement, CUSTOMER_KEYS, chosen.args)
    statement = statement.join(Invoice.customer).options(
        contains_eager(Invoice.customer), undefer(Invoice.last_read_at)
    )
    return paging.fetch(statement, INVOICE_KEYS, chosen.args)


def counts() -> dict[str, int]:
    """How many of each kind wait for a decision."""
    found = {}
    for kind, model in (("invoice", Invoice), ("customer", Customer)):
        query = select(func.count()).select_from(model)
        found[kind] = (
            db.session.scalar(
                query.where(
                    model.tenant_id == current_tenant_id(),
                    model.missing_since.is_not(None),
                    model.archived_at.is_(None),
                )
            )
            or 0
        )
    return found


def read_at(kind: str) -> datetime | None:
    """When the last complete read ended that could have seen them."""
    kinds = (SyncKind.ALL, SyncKind.UNPAID) if kind == "invoice" else (SyncKind.ALL, SyncKind.CUSTOMERS)
    return db.session.scalar(
        select(func.max(SyncRun.finished_at)).where(
            SyncRun.tenant_id == current_tenant_id(),
            SyncRun.kind.in_(kinds),
            SyncRun.state == RunState.COMPLETED,
        )
    )


def closed_deliveries(invoice_ids: Sequence[int]) -> int:
    """How many of these invoices' deliveries were closed by archiving them."""
    found = select(func.count()).select_from(Delivery)
    closed = found.where(
        Delivery.tenant_id == current_tenant_id(),
        Delivery.invoice_id.in_(invoice_ids),
        Delivery.state == DeliveryState.CLOSED,
    )
    return db.session.scalar(closed) or 0


def chosen_ids(kind: str, texts: Sequence[str]) -> Sequence[int]:
    """Ids of the partner's missing records among those typed."""
    model = Invoice if kind == "invoice" else Customer
    wanted = numbers(texts, MOST_AT_ONCE)
    return db.session.scalars(
        select(model.id).where(
            model.tenant_id == current_tenant_id(), model.id.in_(wanted), model.missing_since.is_not(None)
        )
    ).all()
