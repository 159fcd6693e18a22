from datetime import date

import click
from flask.cli import AppGroup
from werkzeug.exceptions import NotFound

from portal import queue, serializers
from portal.access.tenancy import find_or_404, scoped, tenant_scope
from portal.cli import lookup
from portal.extensions import db
from portal.models import Happened, Payment, PaymentMethod, Tenant
from portal.money import AmountError, parse_amount
from portal.payments import duplicates, idempotency, life, recording

commands = AppGroup("payments", help="Money that customers paid.")


@commands.command("list")
@click.argument("slug")
@lookup.json_lines
def list_all(slug: str) -> None:
    """A partner's payments in the order of their ids, deleted ones included."""
    with tenant_scope(lookup.partner(slug).id):
        lookup.answer_all(
            serializers.payment(row) for row in db.session.scalars(scoped(Payment).order_by(Payment.id))
        )


@commands.command("record", context_settings={"ignore_unknown_options": True})
@click.argument("slug")
@click.option("--invoice", "autotask_id", type=int, required=True, help="The invoice's Autotask ID.")
@click.option("--amount", required=True)
@click.option("--on", "paid_on", required=True, help="The day it was paid, as 2026-11-19.")
@click.option(
    "--confirm-old-date", "old_day", is_flag=True, help="The day is more than a year ago, and right."
)
@click.option("--method", default=PaymentMethod.OTHER.value, show_default=True)
@click.option("--reference", default="")
@click.option("--pending", is_flag=True, help="The money is still on its way.")
@click.option("--key", required=True, help="The same key again gives the first payment.")
def record(
    slug: str,
    autotask_id: int,
    amount: str,
    paid_on: str,
    old_day: bool,
    method: str,
    reference: str,
    pending: bool,
    key: str,
) -> None:
    """Records a payment of one invoice and tells Autotask when that pays it in full."""
    tenant = lookup.partner(slug)
    with tenant_scope(tenant.id):
        if not 0 < len(key) <= idempotency.LONGEST_KEY:
            lookup.refuse(f"Give the payment a key of at most {idempotency.LONGEST_KEY} characters.")
        invoice = recording.invoice_by_autotask_id(autotask_id)
        if invoice is None:
            lookup.refuse(f"{slug} has no invoice with the Autotask ID {autotask_id}.")
        try:
            allocations = [(invoice.id, parse_amount(amount, invoice.currency))]
            new = recording.NewPayment(
                allocations, method, _day(paid_on), reference, old_day_confirmed=old_day, pending=pending
            )
            claimed = idempotency.claim("payment", key, new.body)
            payment = recording.record_once(lookup.OPERATOR, new, claimed)
        except recording.OldDay as error:
            lookup.refuse(f"{error} Give --confirm-old-date if that is right.")
        except (AmountError, recording.PaymentRefused, idempotency.KeyReused) as error:
            lookup.refuse(str(error))
        _answer_after_commit(tenant, payment)


@commands.command("delete")
@click.argument("slug")
@click.argument("payment_id", type=int)
@click.option("--reason", required=True)
def delete(slug: str, payment_id: int, reason: str) -> None:
    """Deletes a payment; Autotask is told where that opens an invoice again."""
    tenant = lookup.partner(slug)
    with tenant_scope(tenant.id):
        try:
            payment = recording.delete(lookup.OPERATOR, payment_id, reason)
        except NotFound:
            lookup.refuse(f"{slug} has no payment {payment_id}.")
        except recording.PaymentRefused as error:
            lookup.refuse(str(error))
        _answer_after_commit(tenant, payment)


@commands.command("happened", context_settings={"ignore_unknown_options": True})
@click.argument("slug")
@click.argument("payment_id", type=int)
@click.argument("kind", type=click.Choice([kind.value for kind in Happened]))
@click.option("--on", required=True, help="The day it happened, as 2026-11-24.")
@click.option("--amount", help="What came back, if not all that still counts.")
@click.option("--reason", default="")
def happened(slug: str, payment_id: int, kind: str, on: str, amount: str | None, reason: str) -> None:
    """What became of a payment: its money arrived, failed, was refunded or charged back."""
    tenant = lookup.partner(slug)
    with tenant_scope(tenant.id):
        try:
            currency = find_or_404(Payment, payment_id).currency
            came_back = parse_amount(amount, currency) if amount else None
            new = life.NewEvent(Happened(kind), _day(on), came_back, reason)
            payment = life.happen(lookup.OPERATOR, payment_id, new)
        except NotFound:
            lookup.refuse(f"{slug} has no payment {payment_id}.")
        except (AmountError, recording.PaymentRefused) as error:
            lookup.refuse(str(error))
        _answer_after_commit(tenant, payment)


def _day(text: str) -> date:
    try:
        if len(text) != len("2026-11-19"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise recording.PaymentRefused(
            f"{text!r} is not a date. Write it like 2026-11-19.", "paid_on"
        ) from None


def _answer_after_commit(tenant: Tenant, payment: Payment) -> None:
    db.session.commit()
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", tenant.id)
    same = duplicates.earlier([payment]).get(payment.id)
    lookup.answer(serializers.payment(payment) | ({"possible_duplicate_of": same} if same else {}))
