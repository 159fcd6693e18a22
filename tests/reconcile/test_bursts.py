"""Many payments at once: deliveries take their steps together, and each stays as safe as if it went alone."""

import threading
from collections import Counter
from datetime import date
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from portal.access.tenancy import tenant_scope
from portal.autotask.client import Client
from portal.extensions import db
from portal.models import DeliveryState, Payment
from portal.payments import recording
from portal.reconcile import deliver, findings
from tests import factories
from tests.both_sides import Both
from tests.faults import children

DAY = date(2026, 11, 19)
MANY = 40


def paid(both: Both, number: int = MANY) -> list[Any]:
    invoices = [both.invoice(number=f"INV-{n}") for n in range(number)]
    for invoice in invoices:
        both.pay(invoice, on=DAY)
    both.sandbox.clear_requests()
    return invoices


def all_told_once(both: Both, invoices: list[Any]) -> None:
    """Each invoice is paid there by exactly one write, and its delivery is confirmed."""
    assert [both.shown(invoice) for invoice in invoices] == [DAY] * len(invoices)
    assert {both.delivery(invoice).state for invoice in invoices} == {DeliveryState.CONFIRMED}
    # A process that is killed while a thread of its own sends leaves a request without a body: it changes nothing.
    written = Counter(call.body for call in both.sandbox.calls("Invoices", "patch") if call.body)
    assert len(written) == len(invoices)
    assert set(written.values()) == {1}
    assert both.exceptions() == {}


def make_slow(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers take their time, so that calls overlap: Autotask slows down from half of the budget on."""
    both.sandbox.switches.latency = 0.02
    both.sandbox.add_other_usage(5000)
    monkeypatch.setattr("portal.connect.usage.Budget.before_call", lambda *_: None)


def test_they_go_side_by_side_never_four_at_once_and_share_their_statements(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoices, statements, judged = paid(both), [], []
    make_slow(both, monkeypatch)
    event.listen(db.engine, "before_cursor_execute", lambda *_: statements.append(1))

    def note(_: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "SET agreement = judged" in statement:
            judged.append(cursor.rowcount)

    event.listen(db.engine, "after_cursor_execute", note)
    assert both.deliver() == MANY
    number = len(statements)
    assert (len(judged) > 0, sum(judged)) == (True, 0), (
        "what is settled is written once, and judged to be right"
    )
    all_told_once(both, invoices)
    assert both.sandbox.stats.max_parallel("Invoices") == 3
    assert Counter(call.verb for call in both.sandbox.requests)["get"] == 2 * MANY
    assert number / MANY < 6


def test_two_workers_at_once_share_the_work_and_the_three_places(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoices, done = paid(both), []
    make_slow(both, monkeypatch)

    def work() -> None:
        with both.app.app_context(), tenant_scope(both.partner.id):
            done.append(deliver.deliver_due())

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sum(done) == MANY
    all_told_once(both, invoices)
    assert both.sandbox.stats.max_parallel("Invoices") <= 3


def test_an_outage_in_the_middle_is_met_by_one_and_the_others_wait_untried(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 5.7: what was not begun is given back; what was sent is looked at before anything is sent again."""
    monkeypatch.setattr("portal.autotask.calls._FIRST_PAUSE", 0.0)
    invoices, asked, real = paid(both), [], Client.get

    def get(self: Client, *rest: Any) -> Any:
        asked.append(1)
        if len(asked) == 12:
            both.sandbox.refuse_connections()
        return real(self, *rest)

    monkeypatch.setattr(Client, "get", get)
    both.deliver()
    both.sandbox.accept_connections()
    rows = [both.delivery(invoice) for invoice in invoices]
    assert sum(row.attempts for row in rows) <= 3, "those whose write was on its way, or the one that met it"
    assert not [row for row in rows if row.state == DeliveryState.SENDING]
    both.make_due()
    while both.deliver():
        both.make_due()
    all_told_once(both, invoices)


def test_a_login_refused_in_the_middle_gives_all_back_after_few_calls(both: Both) -> None:
    """Rule 1.8: Autotask locks users. At most as many refusals as calls may be under way, and one look."""
    invoices = paid(both)
    real, seen = deliver.Drain._note, []

    def note(self: Any, work: Any) -> None:
        seen.append(work)
        if len(seen) == 1:
            both.sandbox.change_secret("another")
        real(self, work)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deliver.Drain, "_note", note)
        both.deliver()
    assert both.sandbox.user.refusals <= 4
    rows = [both.delivery(invoice) for invoice in invoices]
    assert Counter(row.state for row in rows)[DeliveryState.WAITING] == MANY - 1
    assert {row.lease_token for row in rows} == {None}


def test_a_fault_with_one_of_them_parks_it_in_time_and_the_others_go_on(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoices, real = paid(both), findings.tell_moved
    spoilt = invoices[9]

    def tell_moved(work: Any, invoice: Any) -> None:
        if invoice.id == spoilt.id:
            raise RuntimeError("a bug")
        real(work, invoice)

    monkeypatch.setattr(findings, "tell_moved", tell_moved)
    both.deliver()
    assert both.delivery(spoilt).error_kind == "internal"
    monkeypatch.setattr(findings, "tell_moved", real)
    both.make_due()
    both.deliver()
    all_told_once(both, invoices)


@pytest.mark.faults
@pytest.mark.parametrize(
    "point", ["W8 read", "W9 written down", "W10 before it leaves", "W10 arrived", "W13 settled"]
)
def test_a_worker_killed_with_several_in_its_hands_is_made_good_by_the_next(
    both: Both, superuser: psycopg.Connection, point: str
) -> None:
    """W8 to W13, the same as alone."""
    invoices = paid(both, 6)
    children.die(both.app, both.partner.id, _six_at_once, point)
    superuser.execute(
        "UPDATE delivery SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL"
    )
    superuser.execute("UPDATE call_slot SET held_until = NULL, token = NULL")
    both.deliver()
    all_told_once(both, invoices)


def _six_at_once() -> int:
    return deliver.run(deliver.Drain(together=6))


def the_payment() -> int:
    """The one payment there is."""
    return db.session.query(Payment).one().id


def test_a_fault_of_the_portal_while_it_sends_leaves_the_mark_with_us(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write had landed: once the payment is deleted, Autotask's date is taken away again."""
    (invoice,), real = paid(both, 1), Client.patch

    def lands_and_fails(self: Client, *arguments: Any) -> None:
        real(self, *arguments)
        raise RuntimeError("out of memory")

    with monkeypatch.context() as broken:
        broken.setattr(Client, "patch", lands_and_fails)
        both.deliver()
    assert both.shown(invoice) == DAY
    both.make_due()
    both.deliver()
    assert both.delivery(invoice).state == DeliveryState.CONFIRMED
    recording.delete(factories.ACTOR, the_payment(), "Recorded twice")
    db.session.commit()
    both.deliver()
    assert both.shown(invoice) is None
