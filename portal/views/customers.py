"""Customers: who owes what."""

from typing import Any

from flask import Blueprint, g, request, url_for

from portal import clock
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.models import Customer
from portal.queries import currencies, customers, history, payments, unpaid
from portal.queries.contacts import contacts_of, page_of_contacts
from portal.web import htmx

pages = Blueprint("customers", __name__, url_prefix="/p/<partner_slug>/customers")


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    chosen = customers.filter_from(request.args, clock.today(g.partner.time_zone))
    totals = currencies.main_first(customers.totals(chosen), lambda total: total.invoices)
    return htmx.render(
        "customers/index.html",
        "customers/_table.html",
        chosen=chosen,
        listed=customers.page(chosen, [total.currency for total in totals]),
        found=customers.count(chosen),
        totals=totals,
    )


@pages.get("/<int:customer_id>")
@requires(Permission.VIEW)
def show(customer_id: int) -> Any:
    customer = find_or_404(Customer, customer_id)
    today = clock.today(g.partner.time_zone)
    balances = currencies.main_first(customers.balances_of(customer_id, today), lambda total: total.invoices)
    return htmx.render(
        "customers/show.html",
        "customers/_detail.html",
        customer=customer,
        balances=balances,
        unpaid=unpaid.unpaid_of(customer_id, balances),
        credits=unpaid.first_credits_of(customer_id),
        contacts=contacts_of(customer_id),
        journeys=payments.of_customer(customer_id),
        history=history.latest(history.of_customer(customer_id)),
        today=today,
    )


@pages.get("/<int:customer_id>/contacts")
@requires(Permission.VIEW)
def contacts(customer_id: int) -> Any:
    customer = find_or_404(Customer, customer_id)
    return htmx.render(
        "customers/contacts.html",
        "customers/_all_contacts.html",
        customer=customer,
        page=page_of_contacts(customer_id, request.args),
    )


@pages.get("/<int:customer_id>/history", endpoint="history")
@requires(Permission.VIEW)
def whole_history(customer_id: int) -> Any:
    customer = find_or_404(Customer, customer_id)
    return htmx.render(
        "history/show.html",
        "history/_table.html",
        page=history.page(history.of_customer(customer_id), request.args),
        name=customer.name,
        record_url=url_for("customers.show", customer_id=customer_id),
        list_name="Customers",
        list_url=url_for("customers.index"),
    )
