"""The 31 bugs of reference B3. Each function plants one, with nothing but the patch that it is given."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger

from portal import ledger, money, queue
from portal.access.tenancy import current_tenant_id, system_scope
from portal.autotask.client import Client
from portal.autotask.errors import Rejected, Unavailable
from portal.extensions import db
from portal.ledger import derive, owed, unmatching
from portal.models import Delivery
from portal.payments import idempotency, life, life_rules, recording
from portal.reconcile import (
    claiming,
    delivery_row,
    delivery_steps,
    due_partners,
    failures,
    store,
    sweep,
    timing,
    transitions,
)
from portal.reconcile.decide import Marks
from portal.reconcile.delivery_row import Row
from portal.reconcile.failures import Failure
from portal.reconcile.store import SqlStore
from portal.reconcile.work import Phase, Work
from portal.sync import cursors, read_pages
from tests.faults import test_crash_points as crashes
from tests.jobs import test_poll as polling
from tests.planted import checks
from tests.reconcile import test_came_back as came_back
from tests.reconcile import test_conflicts as conflicts
from tests.reconcile import test_delivering as delivering
from tests.reconcile import test_failures

DELETE_PAYMENTS = text("""
    UPDATE payment SET deleted_at = now(), deleted_reason = 'repaired'
    FROM allocation a WHERE a.payment_id = payment.id AND a.invoice_id = ANY(:ids)""")


def enqueue_before_commit(patch: pytest.MonkeyPatch) -> None:
    """The bell rings inside the transaction: who hears it finds nothing."""
    real = recording.record

    def record(*args: Any, **named: Any) -> Any:
        result = real(*args, **named)
        queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", current_tenant_id())
        return result

    patch.setattr(recording, "record", record)


def no_poller(patch: pytest.MonkeyPatch) -> None:
    """Bells are the only way to find work."""
    patch.setattr(due_partners, "tenants_to_deliver", list)


def job_carries_the_value(patch: pytest.MonkeyPatch) -> None:
    """What was wished when the job was made is delivered, whatever is wished by then."""
    real, carried = SqlStore.claim_some, dict[int, Any]()

    def claim_some(self: SqlStore, most: int, only_id: int | None = None) -> Any:
        found = real(self, most, only_id)
        return [
            replace(one, wish_paid_on=carried.setdefault(one.delivery_id, one.wish_paid_on)) for one in found
        ]

    patch.setattr(SqlStore, "claim_some", claim_some)


def ack_before_call(patch: pytest.MonkeyPatch) -> None:
    """The delivery counts as done before Autotask is called."""
    real = SqlStore.begin_all

    def begin_all(self: SqlStore, works: list[Work]) -> list[int | None]:
        begun = real(self, works)
        db.session.execute(
            text(
                "UPDATE delivery SET state = 'confirmed', done_version = wish_version,"
                " lease_token = NULL, lease_until = NULL, next_try_at = NULL WHERE id = ANY(:ids)"
            ),
            {"ids": [work.claim.delivery_id for work in works]},
        )
        db.session.commit()
        return begun

    patch.setattr(SqlStore, "begin_all", begin_all)


def no_read_back(patch: pytest.MonkeyPatch) -> None:
    """What was sent is taken for what is shown."""

    def believe(work: Work, *_: Any) -> Work:
        assert work.read is not None
        assert work.decision is not None
        shown = replace(work.read, paid_on=work.decision.paid_on)
        return replace(work, phase=Phase.SETTLE, read_back=shown, outcome="confirmed")

    patch.setitem(delivery_steps.STEPS, Phase.VERIFY, believe)


def done_is_the_newest_wish(patch: pytest.MonkeyPatch) -> None:
    """`done = want` instead of `done = v`: a wish that came during the call counts as delivered."""
    real = delivery_row.settled

    def settled(row: Row, token: str, version: int, *rest: Any) -> Row:
        return real(row, token, row.wish_version, *rest)

    patch.setattr(delivery_row, "settled", settled)


def no_lease(patch: pytest.MonkeyPatch) -> None:
    """A claim names its owner and nothing else."""
    patch.setattr(delivery_row, "claimed", lambda row, token, now: replace(row, lease_token=token))


def no_token_check(patch: pytest.MonkeyPatch) -> None:
    """K6 settles without asking whose lease it is."""
    real = transitions.settle

    def settle(held: transitions.Held, work: Work, now: Any) -> transitions.Held:
        return real(replace(held, row=replace(held.row, lease_token=work.claim.token)), work, now)

    patch.setattr(transitions, "settle", settle)


def short_lease(patch: pytest.MonkeyPatch) -> None:
    """Shorter than the 20 seconds that a call may last."""
    patch.setattr(timing, "LEASE", timedelta(seconds=15))
    patch.setattr(timing, "LEAST_LEFT", timedelta(0))


def outbox_by_cursor(patch: pytest.MonkeyPatch) -> None:
    """`id > cursor` instead of a flag: what came late or failed is passed over."""
    real, cursor = claiming._due, SimpleNamespace(at=0)
    claim = SqlStore.claim_some

    def after_cursor(now: Any, only_id: int | None) -> Any:
        return real(now, only_id).where(claiming.Delivery.id > cursor.at)

    def claim_and_move(self: SqlStore, most: int, only_id: int | None = None) -> Any:
        found = claim(self, most, only_id)
        cursor.at = max([cursor.at, *(one.delivery_id for one in found)])
        return found

    patch.setattr(claiming, "_due", after_cursor)
    patch.setattr(SqlStore, "claim_some", claim_and_move)


def key_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """The key stays when the payment rolls back."""
    real = idempotency.claim

    def claim(*args: Any) -> Any:
        result = real(*args)
        db.session.commit()
        return result

    patch.setattr(idempotency, "claim", claim)


def key_not_scoped_to_tenant(patch: pytest.MonkeyPatch) -> None:
    """One partner's key answers for another's."""
    seen: dict[Any, Any] = {}
    real = recording.record_once

    def record_once(actor: Any, new: Any, claimed: Any) -> Any:
        if claimed.key not in seen:
            seen[claimed.key] = real(actor, new, claimed)
        return seen[claimed.key]

    patch.setattr(recording, "record_once", record_once)


def key_without_comparing_the_body(patch: pytest.MonkeyPatch) -> None:
    """The same key replays whatever it is asked."""
    patch.setattr(
        idempotency, "hashlib", SimpleNamespace(sha256=lambda _: SimpleNamespace(digest=lambda: b"same"))
    )


def timeout_is_failure(patch: pytest.MonkeyPatch) -> None:
    """No answer is taken for a no."""

    def failure_of(error: Any) -> Failure:
        if isinstance(error, Unavailable) and error.maybe_applied:
            return Failure("failed", "It did not work.", final=True)
        return failures.failure_of(error)

    patch.setattr(delivery_steps, "failure_of", failure_of)


def refusal_is_retried_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Autotask's no is taken for an outage."""

    def failure_of(error: Any) -> Failure:
        if isinstance(error, Rejected):
            return Failure("unavailable", str(error))
        return failures.failure_of(error)

    patch.setattr(delivery_steps, "failure_of", failure_of)


