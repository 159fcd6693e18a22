"""Each step of a delivery by itself: what it sends, what it counts, how it ends, and what is kept of its tries."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from portal import clock
from portal.autotask.errors import Rejected, Throttled, Unauthorized, Unavailable
from portal.models import AttemptOutcome, DeliveryState
from portal.reconcile import clearing, delivery_steps, transitions
from portal.reconcile.decide import Act, Decision, Known, Marks, Reading
from portal.reconcile.delivery_row import Row
from portal.reconcile.failures import NOT_FOUND, NOT_TAKEN, UNKNOWN, Failure
from portal.reconcile.sent_writes import Try
from portal.reconcile.transitions import Held
from portal.reconcile.work import Claim, Phase, Work
from tests.reconcile.model import item

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
D1, D2 = date(2026, 11, 1), date(2026, 11, 2)
RESET = Unavailable("The connection was reset.", maybe_applied=True)
REFUSED = Rejected("Refused.", status=500, texts=["The period is locked."])
NO_PATCH = Rejected("No such verb.", status=405)


class Shelf:
    """Where deliveries are kept: tells what was called."""

    def __init__(self, attempt: int | None = 7) -> None:
        self.attempt, self.ends = attempt, list[str]()

    def now(self) -> datetime:
        return NOW

    def begin(self, work: Work) -> int | None:
        return self.attempt

    def settle(self, work: Work) -> None:
        self.ends.append("settled")

    def learn(self, work: Work) -> None:
        self.ends.append("learned")

    def fail(self, work: Work) -> None:
        self.ends.append("failed")

    def release(self, work: Work) -> None:
        self.ends.append("released")


class There:
    """An Autotask that shows a date, and answers writes with an error or not at all."""

    def __init__(self, shows: date | None = None, error: Exception | None = None) -> None:
        self.shows, self.error, self.sent = shows, error, list[tuple[str, Any]]()

    def get(self, entity: str, id: int) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return item(self.shows)

    def patch(self, entity: str, body: dict[str, Any]) -> None:
        self._take("patch", body)

    def put(self, entity: str, body: dict[str, Any]) -> None:
        self._take("put", body)

    def _take(self, verb: str, body: dict[str, Any]) -> None:
        self.sent.append((verb, body.get("paidDate", "left out")))
        if self.error is not None:
            raise self.error


def read(paid_on: date | None, at: datetime = NOW) -> Reading:
    return Reading(paid_on, at)


def work(
    wish: date | None = D1, phase: Phase = Phase.READ, marks: Marks | None = None, **values: Any
) -> Work:
    known = Known(SHOWN.total_raw, SHOWN.tax_raw)
    return Work(Claim(1, 1, 1, "ours", 1, wish, marks or Marks(), known), phase=phase, calls=4, **values)


SHOWN = delivery_steps.reading_of(item(None), NOW)


def sending(wish: date | None = D1, **values: Any) -> Work:
    act = Decision(Act.WRITE, wish) if wish else Decision(Act.CLEAR)
    usual = {"decision": act, "read": read(None if wish else D1), "attempt_id": 7}
    return work(wish, Phase.SEND, **{**usual, "send_before": clock.monotonic() + 9, **values})


@pytest.mark.parametrize(
    ("wish", "marks", "shows", "phase"),
    [
        (D1, Marks(), None, Phase.BEGIN),
        (None, Marks(D1, D1), D1, Phase.BEGIN),
        (D1, Marks(), D1, Phase.SETTLE),
        (None, Marks(D1, D1), D2, Phase.FAIL),
    ],
)
def test_it_reads_first_and_counts_that_call(wish, marks, shows, phase):
    after = delivery_steps.advance(work(wish, marks=marks), Shelf(), There(shows))
    assert (after.phase, after.calls, after.read.paid_on, after.read.started_at) == (phase, 5, shows, NOW)
    assert phase != Phase.FAIL or after.failure.final


def test_what_may_not_be_sent_is_given_back():
    begun = delivery_steps.advance(replace(sending(), phase=Phase.BEGIN), Shelf(), There())
    assert (begun.phase, begun.attempt_id, begun.outcome) == (Phase.SEND, 7, "")
    assert 0 < begun.send_before - clock.monotonic() <= 15
    lost = delivery_steps.advance(replace(sending(), phase=Phase.BEGIN), Shelf(None), There())
    there = There()
    late = delivery_steps.advance(sending(send_before=clock.monotonic() - 1), Shelf(), there)
    assert [(one.phase, one.outcome) for one in (lost, late)] == [
        (Phase.RELEASE, AttemptOutcome.OVERTAKEN)
    ] * 2
    assert (there.sent, late.sent, late.calls) == ([], False, 4)


@pytest.mark.parametrize(
    ("wish", "by_put", "error", "phase", "sent", "unknown", "verb"),
    [
        (D1, False, None, Phase.VERIFY, True, False, "patch"),
        (D1, True, None, Phase.VERIFY, True, False, "put"),
        (None, False, None, Phase.VERIFY, True, False, "patch"),
        (D1, False, RESET, Phase.VERIFY, True, True, "patch"),
        (D1, False, REFUSED, Phase.FAIL, False, False, "patch"),
        (D1, False, NO_PATCH, Phase.BEGIN, False, False, "patch"),
        (D1, True, NO_PATCH, Phase.FAIL, False, False, "put"),
        (None, False, REFUSED, Phase.BEGIN, False, False, "patch"),
        (None, True, REFUSED, Phase.FAIL, False, False, "put"),
        (D1, False, Throttled("Slower."), Phase.FAIL, False, False, "patch"),
    ],
)
def test_one_write_leaves_and_whatever_becomes_of_it_is_looked_at(
    wish, by_put, error, phase, sent, unknown, verb
):
    there = There(error=error)
    after = delivery_steps.advance(sending(wish, by_put=by_put), Shelf(), there)
    assert (after.phase, after.sent, after.unknown) == (phase, sent, unknown)
    assert there.sent == [(verb, wish if verb == "patch" or wish else "left out")]
    assert after.calls == 5
    if phase == Phase.BEGIN:
        assert (after.by_put, bool(after.refused_with)) == (True, True)
    if phase == Phase.FAIL:
        assert after.failure.maybe_applied is False
    if error is REFUSED:
        assert "locked" in (after.refused_with or after.failure.sentence)


@pytest.mark.parametrize(
    ("wish", "was", "shows", "values", "phase", "failure"),
    [
        (D1, None, D1, {}, Phase.SETTLE, None),
        (None, D1, None, {}, Phase.SETTLE, None),
        (D1, None, None, {}, Phase.FAIL, NOT_TAKEN),
        (D1, None, None, {"unknown": True}, Phase.FAIL, UNKNOWN),
        (None, D1, D1, {}, Phase.BEGIN, None),
        (None, D1, D1, {"unknown": True}, Phase.FAIL, UNKNOWN),
        (None, D1, D2, {}, Phase.FAIL, NOT_TAKEN),
    ],
)
def test_only_what_is_read_back_counts(wish, was, shows, values, phase, failure):
    begun = replace(sending(wish, read=read(was)), phase=Phase.VERIFY, sent=True, **values)
    after = delivery_steps.advance(begun, Shelf(), There(shows))
    assert (after.phase, after.failure, after.calls, after.read_back.paid_on) == (phase, failure, 5, shows)
    assert (after.outcome == AttemptOutcome.CONFIRMED) == (phase == Phase.SETTLE)


def test_a_clearing_that_neither_way_takes_is_for_a_person_and_may_have_been_applied():
    begun = replace(sending(None), phase=Phase.VERIFY, sent=True, by_put=True, refused_with="It is locked.")
    after = delivery_steps.advance(begun, Shelf(), There(D1))
    assert (after.phase, after.failure.kind, after.failure.maybe_applied) == (Phase.FAIL, "not_cleared", True)
    assert "It is locked." in after.failure.sentence
    marks = Marks(D1, D1, frozenset({D1}))
    late = replace(begun, claim=replace(begun.claim, marks=marks))
    assert delivery_steps.advance(late, Shelf(), There(D1)).failure == NOT_TAKEN
    assert not clearing.kept_the_mark(replace(begun, read_back=read(D2)))
    assert not clearing.kept_the_mark(replace(begun, read_back=None))


def test_an_error_after_the_write_may_have_been_applied_and_a_refused_login_gives_back():
    begun = replace(sending(), phase=Phase.VERIFY, sent=True)
    after = delivery_steps.advance(begun, Shelf(), There(error=Throttled("Slower.")))
    assert (after.phase, after.failure.maybe_applied, after.calls) == (Phase.FAIL, True, 5)
    shelf = Shelf()
    with pytest.raises(Unauthorized):
        delivery_steps.advance(begun, shelf, There(error=Unauthorized("No.")))
    assert shelf.ends == ["released"]


@pytest.mark.parametrize(
    ("phase", "end", "outcome"),
    [
        (Phase.SETTLE, "settled", AttemptOutcome.NOTHING_TO_DO),
        (Phase.LEARN, "learned", ""),
        (Phase.FAIL, "failed", ""),
        (Phase.RELEASE, "released", ""),
    ],
)
def test_each_end_is_kept_once_and_said(phase, end, outcome):
    for said in ("", AttemptOutcome.OVERTAKEN):
        shelf = Shelf()
        after = delivery_steps.advance(work(phase=phase, outcome=said), shelf, There())
        assert (after.phase, after.outcome, shelf.ends) == (Phase.DONE, said or outcome, [end])


def held(*tries: Try, **values: Any) -> Held:
    usual = {"state": DeliveryState.SENDING, "lease_token": "ours", "wish_version": 1, "our_mark_on": D1}
    return Held(Row(D1, **{**usual, **values}), tries)


def test_a_settled_write_is_closed_and_one_whose_lease_was_lost_is_watched():
    done = replace(sending(), read_back=read(D1), sent=True)
    settled = transitions.settle(held(Try(7, D1)), done, NOW)
    assert (settled.row.state, settled.tries[0].outcome, settled.tries[0].is_open) == (
        DeliveryState.CONFIRMED, AttemptOutcome.CONFIRMED, False,
    )  # fmt: skip
    for unknown, outcome in ((False, AttemptOutcome.OVERTAKEN), (True, AttemptOutcome.UNKNOWN)):
        lost = transitions.settle(
            held(Try(7, D1), lease_token="another"), replace(done, unknown=unknown), NOW
        )
        assert (lost.tries[0].outcome, lost.tries[0].is_open, lost.row.wish_version) == (outcome, True, 2)


def test_a_write_of_before_that_the_first_read_shows_needs_no_more_watching():
    """The read before ours accounts for it; without one, nothing does."""
    before = Try(3, D1, AttemptOutcome.UNKNOWN, finished_at=NOW + timedelta(days=1))
    done = work(D1, Phase.SETTLE, read=read(D1))
    assert [one.is_open for one in transitions.settle(held(before), done, NOW).tries] == [False]
    unseen = work(D1, Phase.SETTLE, read_back=read(D1))
    assert [one.is_open for one in transitions.settle(held(before), unseen, NOW).tries] == [True]


@pytest.mark.parametrize(
    ("sent", "final", "is_open", "outcome"),
    [
        (True, False, True, AttemptOutcome.UNKNOWN),
        (True, True, False, AttemptOutcome.REFUSED),
        (False, False, False, AttemptOutcome.RETRY),
        (False, True, False, AttemptOutcome.REFUSED),
    ],
)
def test_what_was_sent_is_watched_unless_it_was_refused(sent, final, is_open, outcome):
    failed = replace(sending(), sent=sent).failed(Failure("x", "It failed.", final=final))
    after = transitions.fail(held(Try(7, D1)), failed, NOW)
    assert (after.tries[0].is_open, after.tries[0].outcome) == (is_open, outcome)
    assert (after.row.our_mark_on == D1) == sent


@pytest.mark.parametrize(
    ("sent", "outcome"), [(True, AttemptOutcome.UNKNOWN), (False, AttemptOutcome.OVERTAKEN)]
)
def test_what_is_given_back_after_it_was_sent_is_watched(sent, outcome):
    after = transitions.release(held(Try(7, D1)), replace(sending(), sent=sent), NOW)
    assert (after.tries[0].outcome, after.tries[0].is_open, after.row.state) == (outcome, sent, "waiting")


@pytest.mark.parametrize(
    ("values", "shows", "is_due"),
    [
        ({"state": "confirmed", "shown_on": D1}, D1, False),
        ({"state": "confirmed"}, None, True),
        ({"state": "confirmed"}, D2, False),
        ({"state": "parked", "error_kind": "rejected"}, D1, True),
        ({"state": "parked", "error_kind": "rejected"}, None, False),
        ({"state": "parked", "error_kind": NOT_FOUND}, None, True),
        ({"state": "parked", "error_kind": "voided"}, None, True),
        ({"state": "parked", "error_kind": "unpaid_in_autotask", "shown_on": D1}, None, False),
        ({"state": "waiting"}, None, False),
        ({"state": "sending"}, None, False),
    ],
)
def test_a_comparison_makes_due_what_can_get_on_and_nothing_else(values, shows, is_due):
    before = held(**values)
    after = transitions.compare(before, Known(), read(shows), NOW)
    assert (after.row != before.row) == is_due
    assert not is_due or (after.row.state, after.row.next_try_at, after.row.wish_version) == (
        "waiting",
        NOW,
        2,
    )


def test_a_comparison_closes_what_it_accounts_for():
    before = held(Try(3, D1, finished_at=None), state="confirmed", shown_on=None)
    after = transitions.compare(before, Known(), read(D1), NOW + timedelta(days=1))
    assert [(one.is_open, one.outcome) for one in after.tries] == [(False, AttemptOutcome.UNKNOWN)]
