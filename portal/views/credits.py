"""Credits: applied to open invoices of the same customer and currency, and taken back."""

from typing import Any

from flask import Blueprint, flash, g, request, url_for

from portal import clock, queue
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.forms.credit import CreditForm
from portal.models import CreditApplication
from portal.money import minor_units
from portal.payments import applying_credits, idempotency
from portal.payments.applying_credits import CreditRefused, NewApplication
from portal.payments.idempotency import KeyReused
from portal.queries import credits, payment_form
from portal.queries.text import cleaned
from portal.web import htmx

pages = Blueprint("credits", __name__, url_prefix="/p/<partner_slug>/credits")

FORM = "credit"
USED_KEY = "This form already applied a credit. Look at the invoice before you apply more."


@pages.get("/new")
@requires(Permission.RECORD_PAYMENTS)
def new() -> Any:
    choice = credits.choice(request.args, cleaned(request.args.get("q")))
    form = CreditForm(formdata=None)
    form.begin_anew()
    form.take_rows(choice.table, {})
    form.amount.data = choice.suggested
    return _form(form, choice)


@pages.post("")
@requires(Permission.RECORD_PAYMENTS)
@redraws_form
def create() -> Any:
    finding = "find" in request.form
    choice = credits.choice(request.form, cleaned(request.form.get("q")) if finding else "")
    form = CreditForm()
    form.take_rows(choice.table, request.form)
    if finding:
        return _form(form, choice)
    if not _applied(form, choice):
        return _form(form, choice, 422)
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
    flash(f"Credit {choice.credit.number} applied.", "success")
    shown = choice.first.id if choice.first else choice.credit.id
    return htmx.redirect(url_for("invoices.show", invoice_id=shown))


@pages.post("/<int:application_id>/undo")
@requires(Permission.DELETE_PAYMENTS)
def destroy(application_id: int) -> Any:
    row = find_or_404(CreditApplication, application_id)
    try:
        applying_credits.take_back(g.actor, application_id)
        db.session.commit()
        queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
        flash("The credit was taken back. It can be applied again.", "success")
    except CreditRefused as refusal:
        db.session.rollback()
        flash(str(refusal), "warning")
    return htmx.redirect(url_for("invoices.show", invoice_id=row.invoice_id))


def _applied(form: CreditForm, choice: credits.Choice) -> bool:
    """Whether the credit stands applied now, committed; the refusal is beside its field if not."""
    if not (form.has_key and form.validate()):
        return False
    try:
        claimed = idempotency.claim_form(FORM, form.key.data, form.typed)
        new = None if claimed.answer else _application_of(form, choice)
        if new:
            applying_credits.apply(g.actor, new)
            idempotency.keep(claimed, credit_id=choice.credit.id)
        elif not claimed.answer:
            db.session.rollback()
            return False
    except CreditRefused as refusal:
        db.session.rollback()
        form.refuse(refusal.field, str(refusal))
        return False
    except KeyReused:
        db.session.rollback()
        form.begin_anew(USED_KEY)
        return False
    db.session.commit()
    return True


def _application_of(form: CreditForm, choice: credits.Choice) -> NewApplication | None:
    form.ask_which(payment_form.taken_away("", [*choice.unpayable, *form.lost_ids]))
    allocations = None if form.allocation_error else form.allocate(choice.credit.currency)
    if allocations is None:
        return None
    return NewApplication(choice.credit.id, allocations, clock.today(g.partner.time_zone))


def _form(form: CreditForm, choice: credits.Choice, status: int = 200) -> Any:
    return htmx.render(
        "credits/new.html",
        "credits/_form.html",
        status=status,
        form=form,
        choice=choice,
        decimals=minor_units(choice.credit.currency),
        today=clock.today(g.partner.time_zone),
        will_show=payment_form.will_show,
        when_full=payment_form.when_full,
        when_part=payment_form.when_part,
        when_held=payment_form.when_held,
        is_held=False,
    )