def clears_what_is_not_ours(patch: pytest.MonkeyPatch) -> None:
    """A date that Autotask's people set is cleared like ours."""
    patch.setattr(Marks, "are_ours", lambda self, paid_on: True)


def put_instead_of_patch(patch: pytest.MonkeyPatch) -> None:
    """PUT empties the fields that are left out."""
    patch.setattr(Client, "patch", Client.put)


def float_total(patch: pytest.MonkeyPatch) -> None:
    """Totals are rounded as floats."""
    patch.setattr(owed, "rounded", lambda amount, currency: Decimal(str(round(float(amount), 2))))


def balance_without_tax(patch: pytest.MonkeyPatch) -> None:
    """Tax is not part of what is due."""
    patch.setattr(owed, "amount_due", lambda total, tax, mode, currency: money.rounded(total, currency))


def deleted_payment_counts(patch: pytest.MonkeyPatch) -> None:
    """Sums forget to leave deleted payments out."""

    def forgetful(step: Any) -> Any:
        return derive._step(str(step).replace("AND p.deleted_at IS NULL", ""))

    patch.setattr(derive, "STEPS", tuple(forgetful(step) for step in derive.STEPS))


def sweep_repairs_money(patch: pytest.MonkeyPatch) -> None:
    """Where Autotask says unpaid, the sweep deletes the payment."""
    real = sweep._compare

    def compare(readings: Any) -> int:
        found = real(readings)
        unpaid = [invoice_id for invoice_id, read in readings.items() if read.paid_on is None]
        db.session.execute(DELETE_PAYMENTS, {"ids": unpaid})
        db.session.commit()
        return found

    patch.setattr(sweep, "_compare", compare)


