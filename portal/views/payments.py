"""Payments: the list, one payment on its way to Autotask, recording and deleting one."""

from typing import Any

from flask import Blueprint, flash, g, request, url_for

from portal import clock, formatters, queue
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.forms.payment import DeletionForm, PaymentForm
from portal.models import Customer, IdempotencyKey, Invoice, Payment
from portal.money import minor_units
from portal.payments import duplicates, idempotency, recording
from portal.payments.idempotency import KeyReused
from portal.payments.recording import NewPayment, OldDay, PaymentRefused
from portal.payments.rules import EARLIEST
from portal.queries import currencies, customers, payment_form, payments
from portal.queries.text import cleaned
from portal.web import htmx

pages = Blueprint("payments", __name__, url_prefix="/p/<partner_slug>/payments")

FORM = "payment"
USED_KEY = "This form already recorded a payment. Look at it under Payments before you record another one."
LOST_KEY = "Something was lost on the way. Check what you typed, then send this form once more."


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    chosen = payments.filter_from(request.args)
    return htmx.render(
        "payments/index.html",
        "payments/_table.html",
        chosen=chosen,
        listed=payments.page(chosen),
        of_customer=find_or_404(Customer, chosen.customer_id) if chosen.customer_id else None,
        of_invoice=find_or_404(Invoice, chosen.invoice_id) if chosen.invoice_id else None,
        totals=currencies.main_first(payments.totals(chosen), lambda total: total.payments),
    )


@pages.get("/<int:payment_id>")
@requires(Permission.VIEW)
def show(payment_id: int) -> Any:
    journey = payments.one(find_or_404(Payment, payment_id))
    parts = payments.page_of_parts(journey, request.args)
    return htmx.render("payments/show.html", "payments/_detail.html", journey=journey, parts=parts)


@pages.get("/new")
@requires(Permission.RECORD_PAYMENTS)
def new() -> Any:
    words = cleaned(request.args.get("q"))
    choice = payment_form.choice(request.args, words)
    if choice is None:
        return htmx.render(
            "payments/choose.html",
            "payments/_choose.html",
            words=words,
            page=customers.paying(words, request.args),
        )
    form = PaymentForm(formdata=None, paid_on=clock.today(g.partner.time_zone))
    form.begin_anew()
    form.amount.data = choice.suggested
    form.take_rows(choice.table, {})
    return _form(form, choice)


@pages.post("")
@requires(Permission.RECORD_PAYMENTS)
@redraws_form
def create() -> Any:
    finding = "find" in request.form
    choice = payment_form.choice_or_404(request.form, cleaned(request.form.get("q")) if finding else "")
    form = PaymentForm()
    form.take_rows(choice.table, request.form)
    if finding:
        return _form(form, choice)
    payment = _recorded(form, choice)
    if payment is None:
        return _form(form, choice, 422)
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
    flash(f"Payment of {formatters.money(payment.amount, payment.currency)} recorded.", "success")
    return htmx.redirect(url_for("payments.show", payment_id=payment.id))


@pages.get("/<int:payment_id>/delete")
@requires(Permission.DELETE_PAYMENTS)
def confirm_deletion(payment_id: int) -> Any:
    journey = payments.one(find_or_404(Payment, payment_id))
    return _deletion(DeletionForm(formdata=None), journey)


@pages.post("/<int:payment_id>/delete")
@requires(Permission.DELETE_PAYMENTS)
@redraws_form
def destroy(payment_id: int) -> Any:
    payment = find_or_404(Payment, payment_id)
    form = DeletionForm()
    if not form.validate() or not _deleted(form, payment_id):
        return _deletion(form, payments.one(payment), 422)
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
    flash(f"Payment of {formatters.money(payment.amount, payment.currency)} deleted.", "success")
    return htmx.redirect(url_for("payments.show", payment_id=payment_id))


def _recorded(form: PaymentForm, choice: payment_form.Choice) -> Payment | None:
    """The payment of a valid form, committed; None with the refusal beside its field."""
    if not form.has_key:
        form.begin_anew(LOST_KEY)
        return None
    try:
        claimed = idempotency.claim_form(FORM, form.key.data, form.typed)
        payment = _payment_of(form, choice, claimed)
    except OldDay as old:
        form.ask_about_day(old.day, str(old))
        payment = None
    except PaymentRefused as refusal:
        form.refuse(refusal.field, str(refusal))
        payment = None
    except KeyReused:
        form.begin_anew(USED_KEY)
        payment = None
    if payment is None:
        db.session.rollback()
        return None
    db.session.commit()
    return payment


def _payment_of(form: PaymentForm, choice: payment_form.Choice, claimed: IdempotencyKey) -> Payment | None:
    """The payment of the form's key, recorded now if it is new; None when it is not to be recorded so."""
    if claimed.answer:
        return find_or_404(Payment, claimed.answer["payment_id"])
    new = _new_payment(form, choice)
    return recording.record_once(g.actor, new, claimed) if new else None


def _new_payment(form: PaymentForm, choice: payment_form.Choice) -> NewPayment | None:
    form.ask_which(payment_form.taken_away(choice.why_not, form.lost_ids))
    if form.allocation_error:
        return None
    valid = form.validate()
    allocations = form.allocate(choice.currency)
    asks = form.asks_about(_same_money(form, choice))
    if not valid or allocations is None or form.allocation_error or asks:
        return None
    return NewPayment(
        allocations,
        form.method.data,
        form.paid_on.data,
        form.reference.data,
        form.note.data,
        form.old_day_confirmed,
        form.pending.data,
    )


def _same_money(form: PaymentForm, choice: payment_form.Choice) -> Payment | None:
    if not form.received or not form.paid_on.data:
        return None
    money = (choice.customer.id, choice.currency, form.paid_on.data, form.received)
    return duplicates.recorded([money]).get(money)


def _deleted(form: DeletionForm, payment_id: int) -> bool:
    try:
        recording.delete(g.actor, payment_id, form.reason.data)
    except PaymentRefused as refusal:
        db.session.rollback()
        form.reason.errors = [str(refusal)]
        return False
    db.session.commit()
    return True


def _form(form: PaymentForm, choice: payment_form.Choice, status: int = 200) -> Any:
    return htmx.render(
        "payments/new.html", "payments/_form.html", status=status, form=form, choice=choice,
        decimals=minor_units(choice.currency), today=clock.today(g.partner.time_zone), earliest=EARLIEST,
        will_show=payment_form.will_show, when_full=payment_form.when_full, when_part=payment_form.when_part,
        when_held=payment_form.when_held, held_rule=payment_form.held_rule(g.partner.held_methods),
        is_held=form.pending.data and form.method.data in g.partner.held_methods,
    )  # fmt: skip


def _deletion(form: DeletionForm, journey: Any, status: int = 200) -> Any:
    return htmx.render(
        "payments/delete.html", "payments/_deletion.html", status=status, form=form, journey=journey
    )
