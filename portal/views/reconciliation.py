"""Reconciliation: does the month add up?"""

from typing import Any

from flask import Blueprint, g, request

from portal import clock
from portal.access.permissions import Permission, requires
from portal.formatters import iso
from portal.money import rounded
from portal.queries import currencies, paging, reconciliation
from portal.queries.period import Period, period_from
from portal.queries.reconciliation import State
from portal.queries.text import cleaned
from portal.web import exports, htmx

pages = Blueprint("reconciliation", __name__, url_prefix="/p/<partner_slug>/reconciliation")

COLUMNS = (
    "Day", "Kind", "State", "Customer", "Customer Autotask ID", "Invoice", "Invoice Autotask ID", "Currency",
    "Amount", "Method", "Reference", "Payment ID", "Recorded at", "Confirmed at", "Reversed at",
)  # fmt: skip


@pages.get("")
@requires(Permission.VIEW)
def show() -> Any:
    period = _period()
    state = request.args.get("state", "")
    state_chosen = State(state) if state in set(State) else None
    return htmx.render(
        "reconciliation/show.html",
        "reconciliation/_detail.html",
        period=period,
        sums=currencies.main_first(reconciliation.sums(period), lambda s: sum(s.counts.values())),
        state=state_chosen,
        listed=reconciliation.page(period, state_chosen, cleaned(request.args.get("currency")), request.args),
        kept=paging.kept(request.args, "month", "as_of", "state", "currency"),
        states=State,
        recorded=reconciliation.RECORDED,
        beside=reconciliation.BESIDE,
        today=clock.today(g.partner.time_zone),
    )


@pages.get("/export.csv")
@requires(Permission.EXPORT)
def export() -> Any:
    period = _period()
    as_of = f"-as-of-{period.as_of}" if period.as_of else ""
    name = f"reconciliation-{period.first:%Y-%m}{as_of}.csv"
    return exports.send(exports.Table(name, COLUMNS, reconciliation.every(period), _cells))


def _period() -> Period:
    zone = g.partner.time_zone
    return period_from(request.args, clock.today(zone), zone)


def _cells(row: Any) -> tuple[object, ...]:
    return (
        row.on_day, row.kind, row.state, row.customer, row.customer_autotask_id, row.invoice,
        row.invoice_autotask_id, row.currency, rounded(row.amount, row.currency), row.method, row.reference,
        row.payment_id, iso(row.recorded_at), iso(row.confirmed_at), iso(row.reversed_at),
    )  # fmt: skip
