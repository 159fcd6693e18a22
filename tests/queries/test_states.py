"""What a state means on a page: one row a state."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from portal.models import Agreement, Allocation, ApiKey, Delivery, ExceptionItem, Invoice, SyncRun
from portal.queries import integration, invoice_detail, sync_changes
from portal.queries.arrivals import Arrival, Part
from portal.web.charts import scaled, share_of

NOTHING: Any = None


@pytest.mark.parametrize(
    ("state", "wants_new_ones", "live"),
    [
        ("not_connected", False, False),
        ("disconnected", False, False),
        ("connected", False, True),
        ("needs_reconnecting", True, True),
        ("unusable", True, True),
    ],
)
def test_only_an_integration_with_credentials_can_be_tested_and_refused_ones_are_asked_for(
    state: str, wants_new_ones: bool, live: bool
) -> None:
    about = integration.Overview(None, state)
    assert (about.needs_credentials, about.is_live) == (wants_new_ones, live)


def test_invoices_with_tax_on_them_are_counted_and_others_are_not() -> None:
    counts = {"with_tax": 2, "without_tax": 3, "neither": 1, "no_tax": 9, "no_lines": 9}
    sampled: Any = SimpleNamespace(totals_evidence={"counts": counts})
    nothing: Any = SimpleNamespace(totals_evidence={})
    found = [integration.Overview(one).compared_with_tax for one in (sampled, nothing, None)]
    assert found == [6, 0, 0]


@pytest.mark.parametrize(
    ("agreement", "autotask_id", "words"),
    [
        ("agrees", 1, "Autotask agrees."),
        ("differs", 1, "Autotask says something else."),
        ("missing", 1, "It is no longer in Autotask."),
        ("outside_filters", 1, "It lies outside the filters and is no longer updated."),
        ("portal_only", None, "It exists only here."),
        ("waiting", 1, ""),
        ("voided", 1, ""),
    ],
)
def test_a_headline_ends_with_what_autotask_says(agreement: str, autotask_id: int | None, words: str) -> None:
    invoice = Invoice(agreement=agreement, autotask_id=autotask_id, amount_due=Decimal(5))
    assert agreement in set(Agreement)
    found = invoice_detail.Detail(invoice, None, None, (), (), (), (), None, NOTHING, False)
    assert found.agreement_in_words == words


@pytest.mark.parametrize(
    ("what", "item", "title"),
    [
        ("", "", "All records"),
        ("changed", "invoices", "Changed invoices"),
        ("failed", "pdfs", "Failed PDF invoices"),
        ("removed", "", "Removed records"),
    ],
)
def test_a_list_of_changes_is_called_by_what_it_counts(what: str, item: str, title: str) -> None:
    assert sync_changes.changes_from({"what": what, "item": item}).title == title


@pytest.mark.parametrize(
    ("state", "again"), [("failed", True), ("cancelled", True), ("completed", False), ("running", False)]
)
def test_a_sync_that_ended_early_can_be_started_again(state: str, again: bool) -> None:
    assert SyncRun(state=state).ended_early is again


@pytest.mark.parametrize(
    ("cause", "state", "badge", "by_payment"),
    [("overpaid", "open", "needs_you", True), ("sync_failed", "resolved", "resolved", False)],
)
def test_an_exception_says_whether_it_is_open_and_whether_a_payment_can_go(
    cause: str, state: str, badge: str, by_payment: bool
) -> None:
    item = ExceptionItem(cause=cause, state=state)
    assert (item.badge, item.is_about_payments) == (badge, by_payment)


def test_a_closed_delivery_is_not_stuck_though_it_is_stored_so() -> None:
    one = Delivery(stored_state="parked", closed_at=datetime(2026, 11, 24, tzinfo=UTC))
    assert (one.is_closed, one.is_parked, one.is_confirmed) == (True, False, False)


def test_what_is_left_of_a_credit_is_told_as_a_positive_amount() -> None:
    credit = Invoice(status="credit", amount_due=Decimal(-50), outstanding=Decimal(-20))
    assert (credit.credit, credit.too_much, credit.is_overpaid) == (Decimal(50), Decimal(20), False)


@pytest.mark.parametrize(
    ("outstanding", "covered"), [("-30", True), ("-31", True), ("-29.99", False), ("0", False)]
)
def test_an_invoice_stays_paid_without_a_payment_only_when_the_others_cover_it(
    outstanding: str, covered: bool
) -> None:
    part = Part(
        Allocation(amount=Decimal(30)), Invoice(outstanding=Decimal(outstanding)), None, Arrival.CONFIRMED
    )
    assert part.is_covered_without_it is covered


@pytest.mark.parametrize(("scopes", "records"), [(["payments.write"], True), (["payments.read"], False)])
def test_revoking_a_key_warns_of_payments_only_where_it_records_some(
    scopes: list[str], records: bool
) -> None:
    assert ApiKey(scopes=scopes).records_payments is records


@pytest.mark.parametrize(
    ("amounts", "shares"),
    [([], []), ([0, 0], [0, 0]), ([50, 200, -10], [25, 100, 0]), ([-5], [0])],
)
def test_a_bar_is_as_long_as_its_share_of_the_largest(amounts: list[int], shares: list[int]) -> None:
    found = scaled([{"amount": Decimal(amount)} for amount in amounts])
    assert [(one.share, one.rest) for one in found] == [(share, 100 - share) for share in shares]


@pytest.mark.parametrize(("used", "limit", "share"), [(5, 10, 50), (20, 10, 100), (0, 10, 0), (5, 0, 0)])
def test_a_gauge_is_never_more_than_full(used: int, limit: int, share: int) -> None:
    assert share_of(used, limit) == share
