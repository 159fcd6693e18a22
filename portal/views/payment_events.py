"""What became of a payment: its money arrived, failed, was refunded or charged back."""

from typing import Any

from flask import Blueprint, flash, g, request, url_for

from portal import clock, formatters, queue
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, may, requires
from portal.access.tenancy import find_or_404
from portal.extensions import db
from portal.forms.payment_event import PaymentEventForm, Row
from portal.models import Happened, Payment
from portal.payments import idempotency, life, life_rules
from portal.payments.idempotency import KeyReused
from portal.payments.rules import PaymentRefused
from portal.queries import arrivals, payments
from portal.web import htmx

pages = Blueprint("payment_events", __name__, url_prefix="/p/<partner_slug>/payments")

FORM = "payment event"
USED_KEY = "This form already recorded something. Look at the payment before you record more."
LOST_KEY = "Something was lost on the way. Check what you typed, then send this form once more."


@pages.get("/<int:payment_id>/happened")
@requires(Permission.RECORD_PAYMENTS)
def edit(payment_id: int) -> Any:
    payment = find_or_404(Payment, payment_id)
    form = PaymentEventForm(formdata=None, on=clock.today(g.partner.time_zone))
    form.begin_anew()
    return _form(_offered(form, payment, {}), payment)


@pages.post("/<int:payment_id>/happened")
@requires(Permission.RECORD_PAYMENTS)
@redraws_form
def create(payment_id: int) -> Any:
    payment = find_or_404(Payment, payment_id)
    form = _offered(PaymentEventForm(), payment, request.form)
    if not _recorded(form, payment):
        db.session.rollback()
        return _form(form, find_or_404(Payment, payment_id), 422)
    db.session.commit()
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
    amount = formatters.money(payment.recorded_amount, payment.currency)
    flash(f"Payment of {amount}: {life.words(Happened(form.kind.data)).lower()}.", "success")
    return htmx.redirect(url_for("payments.show", payment_id=payment_id))


def _offered(form: PaymentEventForm, payment: Payment, typed: Any) -> PaymentEventForm:
    kinds = [
        kind
        for kind in life_rules.possible(payment)
        if kind == Happened.SETTLED or may(Permission.DELETE_PAYMENTS)
    ]
    rows = [Row(allocation) for allocation in payment.allocations if allocation.amount]
    form.offer(kinds, rows if len(rows) <= arrivals.TOLD else (), typed)
    return form


def _recorded(form: PaymentEventForm, payment: Payment) -> bool:
    if not form.has_key:
        form.begin_anew(LOST_KEY)
        return False
    try:
        claimed = idempotency.claim_form(FORM, form.key.data, form.typed | {"payment": str(payment.id)})
        return bool(claimed.answer) or _happened(form, payment, claimed)
    except KeyReused:
        form.begin_anew(USED_KEY)
    except PaymentRefused as refusal:
        form.refuse(refusal.field, str(refusal))
    return False


def _happened(form: PaymentEventForm, payment: Payment, claimed: Any) -> bool:
    valid = form.validate()
    money = form.money(payment.currency)
    if not valid or money is None:
        return False
    new = life.NewEvent(Happened(form.kind.data), form.on.data, money[0], form.reason.data or "", money[1])
    life.happen(g.actor, payment.id, new, lambda made: idempotency.keep(claimed, payment_id=made.id))
    return True


def _form(form: PaymentEventForm, payment: Payment, status: int = 200) -> Any:
    return htmx.render(
        "payments/happened.html", "payments/_happened.html", status=status, form=form,
        journey=payments.one(payment), today=clock.today(g.partner.time_zone),
    )  # fmt: skip
