"""Customers: who owes what."""

from typing import Any

from flask import Blueprint, g, request

from portal import clock
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.models import Customer
from portal.queries import currencies, customers, history, invoices, payments
from portal.web import htmx

pages = Blueprint("customers", __name__, url_prefix="/p/<partner_slug>/customers")


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    chosen = customers.filter_from(request.args, clock.today(g.partner.time_zone))
    return htmx.render(
        "customers/index.html",
        "customers/_table.html",
        chosen=chosen,
        listed=customers.page(chosen),
        found=customers.count(chosen),
        totals=currencies.main_first(customers.totals(chosen), lambda total: total.invoices),
    )


@pages.get("/<int:customer_id>")
@requires(Permission.VIEW)
def show(customer_id: int) -> Any:
    customer = find_or_404(Customer, customer_id)
    today = clock.today(g.partner.time_zone)
    return htmx.render(
        "customers/show.html",
        "customers/_detail.html",
        customer=customer,
        balances=currencies.main_first(
            customers.balances_of(customer_id, today), lambda total: total.invoices
        ),
        unpaid=invoices.unpaid_of(customer_id),
        credits=invoices.credits_of(customer_id),
        contacts=customers.contacts_of(customer_id),
        journeys=payments.of_customer(customer_id),
        history=history.of_customer(customer_id),
        today=today,
    )