def cursor_before_rows(patch: pytest.MonkeyPatch) -> None:
    """The cursor moves before the rows that it stands for are here."""
    real = read_pages.read

    def read(running: Any, client: Any, name: str, *rest: Any, **named: Any) -> Any:
        cursors.move(running.task.integration.id, {name: (store.clock_timestamp(), 1)})
        db.session.commit()
        return real(running, client, name, *rest, **named)

    patch.setattr(read_pages, "read", read)


def date_shifted_by_zone(patch: pytest.MonkeyPatch) -> None:
    """A date is read as 23:30 of the day before."""
    real = delivery_steps.reading_of

    def reading_of(item: Any, started_at: Any) -> Any:
        read = real(item, started_at)
        return read if read.paid_on is None else replace(read, paid_on=read.paid_on - timedelta(days=1))

    patch.setattr(delivery_steps, "reading_of", reading_of)


def poller_without_its_filter(patch: pytest.MonkeyPatch) -> None:
    """Row-level security hides other partners' rows: what a lost filter still does is to name who is not due."""

    def everybody() -> list[int]:
        with system_scope():
            found = [row for (row,) in db.session.query(Delivery.tenant_id).distinct()]
            db.session.rollback()
        return found

    patch.setattr(due_partners, "tenants_to_deliver", everybody)


def tells_of_money_on_its_way(patch: pytest.MonkeyPatch) -> None:
    """Autotask hears of a payment that is held back as soon as it is recorded."""
    patch.setattr(
        derive,
        "STEPS",
        tuple(derive._step(str(step).replace("p.pending AND p.held", "false")) for step in derive.STEPS),
    )


def arrival_changes_no_wish(patch: pytest.MonkeyPatch) -> None:
    """That its money arrived is written down, and nobody looks what follows."""
    _restates_nothing_after(patch, life.Happened.SETTLED)


def failure_reopens_nothing(patch: pytest.MonkeyPatch) -> None:
    """That it failed is written down, and its invoices stay paid."""
    real = life.write

    def write(actor: Any, payment: Any, allocations: Any, new: Any, closed: Any) -> Any:
        before = payment.pending, payment.deleted_at
        event = real(actor, payment, allocations, new, closed)
        if new.kind != life.Happened.SETTLED:
            payment.ended_as = payment.deleted_reason = None
            payment.pending, payment.deleted_at = before
        db.session.flush()
        return event

    patch.setattr(life, "write", write)


def refund_counts_twice(patch: pytest.MonkeyPatch) -> None:
    """What was refunded in part is taken off the invoices, and once more when the rest ends."""
    real = life_rules.taken

    def taken(*args: Any) -> Any:
        return {id: part * 2 for id, part in real(*args).items()}

    patch.setattr(life_rules, "taken", taken)


def nobody_hears_of_what_came_back(patch: pytest.MonkeyPatch) -> None:
    """Money that came back of an invoice that was closed elsewhere is told to nobody."""
    patch.setattr(ledger.came_back, "open_items", lambda *_: None)


def parts_before_clearing(patch: pytest.MonkeyPatch) -> None:
    """Both are apart as soon as a person wishes it: the date that we wrote there stays."""
    _ends_unless(patch, until="AND NOT EXISTS (SELECT FROM delivery d\n", rest="    RETURNING i.id")


def parts_under_a_write(patch: pytest.MonkeyPatch) -> None:
    """Both are apart although a write of ours may still arrive there."""
    _ends_unless(patch, until="AND NOT EXISTS (SELECT FROM delivery d JOIN", rest="    RETURNING i.id")


def _ends_unless(patch: pytest.MonkeyPatch, until: str, rest: str) -> None:
    """Ends a match without the conditions that begin here."""
    head, found, tail = unmatching.END.text.partition(until)
    assert found
    without = text(head + rest + tail.partition(rest)[2])
    patch.setattr(unmatching, "END", without.bindparams(bindparam("ids", type_=ARRAY(BigInteger))))


