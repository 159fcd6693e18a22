from collections.abc import Iterator, Sequence
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.orm import joinedload, undefer

from portal import serializers
from portal.access.tenancy import scoped, tenant_scope
from portal.cli import lookup
from portal.extensions import db
from portal.models import Delivery, Invoice, InvoiceLine

PAGE = 500

commands = AppGroup("invoices", help="What customers owe.")


@commands.command("list")
@click.argument("slug")
@lookup.json_lines
@click.option("--lines", is_flag=True, help="With the lines of each invoice.")
def list_all(slug: str, lines: bool) -> None:
    """A partner's invoices in the order of their ids, one JSON object a line."""
    with tenant_scope(lookup.partner(slug).id):
        for page in _pages():
            lookup.answer_all(_with_rest(page, lines))


def _pages() -> Iterator[Sequence[Invoice]]:
    after = 0
    while page := db.session.scalars(
        scoped(Invoice)
        .where(Invoice.id > after)
        .options(joinedload(Invoice.customer), undefer(Invoice.last_read_at))
        .order_by(Invoice.id)
        .limit(PAGE)
    ).all():
        yield page
        after = page[-1].id
        db.session.expunge_all()


def _with_rest(page: Sequence[Invoice], lines: bool) -> Iterator[dict[str, Any]]:
    ids = [row.id for row in page]
    deliveries = {
        row.invoice_id: row
        for row in db.session.scalars(scoped(Delivery).where(Delivery.invoice_id.in_(ids)))
    }
    found = _lines(ids) if lines else {}
    for row in page:
        answer = serializers.invoice(row, deliveries.get(row.id))
        if lines:
            answer["lines"] = [serializers.line(line, row.currency) for line in found.get(row.id, [])]
        yield answer


def _lines(invoice_ids: list[int]) -> dict[int, list[InvoiceLine]]:
    grouped: dict[int, list[InvoiceLine]] = {}
    rows = db.session.scalars(
        scoped(InvoiceLine)
        .where(InvoiceLine.invoice_id.in_(invoice_ids))
        .order_by(InvoiceLine.sort_order.asc().nulls_last(), InvoiceLine.autotask_id)
    )
    for row in rows:
        grouped.setdefault(row.invoice_id, []).append(row)
    return grouped
