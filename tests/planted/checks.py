"""Checks that the planted bugs need beside the suites' own tests: short, and true for the portal as it is."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from portal import clock, ledger, queue
from portal.extensions import db
from portal.models import IntegrationRole, Invoice, Payment
from portal.payments import idempotency, recording
from portal.reconcile import sweep
from portal.sync import cursors, matched_by_hand, perform, runs
from tests import factories
from tests.both_sides import Both
from tests.factories import ACTOR, refreshed


def a_bell_rings_only_for_what_is_committed(
    both: Both, superuser: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever hears it finds the row from another connection (1)."""
    invoice = both.invoice()
    seen: list[int] = []

    def bell(*_: object) -> bool:
        seen.append(superuser.execute("SELECT count(*) FROM delivery").fetchone()[0])  # type: ignore[index]
        return True

    monkeypatch.setattr(queue, "bell", bell)
    words = ["payments", "record", both.partner.slug, "--invoice", str(invoice.autotask_id), "--key", "k"]
    result = both.app.test_cli_runner().invoke(args=[*words, "--amount", "100.00", "--on", "2026-11-19"])
    assert result.exit_code == 0, result.output
    assert seen
    assert 0 not in seen


def a_refused_payment_leaves_its_key_free(both: Both) -> None:
    """The key is part of the payment's transaction (11)."""
    invoice = both.invoice()
    with pytest.raises(recording.PaymentRefused):
        _record(invoice, "100.01")
    db.session.rollback()
    _record(invoice, "100.00")
    db.session.commit()


def a_key_means_nothing_to_another_partner(both: Both) -> None:
    """Two partners use the same key for payments of their own (12)."""
    _record(both.invoice(), "100.00")
    db.session.commit()
    with factories.inside(factories.tenant("other")):
        other = factories.invoice(factories.customer(factories.integration(both.app)), "70.00")
        _record(other, "70.00")
        db.session.commit()
        assert [one.amount for one in db.session.query(Payment)] == [70]


def amounts_are_exact_to_the_half_cent(both: Both) -> None:
    """Half up, on decimals (18)."""
    assert _amount_due(both, "1.005", "0", "with_tax") == Decimal("1.01")


def the_amount_due_includes_tax(both: Both) -> None:
    """Rule 1.6 (19)."""
    assert _amount_due(both, "100", "19", "without_tax") == Decimal("119.00")


def the_sweep_never_touches_money(both: Both) -> None:
    """What differs becomes an exception or due, never another payment (21)."""
    invoice = both.invoice()
    both.pay(invoice)
    both.deliver()
    both.set_paid(invoice, None)
    row = both.delivery(invoice)
    row.look_at = row.wished_at
    db.session.commit()
    sweep.compare_due()
    assert [(one.amount, one.deleted_at) for one in db.session.query(Payment)] == [(Decimal(100), None)]


def a_cursor_moves_only_after_a_completed_read(both: Both) -> None:
    """Rule 3.3 (22)."""
    both.invoice()
    both.sandbox.faults.add("F11", "Invoices", "query", times=0)
    run = runs.start(both.integration, "all", "command", ACTOR)
    db.session.commit()
    perform.perform(run.id)
    db.session.commit()
    assert runs.get(run.id).state != "completed"
    assert "invoices" not in cursors.of(both.integration.id)


def a_retried_delivery_is_found_although_newer_ones_were_done(both: Both) -> None:
    """What is due is a state, not a place in a row (10)."""
    first, second = both.invoice(), both.invoice(number="INV-2")
    both.pay(first)
    both.sandbox.faults.add("F11", "Invoices", "get", times=0)
    both.deliver()
    both.sandbox.faults.clear()
    both.pay(second)
    both.make_due()
    both.deliver()
    assert None not in (both.shown(first), both.shown(second))


def a_match_taken_back_leaves_no_date_of_ours_there(both: Both) -> None:
    """Both are apart once the paid date was cleared, and not before (30)."""
    invoice = _matched_by_hand(both)
    both.deliver()
    there = invoice.autotask_id or 0
    matched_by_hand.take_back(ACTOR, refreshed(invoice))
    db.session.commit()
    both.deliver()
    assert refreshed(invoice).autotask_id is None
    assert (both.sandbox.invoice(there) or {})["paidDate"] is None


def a_match_stays_while_a_write_of_ours_may_still_arrive(both: Both) -> None:
    """It would mark an invoice that is nobody's here (31)."""
    invoice = _matched_by_hand(both)
    both.sandbox.faults.add("F11", "Invoices", "patch", applied=False, times=1)
    both.deliver()
    matched_by_hand.take_back(ACTOR, refreshed(invoice))
    db.session.commit()
    both.make_due()
    both.deliver()
    assert (refreshed(invoice).autotask_id, both.delivery(invoice).state) != (None, "confirmed")


def _matched_by_hand(both: Both) -> Invoice:
    """One that is paid here and whose Autotask is secondary."""
    both.integration.role = IntegrationRole.SECONDARY
    invoice = both.invoice(matched_by_hand_at=clock.now())
    both.pay(invoice)
    return invoice


def _record(invoice: Any, amount: str) -> Payment:
    day = invoice.issued_on
    new = recording.NewPayment(
        [(refreshed(invoice).id, Decimal(amount))], "check", day, old_day_confirmed=True
    )
    return recording.record_once(ACTOR, new, idempotency.claim("payment", "one key", new.body))


def _amount_due(both: Both, total: str, tax: str, totals_mode: str) -> Decimal:
    """What an invoice asks for, once the portal knows what Autotask's totals mean."""
    invoice = both.invoice(total_raw=Decimal(total), tax_raw=Decimal(tax))
    ledger.recompute_amounts(both.integration.id, totals_mode)
    db.session.commit()
    return Decimal(refreshed(invoice).amount_due)
