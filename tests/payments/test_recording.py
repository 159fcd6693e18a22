"""Recording and deleting payments: rules 5.1, 5.2 and 5.3."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select
from werkzeug.exceptions import NotFound

from portal import clock
from portal.access.tenancy import scoped, tenant_scope
from portal.extensions import db
from portal.models import Allocation, AuditEvent, Delivery, IdempotencyKey, Payment, Tenant
from portal.payments import idempotency, recording
from portal.payments.idempotency import KeyReused
from portal.payments.recording import NewPayment, PaymentRefused
from tests import factories

DAY = date(2026, 11, 19)


@pytest.fixture
def partner(app):
    with app.app_context():
        tenant = factories.tenant()
        with factories.inside(tenant):
            yield tenant


@pytest.fixture
def customer(app, partner):
    return factories.customer(factories.integration(app))


def record(*allocations, key="k-1", **values):
    new = NewPayment(
        **{
            "allocations": [(invoice.id, Decimal(amount)) for invoice, amount in allocations],
            "method": "check",
            "paid_on": DAY,
            "old_day_confirmed": True,
            **values,
        }
    )
    claimed = idempotency.claim("payment", key, new.body)
    is_new = claimed.answer is None
    payment = recording.record_once(factories.ACTOR, new, claimed)
    db.session.commit()
    return payment, is_new


def stored():
    return [
        db.session.scalar(select(func.count()).select_from(model))
        for model in (Payment, Allocation, Delivery, IdempotencyKey)
    ]


def test_payment_wish_and_audit_event_are_one_transaction(customer):
    """Rule 5.3: undone together."""
    invoice = factories.invoice(customer)
    new = NewPayment([(invoice.id, Decimal(100))], "card", DAY, old_day_confirmed=True)
    recording.record_once(factories.ACTOR, new, idempotency.claim("payment", "k", new.body))
    assert stored() == [1, 1, 1, 1]
    db.session.rollback()
    assert stored() == [0, 0, 0, 0]
    assert db.session.scalars(scoped(AuditEvent).where(AuditEvent.event == "payment.recorded")).all() == []


def test_a_payment_keeps_the_partners_audit_log_for_itself_only_while_it_writes_there(customer, asked):
    """All other payments and deliveries of the partner wait for that lock: nothing slow comes between it and the end."""
    invoice = factories.invoice(customer)
    said = asked(lambda: record((invoice, "100")))
    from_the_lock = said[next(i for i, sql in enumerate(said) if "pg_advisory_xact_lock(8101" in sql) :]
    assert [sql for sql in from_the_lock[1:] if "audit_" not in sql] == []


def test_one_payment_pays_several_invoices_of_a_customer(customer):
    first, second = factories.invoice(customer, "100"), factories.invoice(customer, "50")
    payment, _ = record((first, "100"), (second, "20"))
    assert payment.amount == Decimal("120")
    assert [factories.refreshed(row).outstanding for row in (first, second)] == [0, Decimal("30")]


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN", "Infinity", "100.01", "1e12"])
def test_an_amount_that_cannot_be_is_refused_and_nothing_is_stored(customer, amount):
    """Rule 5.1."""
    invoice = factories.invoice(customer, "100.00")
    with pytest.raises(PaymentRefused):
        record((invoice, amount))
    db.session.rollback()
    assert stored() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"is_voided": True}, "voided"),
        ({"archived_at": "2026-11-01T00:00:00Z"}, "archived"),
        ({"missing_since": "2026-11-01T00:00:00Z"}, "no longer in Autotask, so Autotask could not be told"),
        ({"autotask_paid_on": date(2026, 11, 1)}, "settled in Autotask"),
        ({"amount_due": Decimal("-5"), "total_raw": Decimal("-5")}, "credit"),
    ],
)
def test_an_invoice_that_takes_no_payment_says_why(customer, values, words):
    """Rule 5.1."""
    invoice = factories.invoice(customer, "100.00", **values)
    with pytest.raises(PaymentRefused, match=words):
        record((invoice, "1.00"))


def test_invoices_of_two_customers_do_not_share_a_payment(app, customer):
    other = factories.customer(None)
    with pytest.raises(PaymentRefused, match="one customer"):
        record((factories.invoice(customer), "1"), (factories.invoice(other), "1"))


def test_invoices_of_two_currencies_do_not_share_a_payment(customer):
    with pytest.raises(PaymentRefused, match="one currency"):
        record((factories.invoice(customer), "1"), (factories.invoice(customer, currency="EUR"), "1"))


def test_more_than_a_payment_can_hold_is_refused_in_words(customer):
    rows = [(factories.invoice(customer, "99999999999"), "99999999999") for _ in range(2)]
    with pytest.raises(PaymentRefused, match="more money than one payment can hold"):
        record(*rows)
    assert stored()[0] == 0


def test_yen_have_no_decimals(customer):
    invoice = factories.invoice(customer, "1000", currency="JPY")
    with pytest.raises(PaymentRefused, match="digits"):
        record((invoice, "0.5"))


@pytest.mark.parametrize(
    "values",
    [
        {"method": "barter"},
        {"paid_on": date(1931, 1, 1)},
        {"paid_on": clock.today("UTC") + timedelta(days=2)},
        {"reference": "x" * 501},
    ],
)
def test_a_form_that_cannot_be_right_is_refused(customer, values):
    with pytest.raises(PaymentRefused):
        record((factories.invoice(customer), "1"), **values)


def test_the_same_key_gives_the_first_payment_again(customer):
    """Rule 5.2."""
    invoice = factories.invoice(customer)
    first, first_is_new = record((invoice, "60.00"))
    again, again_is_new = record((invoice, "60.00"))
    assert (first.id, first_is_new, again_is_new) == (again.id, True, False)
    assert factories.refreshed(invoice).outstanding == Decimal("40.00")


def test_the_same_key_with_another_body_is_refused(customer):
    """Rule 5.2."""
    invoice = factories.invoice(customer)
    record((invoice, "60.00"))
    with pytest.raises(KeyReused):
        record((invoice, "40.00"))


def test_a_refused_payment_leaves_its_key_free(customer):
    invoice = factories.invoice(customer)
    with pytest.raises(PaymentRefused):
        record((invoice, "100.01"))
    db.session.rollback()
    assert record((invoice, "100.00"))[1]


def test_a_key_of_one_partner_means_nothing_to_another(app, customer):
    record((factories.invoice(customer), "1.00"))
    with tenant_scope(factories.tenant().id):
        other = factories.invoice(factories.customer(factories.integration(app)))
        assert record((other, "1.00"))[1]


def test_a_foreign_partners_invoice_does_not_exist(app, customer):
    invoice = factories.invoice(customer)
    with tenant_scope(factories.tenant().id), pytest.raises(PaymentRefused, match="does not exist"):
        record((invoice, "1.00"))


def test_a_deleted_payment_opens_its_invoice_and_keeps_its_row(customer):
    invoice = factories.invoice(customer)
    payment, _ = record((invoice, "100.00"))
    recording.delete(factories.ACTOR, payment.id, " typed twice ")
    db.session.commit()
    payment = factories.refreshed(payment)
    assert (payment.deleted_reason, factories.refreshed(invoice).outstanding) == (
        "typed twice",
        Decimal("100.00"),
    )


def test_a_payment_is_deleted_once_and_with_a_reason(customer):
    payment, _ = record((factories.invoice(customer), "100.00"))
    with pytest.raises(PaymentRefused, match="Say why"):
        recording.delete(factories.ACTOR, payment.id, "  ")
    recording.delete(factories.ACTOR, payment.id, "typed twice")
    db.session.commit()
    with pytest.raises(PaymentRefused, match="already deleted"):
        recording.delete(factories.ACTOR, payment.id, "typed twice")


def test_a_foreign_payment_cannot_be_deleted(customer):
    payment, _ = record((factories.invoice(customer), "100.00"))
    with tenant_scope(factories.tenant().id), pytest.raises(NotFound):
        recording.delete(factories.ACTOR, payment.id, "not mine")


def at_once(app, tenant: Tenant, jobs):
    """Runs the jobs in threads with a session each; their answers or refusals."""

    tenant_id = tenant.id

    def run(job):
        with app.app_context(), tenant_scope(tenant_id):
            try:
                answer = job()
                db.session.commit()
                return answer
            except (PaymentRefused, KeyReused) as refusal:
                db.session.rollback()
                return refusal

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(run, jobs))


def test_people_paying_at_once_cannot_overpay(app, partner, customer):
    """Rule 5.1: row locks."""
    invoice = factories.invoice(customer, "100.00")
    jobs = [lambda n=n: record((invoice, "30.00"), key=f"k-{n}") for n in range(12)]
    answers = at_once(app, partner, jobs)
    assert sum(isinstance(answer, tuple) for answer in answers) == 3
    assert factories.refreshed(invoice).outstanding == Decimal("10.00")


def test_one_key_sent_many_times_at_once_makes_one_payment(app, partner, customer):
    """Rule 5.2: a double click."""
    invoice = factories.invoice(customer, "100.00")
    answers = at_once(app, partner, [lambda: record((invoice, "30.00"))[0].id] * 12)
    assert len(set(answers)) == 1
    assert stored()[0] == 1


def test_two_people_deleting_at_once_delete_once(app, partner, customer):
    payment_id = record((factories.invoice(customer, "100.00"), "100.00"))[0].id
    answers = at_once(app, partner, [lambda: recording.delete(factories.ACTOR, payment_id, "twice")] * 6)
    assert sum(isinstance(answer, Payment) for answer in answers) == 1


def test_payments_over_the_same_invoices_in_any_order_do_not_deadlock(app, partner, customer):
    first, second = factories.invoice(customer, "100.00"), factories.invoice(customer, "100.00")
    pairs = [((first, "1.00"), (second, "1.00")), ((second, "1.00"), (first, "1.00"))] * 8
    answers = at_once(app, partner, [lambda p=p, n=n: record(*p, key=f"k-{n}") for n, p in enumerate(pairs)])
    assert all(isinstance(answer, tuple) for answer in answers)
    assert factories.refreshed(first).outstanding == Decimal("84.00")
