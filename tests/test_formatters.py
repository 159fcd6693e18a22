from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum

import pytest
from flask import Flask, g

from portal import formatters, models
from portal.web.state_badges import BADGES, badge_for

NOON = datetime(2026, 11, 19, 12, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [
        ("0", "USD", "0.00"),
        ("1204.5", "USD", "1,204.50"),
        ("-1204.5", "USD", "-1,204.50"),
        ("-0.004", "USD", "0.00"),
        ("0.005", "USD", "0.01"),
        ("1234567.891", "KWD", "1,234,567.891"),
        ("1234.5", "JPY", "1,235"),
        ("99999999999999.99", "EUR", "99,999,999,999,999.99"),
    ],
)
def test_an_amount_has_its_currencys_decimals_and_separated_thousands(
    value: str, currency: str, shown: str
) -> None:
    assert formatters.amount(Decimal(value), currency) == shown


@pytest.mark.parametrize(
    ("value", "currency", "shown"),
    [("3.125000", "USD", "3.125"), ("95.000000", "USD", "95.00"), ("1250.5", "USD", "1,250.50"), ("7.5", "JPY", "7.5"),
     ("-0.000123", "USD", "-0.000123")],
)  # fmt: skip
def test_a_rate_keeps_the_decimals_that_the_price_comes_of(value: str, currency: str, shown: str) -> None:
    assert formatters.rate(Decimal(value), currency) == shown


def test_money_names_its_currency_and_never_breaks_over_lines() -> None:
    assert formatters.money(Decimal("-3"), "USD") == "-3.00\N{NO-BREAK SPACE}USD"


def test_nothing_is_a_dash_not_a_zero() -> None:
    assert formatters.amount(None) == formatters.money(None, "USD") == formatters.day(None) == "–"


def test_a_date_is_never_shifted_by_a_zone(app_at: Flask) -> None:
    """Rule 4.4."""
    g.time_zone = "Pacific/Kiritimati"
    assert formatters.day(date(2026, 11, 19)) == "19 Nov 2026"


def test_an_instant_is_shown_in_the_partners_zone_with_the_zone_named(app_at: Flask) -> None:
    """Rule 4.4."""
    g.time_zone = "Europe/Berlin"
    assert formatters.instant(NOON, seconds=True, with_zone=True) == "19 Nov 2026, 13:00:07 CET"
    g.time_zone = "Pacific/Kiritimati"
    assert formatters.instant(NOON, with_zone=True) == "20 Nov 2026, 02:00 UTC+14"


def test_an_unknown_zone_shows_utc_instead_of_failing(app_at: Flask) -> None:
    g.time_zone = "Mars/Olympus"
    assert formatters.instant(NOON, with_zone=True) == "19 Nov 2026, 12:00 UTC"


def test_machines_read_instants_in_utc() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    assert formatters.iso(east) == "2026-11-19T12:00:07+00:00"
    assert formatters.iso(date(2026, 11, 19)) == "2026-11-19"


@pytest.mark.parametrize(
    ("seconds", "past", "future"),
    [
        (0, "just now", "now"),
        (59, "just now", "now"),
        (60, "1 minute ago", "in 1 minute"),
        (200, "3 minutes ago", "in 3 minutes"),
        (7200, "2 hours ago", "in 2 hours"),
        (86400, "1 day ago", "in 1 day"),
    ],
)
def test_distances_in_time_read_like_speech(seconds: int, past: str, future: str) -> None:
    gap = timedelta(seconds=seconds)
    assert formatters.ago(NOON - gap, NOON) == past
    assert formatters.ahead(NOON + gap, NOON) == future


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.2, "under 1 s"),
        (41.4, "41 s"),
        (125, "2 min 5 s"),
        (120, "2 min"),
        (3840, "1 h 4 min"),
        (7200, "2 h"),
    ],
)
def test_durations_are_short(seconds: float, shown: str) -> None:
    assert formatters.duration(seconds) == shown


@pytest.mark.parametrize(
    ("method", "shown"), [("ach", "ACH"), ("check", "Check"), ("settled", "Set in Autotask")]
)
def test_how_money_came_is_said_in_words(method: str, shown: str) -> None:
    assert formatters.how_paid(method) == shown


def test_counts_and_plurals() -> None:
    assert formatters.count(31004) == "31,004"
    assert formatters.plural(1, "invoice") == "1 invoice"
    assert formatters.plural(1204, "invoice") == "1,204 invoices"
    assert formatters.plural([], "delivery", "deliveries") == "0 deliveries"


def test_every_badge_has_a_word_a_tone_and_a_shape() -> None:
    for badge in BADGES.values():
        assert badge.word
        assert badge.tone in ("good", "wait", "attention", "risk")
        assert badge.icon


@pytest.mark.parametrize(
    "states",
    [
        models.Agreement,
        models.AttemptOutcome,
        models.DeliveryState,
        models.ExceptionState,
        models.IntegrationState,
        models.InvoiceStatus,
        models.PdfState,
        models.RunState,
        models.VisitMode,
    ],
)
def test_every_state_of_the_models_has_its_badge(states: type[StrEnum]) -> None:
    assert [state.value for state in states if state.value not in BADGES] == []


def test_a_state_without_a_badge_is_shown_as_its_own_word() -> None:
    class State(StrEnum):
        HALF_DONE = "half_done"

    assert badge_for(State.HALF_DONE).word == "Half done"


@pytest.fixture
def app_at() -> Iterator[Flask]:
    app = Flask(__name__)
    with app.app_context():
        yield app


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-19", "19 Nov 2026"),
        ("2026-11-19T10:42:00+00:00", "19 Nov 2026, 10:42 UTC"),
        ("-1234567.50", "-1,234,567.50"),
        ("12.5", "12.5"),
        ("2026-99-99", "2026-99-99"),
        ("INV-2026-11-19", "INV-2026-11-19"),
        ("12345", "12345"),
    ],
)
def test_what_was_kept_as_text_is_shown_as_on_every_page(text: str, shown: str) -> None:
    assert formatters.kept(text) == shown


def test_a_number_that_is_no_amount_keeps_the_decimals_it_has(app: Flask) -> None:
    values = [Decimal(text) for text in ("2.000000", "1204.125000", "-0.5", "10")]
    assert [formatters.digits(value) for value in values] == ["2", "1,204.125", "-0.5", "10"]
    with app.test_request_context():
        g.number_format = "point_comma"
        assert formatters.digits(Decimal("1204.125")) == "1.204,125"
