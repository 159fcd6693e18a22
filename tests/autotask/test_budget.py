"""Rule 3.6: reading slows down from half of the shared budget and stops at three quarters, payments go on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.autotask.budget import LONGEST_PAUSE, SHORTEST_PAUSE, Threshold, pace

STRICTNESS = {"go": 0, "slow": 1, "stop": 2}
purposes = st.sampled_from(["read", "payment"])
counts = st.integers(-10, 30_000)


def used(count: int, limit: int = 10_000) -> Threshold:
    return Threshold(limit=limit, minutes=60, used=count)


@pytest.mark.parametrize(
    ("count", "reading", "paying"),
    [
        (0, "go", "go"),
        (4_999, "go", "go"),
        (5_000, "slow", "go"),
        (7_499, "slow", "go"),
        (7_500, "stop", "go"),
        (9_499, "stop", "go"),
        (9_500, "stop", "stop"),
        (10_000, "stop", "stop"),
        (25_000, "stop", "stop"),
        (-1, "go", "go"),
    ],
)
def test_the_borders_are_at_50_75_and_95_percent(count, reading, paying):
    assert (pace(used(count), "read").action, pace(used(count), "payment").action) == (reading, paying)


@given(counts, counts, purposes)
def test_more_use_is_never_answered_by_a_faster_pace(one, other, purpose):
    less, more = sorted((one, other))
    first, second = pace(used(less), purpose), pace(used(more), purpose)
    assert STRICTNESS[first.action] <= STRICTNESS[second.action]
    assert first.seconds <= second.seconds


@given(counts)
def test_payments_are_never_held_back_more_than_reading(count):
    assert STRICTNESS[pace(used(count), "payment").action] <= STRICTNESS[pace(used(count), "read").action]


@given(counts, st.integers(-5, 50_000), purposes)
def test_every_pace_says_how_long_and_why(count, limit, purpose):
    chosen = pace(used(count, limit), purpose)
    assert (chosen.action == "go") == (chosen.seconds == 0) == (chosen.reason == "")
    assert chosen.action != "slow" or SHORTEST_PAUSE <= chosen.seconds < LONGEST_PAUSE


def test_the_reason_names_the_numbers():
    assert pace(used(7_600), "read").reason == (
        "7,600 of 10,000 Autotask requests of the last 60 minutes are used, "
        "by this portal and your other tools together."
    )


def test_a_limit_that_makes_no_sense_counts_as_the_usual_one():
    assert pace(used(4_000, limit=0), "read").action == "go"
    assert pace(used(8_000, limit=0), "read").action == "stop"
