"""The rules of a delivery by themselves, each edge of them: what is decided, how a row goes on, how long it waits."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from portal.autotask import errors
from portal.connect.errors import NotConnected, Unusable
from portal.models import DeliveryState
from portal.reconcile import delivery_row, failures, timing
from portal.reconcile.decide import VOIDED, Act, Known, Marks, Reading, decide, marks_after
from portal.reconcile.delivery_row import Row
from portal.reconcile.failures import Failure
from portal.reconcile.when_to_compare import next_look, planned

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
D1, D2, D3 = date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3)
SECOND = timedelta(seconds=1)


def read(paid_on: date | None = None, **values: Any) -> Reading:
    return Reading(paid_on, NOW, **values)


def strays(*values: date | None) -> Marks:
    return Marks(strays=frozenset(values))


@pytest.mark.parametrize(
    ("wish", "marks", "shown", "act", "kind"),
    [
        (D1, Marks(), None, Act.WRITE, ""),
        (D1, Marks(), D1, Act.NOTHING, ""),
        (D1, Marks(), D2, Act.NOTHING, ""),  # theirs is kept
        (D1, Marks(our_mark_on=D2), D2, Act.WRITE, ""),
        (D1, Marks(shown_on=D2), D2, Act.WRITE, ""),
        (D1, strays(D2), D2, Act.WRITE, ""),
        (D1, strays(D3), D2, Act.NOTHING, ""),
        (D1, Marks(our_mark_on=D1), None, Act.WRITE, ""),  # never seen there
        (D1, Marks(our_mark_on=D1, shown_on=D1), None, Act.REFUSE, "unpaid_in_autotask"),
        (D1, Marks(D1, D1, frozenset({None})), None, Act.WRITE, ""),  # our own late clearing
        (None, Marks(), None, Act.NOTHING, ""),
        (None, Marks(), D1, Act.NOTHING, ""),  # their own people marked it
        (None, Marks(our_mark_on=D1), D1, Act.CLEAR, ""),
        (None, Marks(shown_on=D1), D1, Act.CLEAR, ""),
        (None, strays(D1), D1, Act.CLEAR, ""),
        (None, Marks(our_mark_on=D1), D2, Act.REFUSE, "paid_mark_changed"),
        (None, Marks(shown_on=D1), D2, Act.REFUSE, "paid_mark_changed"),
    ],
)
def test_what_is_done_follows_from_the_wish_the_marks_and_what_is_shown(wish, marks, shown, act, kind):
    decision = decide(wish, marks, Known(), read(shown))
    assert (decision.act, decision.kind) == (act, kind)
    assert decision.paid_on == (wish if act == Act.WRITE else None)
    assert bool(decision.sentence) == (act in (Act.NOTHING, Act.REFUSE))


@pytest.mark.parametrize("moved", [{"total_raw": Decimal(1)}, {"tax_raw": Decimal(1)}, {"is_voided": True}])
def test_what_autotask_changed_comes_first_and_a_voided_one_takes_no_mark(moved):
    assert decide(D1, Marks(), Known(), read(D1, **moved)).act == Act.LEARN
    assert decide(D1, Marks(), Known(**moved), read(D1)).act == Act.LEARN
    assert decide(D1, Marks(), Known(is_voided=True), read(is_voided=True)) == VOIDED
    assert decide(None, Marks(D1, D1), Known(), read(D1, is_voided=True)).act == Act.NOTHING
    assert VOIDED.kind == "voided"


def test_amounts_of_a_given_invoice_are_not_autotasks_to_tell():
    given = Known(is_given=True)
    assert not given.is_moved_by(read(total_raw=Decimal(5), tax_raw=Decimal(1)))
    assert given.is_moved_by(read(is_voided=True))
    assert not replace(given, is_voided=True, voided_by_source=True).is_moved_by(read())
    assert replace(given, voided_by_source=True).is_moved_by(read())
    assert not replace(given, is_voided=True).is_moved_by(read(is_voided=True))
    assert replace(given, is_voided=True).is_moved_by(read())


@pytest.mark.parametrize(
    ("marks", "shown", "after"),
    [
        (Marks(D1, D1), None, (None, None)),
        (Marks(D1, D1, frozenset({D3, D2, None})), None, (D2, None)),
        (Marks(D1, D1, frozenset({None})), None, (None, None)),
        (Marks(D1), D1, (D1, D1)),
        (Marks(D1, D2), D2, (D2, D2)),
        (strays(D3), D3, (D3, D3)),
        (Marks(D1, D2), D3, (D1, D2)),
    ],
)
def test_whose_mark_it_is_afterwards(marks, shown, after):
    assert marks_after(marks, read(shown)) == after


HELD = Row(D1, wish_version=3, state=DeliveryState.SENDING, lease_token="a", lease_until=NOW + timing.LEASE)


def test_a_claim_is_for_ninety_seconds():
    row = delivery_row.claimed(Row(D1), "a", NOW)
    assert (row.state, row.lease_token, row.lease_until) == ("sending", "a", NOW + timedelta(seconds=90))


@pytest.mark.parametrize(
    ("changed", "fine"),
    [
        ({}, True),
        ({"lease_until": NOW + timedelta(seconds=30)}, True),
        ({"lease_until": NOW + timedelta(seconds=29)}, False),
        ({"lease_until": None}, False),
        ({"lease_token": "b"}, False),
        ({"wish_version": 4}, False),
        ({"wish_version": 2}, False),
    ],
)
def test_it_is_sent_while_it_is_ours_the_same_wish_and_time_enough(changed, fine):
    assert delivery_row.may_send(replace(HELD, **changed), "a", 3, NOW) is fine


def test_what_was_begun_is_written_down_and_taken_back_where_it_was_not_sent():
    begun = delivery_row.begun(HELD, D2, NOW)
    assert (begun.our_mark_on, begun.sent_at) == (D2, NOW)
    assert delivery_row.begun(replace(HELD, our_mark_on=D1), None, NOW).our_mark_on == D1
    assert delivery_row.taken_back(begun, "a", D2, D1).our_mark_on == D1
    assert delivery_row.taken_back(begun, "b", D2, D1) == begun
    assert delivery_row.taken_back(begun, "a", D3, D1) == begun


ENDED = {"lease_token": None, "lease_until": None, "error": None, "error_kind": None}
SAID = replace(HELD, error="No answer.", error_kind="unavailable", attempts=5, confirmed_at=NOW - SECOND)


def test_what_is_given_back_is_due_at_once_and_keeps_its_tries():
    given = {**ENDED, "state": "waiting", "next_try_at": NOW}
    assert delivery_row.released(SAID, "a", NOW) == replace(SAID, **given)
    assert delivery_row.released(SAID, "b", NOW) == SAID
    assert delivery_row.released(SAID, "b", NOW, sent=True) == replace(SAID, wish_version=4)


def test_what_is_settled_is_done_for_the_version_that_was_carried():
    done = {**ENDED, "done_version": 3, "our_mark_on": D1, "shown_on": D2, "attempts": 0}
    ends = {"state": "confirmed", "next_try_at": None, "confirmed_at": NOW}
    assert delivery_row.settled(SAID, "a", 3, (D1, D2), NOW) == replace(SAID, **done, **ends)
    newer = replace(SAID, wish_version=4)
    goes_on = {"state": "waiting", "next_try_at": NOW}
    assert delivery_row.settled(newer, "a", 3, (D1, D2), NOW) == replace(newer, **done, **goes_on)
    assert delivery_row.settled(replace(SAID, done_version=7), "a", 3, (D1, D2), NOW).done_version == 7
    assert delivery_row.settled(SAID, "b", 3, (D1, D2), NOW) == replace(SAID, wish_version=4)


def test_whoever_was_overtaken_has_somebody_look_again():
    at_rest = replace(SAID, state=DeliveryState.CONFIRMED)
    assert delivery_row.overtaken(SAID, NOW) == replace(SAID, wish_version=4)
    assert delivery_row.overtaken(at_rest, NOW) == replace(
        at_rest, wish_version=4, state="waiting", next_try_at=NOW
    )
    again = {"wish_version": 4, "attempts": 0, "error": None, "error_kind": None}
    assert delivery_row.looked_for(SAID, NOW) == replace(SAID, **again)
    assert delivery_row.looked_for(at_rest, NOW) == replace(
        at_rest, **again, state="waiting", next_try_at=NOW
    )


def longest(low: float, high: float) -> float:
    return high


AWAY = Failure("unavailable", "Autotask is away.")
TOLD = {"error": "Autotask is away.", "error_kind": "unavailable", "lease_token": None, "lease_until": None}


def test_a_try_that_fails_waits_ever_longer_and_the_twelfth_is_parked_and_goes_on_by_itself():
    row = replace(HELD, attempts=3)
    after = delivery_row.failed(row, "a", 3, AWAY, NOW, longest)
    assert after == replace(row, **TOLD, state="waiting", attempts=4, next_try_at=NOW + 8 * SECOND)
    for tries, state in ((10, "waiting"), (11, "parked"), (12, "parked")):
        after = delivery_row.failed(replace(HELD, attempts=tries), "a", 3, AWAY, NOW, longest)
        assert (after.state, after.attempts, after.next_try_at) == (state, tries + 1, NOW + 240 * SECOND)


def test_what_is_final_is_parked_without_a_time_and_what_does_not_count_counts_nothing():
    row = replace(HELD, attempts=11)
    final = delivery_row.failed(row, "a", 3, replace(AWAY, final=True), NOW, longest)
    assert final == replace(row, **TOLD, state="parked", next_try_at=None)
    patient = delivery_row.failed(row, "a", 3, replace(AWAY, counts=False, pause=60.0), NOW, longest)
    assert patient == replace(row, **TOLD, state="waiting", next_try_at=NOW + 65 * SECOND)


def test_a_newer_wish_goes_out_at_once_and_a_lost_lease_is_looked_at_where_something_may_have_arrived():
    newer = replace(SAID, wish_version=4)
    assert delivery_row.failed(newer, "a", 3, AWAY, NOW, longest) == replace(
        newer, **ENDED, state="waiting", next_try_at=NOW
    )
    assert delivery_row.failed(SAID, "b", 3, AWAY, NOW, longest) == SAID
    maybe = replace(AWAY, maybe_applied=True)
    assert delivery_row.failed(SAID, "b", 3, maybe, NOW, longest) == replace(SAID, wish_version=4)


def test_pauses_double_to_four_minutes_on_top_of_what_autotask_asks_for():
    found = [timing.pause(tries, None, longest) / SECOND for tries in (0, 1, 2, 7, 8, 16, 900)]
    assert found == [1, 2, 4, 128, 240, 240, 240]
    assert [timing.pause(tries, 60.0, longest) / SECOND for tries in (0, 2, 9)] == [61, 64, 65]
    assert timing.pause(8, None, lambda low, _: low) == timedelta(0)
    assert timing.pause(8, 7.0, lambda low, _: low) == 7 * SECOND


PROMISED = {
    "LEASE": 90, "LEAST_LEFT": 30, "SEND_WITHIN": 15, "MAY_LAND": 24 * 3600, "COMPARING": 300, "MAX_TRIES": 12,
    "LONGEST_PAUSE": 240, "UNKNOWN_PAUSE": 30, "NOT_TAKEN_PAUSE": 1, "THROTTLED_PAUSE": 60, "LOGIN_PAUSE": 60,
    "WITHOUT_A_TRY_PAUSE": 30,
}  # fmt: skip


def test_times_are_those_that_the_rules_name():
    held = {name: getattr(timing, name) for name in PROMISED}
    assert {
        name: one / SECOND if isinstance(one, timedelta) else one for name, one in held.items()
    } == PROMISED


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("state", "open_for", "confirmed_for", "wished_for", "after"),
    [
        ("waiting", SECOND, None, DAY, None),
        ("sending", None, None, DAY, None),
        ("confirmed", 20 * SECOND, SECOND, DAY, 30 * SECOND),
        ("confirmed", 100 * SECOND, SECOND, DAY, 50 * SECOND),
        ("parked", 30 * HOUR, None, DAY, HOUR),
        ("parked", None, None, SECOND, 10 * 60 * SECOND),
        ("parked", None, None, HOUR, HOUR / 2),
        ("parked", None, DAY, 9 * DAY, DAY),
        ("confirmed", None, 7 * DAY - SECOND, 80 * DAY, DAY),
        ("confirmed", None, 7 * DAY, 80 * DAY, 7 * DAY),
        ("confirmed", None, 90 * DAY - SECOND, 95 * DAY, 7 * DAY),
        ("confirmed", None, 90 * DAY, 95 * DAY, None),
        ("confirmed", None, None, DAY, DAY),
    ],
)
def test_both_sides_are_compared_often_at_first_and_then_seldom(
    state, open_for, confirmed_for, wished_for, after
):
    since, confirmed = (NOW - one if one is not None else None for one in (open_for, confirmed_for))
    found = next_look(DeliveryState(state), since, confirmed, NOW - wished_for, NOW)
    assert found == (NOW + after if after is not None else None)


def test_the_newest_write_that_may_still_arrive_says_how_soon_both_sides_are_compared():
    row = Row(D1, state=DeliveryState.CONFIRMED, confirmed_at=NOW - SECOND)

    def wrote(ago: timedelta, *, open: bool) -> Any:
        return SimpleNamespace(started_at=NOW - ago, may_land_until=NOW + DAY if open else None)

    writes = [wrote(9 * HOUR, open=True), wrote(100 * SECOND, open=True), wrote(SECOND, open=False)]
    assert planned(row, NOW - DAY, writes, NOW) == NOW + 50 * SECOND
    assert planned(row, NOW - DAY, writes[2:], NOW) == NOW + DAY


@pytest.mark.parametrize(
    ("error", "kind", "final", "counts", "pause"),
    [
        (errors.Throttled("Too many.", retry_after=7.0), "throttled", False, False, 7.0),
        (errors.Throttled("Too many."), "throttled", False, False, 60.0),
        (NotConnected("Reconnect."), "not_connected", False, False, 60.0),
        (errors.Unauthorized("Refused."), "unauthorized", False, False, 60.0),
        (errors.Untrusted("Elsewhere."), "untrusted", False, False, 240.0),
        (errors.Unavailable("Away."), "unavailable", False, True, None),
        (errors.NotFound("Gone."), "not_found", True, True, None),
        (errors.Forbidden("No right."), "forbidden", True, True, None),
        (errors.Rejected("No.", texts=["Locked."]), "rejected", True, True, None),
        (errors.UnknownUser("Who?"), "refused", True, True, None),
        (errors.BadRecord("invoice", 7, "paidDate", "x", "is no date"), "bad_record", True, True, None),
        (Unusable("No zone."), "not_connected", False, False, 240.0),
    ],
)
def test_an_error_waits_is_tried_again_or_asks_a_person(error, kind, final, counts, pause):
    found = failures.failure_of(error)
    assert (found.kind, found.final, found.counts, found.pause) == (kind, final, counts, pause)
    assert found.sentence
    assert not found.maybe_applied
    shared = {"throttled", "unavailable", "unauthorized", "not_connected", "untrusted"}
    assert (kind in failures.SHARED) == (kind in shared)


def test_a_write_without_an_answer_is_unknown_and_looked_at_first():
    found = failures.failure_of(errors.Unavailable("Away.", maybe_applied=True))
    assert (found.kind, found.final, found.counts, found.pause, found.maybe_applied) == (
        "unknown",
        False,
        True,
        30.0,
        True,
    )
    assert (failures.NOT_TAKEN.kind, failures.NOT_TAKEN.pause, failures.NOT_TAKEN.maybe_applied) == (
        "not_taken",
        1.0,
        True,
    )
