"""A customer's statement: what is open, or a period, as a page and as a PDF."""

from datetime import date
from typing import Any

from flask import Blueprint, flash, g, request, url_for

from portal import clock
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.models import Customer
from portal.paper import making
from portal.queries import currencies, statement_period
from portal.queries.statement import Statement
from portal.queries.statement_period import Asked
from portal.web import downloads, htmx

pages = Blueprint("statements", __name__, url_prefix="/p/<partner_slug>/customers")


@pages.get("/<int:customer_id>/statement")
@requires(Permission.VIEW)
def show(customer_id: int) -> Any:
    customer, asked, shown = _asked(customer_id)
    return htmx.render(
        "statements/show.html",
        "statements/_detail.html",
        customer=customer,
        asked=asked,
        typed=request.args,
        sums=currencies.main_first(shown.sums(), lambda one: one.entries),
        listed=shown.page(request.args),
        tabs=_tabs(customer_id, asked, shown.today),
        today=shown.today,
    )


@pages.get("/<int:customer_id>/statement.pdf")
@requires(Permission.VIEW)
def pdf(customer_id: int) -> Any:
    """The PDF, in the browser; back to the page where there is none, with why."""
    customer, asked, shown = _asked(customer_id)
    try:
        if asked.fault:
            raise making.CannotMake(asked.fault)
        data = making.statement_pdf(g.partner, customer, shown)
    except making.CannotMake as refusal:
        flash(str(refusal), "warning")
        return htmx.redirect(_address(customer_id, asked))
    return downloads.pdf(making.file_name(customer, shown), data)


def _asked(customer_id: int) -> tuple[Customer, Asked, Statement]:
    customer = find_or_404(Customer, customer_id)
    today = clock.today(g.partner.time_zone)
    asked = statement_period.asked(request.args, today)
    return customer, asked, Statement(customer_id, asked.span, today, g.partner.time_zone)


def _tabs(customer_id: int, asked: Asked, today: date) -> list[dict[str, object]]:
    """Ways to what is open and to usual periods."""
    spans = [("What is open", None), *statement_period.presets(today)]
    return [
        {
            "label": label,
            "url": _address(customer_id, Asked(span)),
            "current": asked.span == span,
        }
        for label, span in spans
    ]


def _address(customer_id: int, asked: Asked) -> str:
    days: dict[str, Any] = asked.args
    return url_for("statements.show", customer_id=customer_id, **days)
