"""Customers made in the portal, and archiving. Autotask owns what came from it (rules 3.7 and 3.8)."""

from typing import Any

from flask import Blueprint, flash, g, render_template, request, url_for

from portal import own_records
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.forms.own_records import CustomerForm
from portal.models import Customer
from portal.queries import owing
from portal.web import htmx
from portal.web.refusable import accepted

pages = Blueprint("customer_edits", __name__, url_prefix="/p/<partner_slug>/customer-edits")

FIELDS = ("name", "number", "phone", "address")


@pages.get("/new")
@requires(Permission.EDIT_RECORDS)
def new() -> Any:
    form = CustomerForm(formdata=None, currency=g.partner.default_currency)
    return render_template("customer_edits/new.html", form=form)


@pages.post("/new")
@requires(Permission.EDIT_RECORDS)
@redraws_form
def create() -> Any:
    form = CustomerForm()
    if not form.validate():
        return render_template("customer_edits/new.html", form=form), 422
    values = {name: form[name].data or "" for name in FIELDS[1:]}
    customer = own_records.create_customer(g.actor, form.name.data or "", form.currency.data or "", **values)
    db.session.commit()
    flash(f"{customer.name} was made. It stays here and never goes to Autotask.", "success")
    return htmx.redirect(url_for("customers.show", customer_id=customer.id))


@pages.get("/<int:customer_id>")
@requires(Permission.EDIT_RECORDS)
def edit(customer_id: int) -> Any:
    customer = find_or_404(Customer, customer_id)
    return _page(customer, CustomerForm(formdata=None, obj=customer))


@pages.post("/<int:customer_id>")
@requires(Permission.EDIT_RECORDS)
@redraws_form
def update(customer_id: int) -> Any:
    customer, form = find_or_404(Customer, customer_id), CustomerForm()
    form.currency.data = customer.currency
    if not form.validate() or not _changed(form, customer):
        return _page(customer, form, 422)
    flash("Saved.", "success")
    return htmx.redirect(url_for("customers.show", customer_id=customer_id))


@pages.get("/<int:customer_id>/archive")
@requires(Permission.ARCHIVE)
def confirm_archive(customer_id: int) -> Any:
    return _archive_page(find_or_404(Customer, customer_id), owing.by([customer_id]))


@pages.post("/<int:customer_id>/archive")
@requires(Permission.ARCHIVE)
def archive(customer_id: int) -> Any:
    owed = owing.by([customer_id])
    if owed and request.form.get("told") != owing.told(owed):
        return _archive_page(find_or_404(Customer, customer_id), owed, 422)
    return _put(customer_id, own_records.archive, "Archived. It can be taken back at any time.")


@pages.post("/<int:customer_id>/restore")
@requires(Permission.ARCHIVE)
def restore(customer_id: int) -> Any:
    return _put(customer_id, own_records.restore, "Taken out of the archive.")


def _put(customer_id: int, step: Any, words: str) -> Any:
    customer = find_or_404(Customer, customer_id)
    step(g.actor, "customer", [customer.id])
    db.session.commit()
    flash(words, "success")
    return htmx.redirect(url_for("customers.show", customer_id=customer_id))


def _changed(form: CustomerForm, customer: Customer) -> bool:
    values = {name: form[name].data or "" for name in FIELDS}
    done = accepted(form, lambda: own_records.change_customer(g.actor, customer, values))
    db.session.commit()
    return done is not None


def _archive_page(customer: Customer, owed: list[owing.Owed], status: int = 200) -> Any:
    return htmx.render(
        "customer_edits/archive.html", "customer_edits/_archive.html", status=status,
        customer=customer, owed=owed, told=owing.told(owed),
    )  # fmt: skip


def _page(customer: Customer, form: CustomerForm, status: int = 200) -> Any:
    return render_template("customer_edits/edit.html", form=form, customer=customer), status
