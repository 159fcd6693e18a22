"""What pages show is decided here: one row a rule."""

from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, g

from portal.models import IntegrationState, Invoice, SyncRun
from portal.queries import currencies, home, home_bars, invoices, reconciliation
from portal.queries.arrivals import Arrival, Journey, Part
from portal.queries.customers import Owed
from portal.queries.unpaid import Unpaid

TODAY = date(2026, 11, 24)


def rows(*pairs: tuple[str, int]) -> list[Any]:
    return [SimpleNamespace(currency=currency, number=number) for currency, number in pairs]


@pytest.mark.parametrize(
    ("given", "order", "only", "in_others"),
    [
        ([], [], "", 0),
        ([("EUR", 3)], ["EUR"], "EUR", 0),
        ([("CAD", 1), ("EUR", 5), ("USD", 2)], ["USD", "EUR", "CAD"], "", 6),
    ],
)
def test_the_partners_currency_comes_first_and_the_others_are_counted(
    app: Flask, given: list[tuple[str, int]], order: list[str], only: str, in_others: int
) -> None:
    with app.test_request_context():
        g.partner = SimpleNamespace(default_currency="USD")
        found = currencies.main_first(rows(*given), lambda row: row.number)
    assert [row.currency for row in found] == order
    assert (found.only, found.in_others) == (only, in_others)
    assert [row.currency for row in found.others] == order[1:]


@pytest.mark.parametrize(
    ("owed", "only"), [((), ""), (("USD", "USD"), "USD"), (("USD", "EUR"), "")], ids=["none", "one", "two"]
)
def test_a_sum_names_its_currency_once_where_it_is_the_same(owed: tuple[str, ...], only: str) -> None:
    each = [Owed(currency, owed.count(currency), Decimal("10.50") * owed.count(currency), Decimal(0), 0, Decimal(0),
                 owed.count(currency)) for currency in dict.fromkeys(owed)]  # fmt: skip
    credit = Owed("JPY", 1, Decimal(0), Decimal(0), 0, Decimal(-5))
    found = Unpaid([], len(owed), [*each, credit])
    assert found.only_currency == only
    assert found.outstanding == Decimal("10.50") * len(owed)


@pytest.mark.parametrize(
    ("show", "heading", "adds_up"),
    [
        ("all", "All invoices", False),
        ("unpaid", "Unpaid", True),
        ("overdue", "Overdue", True),
        ("part_paid", "Part paid", True),
        ("paid", "Paid", False),
        ("credit", "Credits", False),
        ("voided", "Voided", False),
        ("archived", "Archived", False),
    ],
)
def test_a_list_of_invoices_has_a_heading_and_a_sum_where_all_are_owed(
    show: str, heading: str, adds_up: bool
) -> None:
    assert (invoices.Show(show).heading, invoices.Show(show).adds_up) == (heading, adds_up)


@pytest.mark.parametrize(
    ("args", "narrowed"),
    [({}, False), ({"show": "unpaid"}, False), ({"show": "paid"}, True), ({"q": "x"}, True),
     ({"agreement": "differs"}, True)],
)  # fmt: skip
def test_only_the_usual_list_may_say_that_nothing_is_owed(args: dict[str, str], narrowed: bool) -> None:
    assert invoices.filter_from(args, TODAY).is_narrowed is narrowed


@pytest.mark.parametrize(
    ("arrival", "on_the_way", "unsettled"),
    [
        ("parked", False, True),
        ("sending", True, True),
        ("waiting", True, True),
        ("confirmed", False, False),
        ("not_needed", False, False),
    ],
)
def test_what_is_stuck_is_not_settled_either(arrival: str, on_the_way: bool, unsettled: bool) -> None:
    one = Arrival(arrival)
    assert (one.is_on_the_way, one.is_unsettled) == (on_the_way, unsettled)


@pytest.mark.parametrize(("parts", "named", "more"), [(0, 0, 0), (3, 3, 0), (5, 3, 2)])
def test_a_row_names_three_invoices_and_counts_the_rest(parts: int, named: int, more: int) -> None:
    pays: list[Any] = [Invoice(id=number) for number in range(parts)]
    nothing: Any = None
    journey = Journey(nothing, [Part(nothing, invoice, None, Arrival.CONFIRMED) for invoice in pays])
    assert (len(journey.first_parts), journey.more_parts) == (named, more)
    assert all(journey.part_of(invoice).invoice is invoice for invoice in pays)


@pytest.mark.parametrize(
    ("state", "words", "badge"),
    [
        ("posted", "Posted", "confirmed"),
        ("waiting", "Waiting", "waiting"),
        ("parked", "Stuck", "parked"),
        ("differs", "Differs", "differs"),
        ("reversed", "Reversed", "deleted"),
        ("credited", "Credits applied", "credit"),
        ("settled", "Settled in Autotask", "settled"),
    ],
)
def test_each_state_of_the_month_has_words_and_a_badge(state: str, words: str, badge: str) -> None:
    one = reconciliation.State(state)
    assert (one.words, one.badge) == (words, badge)


@pytest.mark.parametrize(
    ("last", "failed", "told"), [(None, None, None), (None, 4, 4), (3, 4, 4), (5, 4, None)]
)
def test_a_failed_read_is_told_until_one_was_completed_after_it(
    last: int | None, failed: int | None, told: int | None
) -> None:
    runs = [SyncRun(id=number) if number else None for number in (last, failed)]
    shown = home.Syncs(None, runs[0], None, runs[1], None).failed_since
    assert (shown.id if shown else None) == told


@pytest.mark.parametrize("state", [None, *IntegrationState])
def test_only_a_connected_integration_is_read_next(state: IntegrationState | None) -> None:
    integration: Any = SimpleNamespace(state=state) if state else None
    next_read = home.Syncs(integration, None, None, None, "soon").next_read_at
    assert next_read == ("soon" if state == IntegrationState.CONNECTED else None)


def test_what_is_overdue_is_all_that_is_owed_but_what_is_not_due() -> None:
    ages = [home_bars.Bar("Not due yet", Decimal(30)), home_bars.Bar("1 to 30 days", Decimal(12))]
    figures = home.Figures("USD", ages, [home_bars.Bar("Nov", Decimal(0))])
    assert (figures.not_due, figures.overdue, figures.has_collected) == (Decimal(30), Decimal(12), False)


@pytest.mark.parametrize(
    ("status", "values", "badge"),
    [
        ("open", {"due_on": date(2026, 11, 23)}, "overdue"),
        ("part_paid", {"due_on": date(2026, 11, 23)}, "overdue"),
        ("open", {"due_on": TODAY}, "open"),
        ("part_paid", {"due_on": None}, "part_paid"),
        ("paid", {"due_on": date(2026, 11, 23), "paid_amount": Decimal(5)}, "paid"),
        ("paid", {"outstanding": Decimal(-1), "paid_amount": Decimal(6)}, "overpaid"),
        ("paid", {"settled_amount": Decimal(5)}, "settled"),
        ("paid", {"settled_amount": Decimal(2), "paid_amount": Decimal(3)}, "paid"),
        ("voided", {"due_on": date(2026, 11, 23)}, "voided"),
        ("credit", {"outstanding": Decimal(-5)}, "credit"),
    ],
)
def test_the_badge_of_an_invoice_tells_overdue_overpaid_and_settled_apart(
    status: str, values: dict[str, Any], badge: str
) -> None:
    nothing = {"outstanding": Decimal(0), "paid_amount": Decimal(0), "settled_amount": Decimal(0)}
    assert Invoice(status=status, **{**nothing, **values}).shown_on(TODAY) == badge