def _restates_nothing_after(patch: pytest.MonkeyPatch, kind: Any) -> None:
    real_write, real_restate, happened = life.write, ledger.restate, list[Any]()

    def write(actor: Any, payment: Any, allocations: Any, new: Any, closed: Any) -> Any:
        happened.append(new.kind)
        return real_write(actor, payment, allocations, new, closed)

    def restate(ids: Any) -> None:
        if not (happened and happened.pop() == kind):
            real_restate(ids)

    patch.setattr(life, "write", write)
    patch.setattr(ledger, "restate", restate)


KILLED = crashes.test_a_worker_killed_at_any_point_is_made_good_by_the_next
PLANTED: dict[int, tuple[Any, Any, dict[str, Any]]] = {
    1: (enqueue_before_commit, checks.a_bell_rings_only_for_what_is_committed, {}),
    2: (no_poller, polling.test_one_round_delivers_what_is_due_without_redis, {}),
    3: (job_carries_the_value, delivering.test_a_deleted_payment_clears_the_paid_date, {}),
    4: (ack_before_call, KILLED, {"point": "W10 before it leaves", "wish": "paid"}),
    5: (no_read_back, test_failures.test_an_accepted_write_that_does_not_show_is_not_confirmed, {}),
    6: (
        done_is_the_newest_wish,
        crashes.test_a_payment_deleted_while_its_write_is_on_the_way_is_cleared_in_the_next_round,
        {},
    ),
    7: (no_lease, test_failures.test_a_second_claimer_gets_nothing_for_90_seconds_of_the_databases_time, {}),
    8: (
        no_token_check,
        test_failures.test_who_lost_the_lease_neither_settles_nor_ends_the_lease_of_another,
        {},
    ),
    9: (
        short_lease,
        test_failures.test_a_second_claimer_gets_nothing_for_90_seconds_of_the_databases_time,
        {},
    ),
    10: (outbox_by_cursor, checks.a_retried_delivery_is_found_although_newer_ones_were_done, {}),
    11: (key_outside_the_transaction, checks.a_refused_payment_leaves_its_key_free, {}),
    12: (key_not_scoped_to_tenant, checks.a_key_means_nothing_to_another_partner, {}),
    13: (
        key_without_comparing_the_body,
        crashes.test_the_same_key_with_another_body_is_refused_after_a_crash,
        {},
    ),
    14: (
        timeout_is_failure,
        test_failures.test_an_answer_that_never_came_is_unknown_and_read_before_anything_else,
        {"applied": True},
    ),
    15: (
        refusal_is_retried_for_ever,
        test_failures.test_a_refusal_with_500_and_a_text_parks_at_once_in_autotasks_words,
        {},
    ),
    16: (clears_what_is_not_ours, conflicts.test_a_date_that_was_theirs_from_the_start_is_never_cleared, {}),
    17: (put_instead_of_patch, delivering.test_only_the_paid_date_is_sent, {}),
    18: (float_total, checks.amounts_are_exact_to_the_half_cent, {}),
    19: (balance_without_tax, checks.the_amount_due_includes_tax, {}),
    20: (deleted_payment_counts, delivering.test_a_deleted_payment_clears_the_paid_date, {}),
    21: (sweep_repairs_money, checks.the_sweep_never_touches_money, {}),
    22: (cursor_before_rows, checks.a_cursor_moves_only_after_a_completed_read, {}),
    23: (
        date_shifted_by_zone,
        delivering.test_a_full_payment_is_written_and_confirmed_by_read_back_with_three_calls,
        {},
    ),
    24: (
        poller_without_its_filter,
        polling.test_it_delivers_for_every_partner_and_never_for_a_disconnected_one,
        {},
    ),
    25: (tells_of_money_on_its_way, came_back.test_money_on_its_way_is_told_when_it_arrives, {}),
    26: (arrival_changes_no_wish, came_back.test_money_on_its_way_is_told_when_it_arrives, {}),
    27: (failure_reopens_nothing, came_back.test_what_comes_back_clears_the_paid_date, {}),
    28: (refund_counts_twice, came_back.test_what_comes_back_clears_the_paid_date, {}),
    29: (
        nobody_hears_of_what_came_back,
        came_back.test_money_that_fails_after_autotasks_people_called_it_paid_is_asked_about,
        {},
    ),
    30: (parts_before_clearing, checks.a_match_taken_back_leaves_no_date_of_ours_there, {}),
    31: (parts_under_a_write, checks.a_match_stays_while_a_write_of_ours_may_still_arrive, {}),
}
