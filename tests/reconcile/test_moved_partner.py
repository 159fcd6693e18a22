"""A delivery meets an address that the partner has left, whatever answers there."""

from collections.abc import Callable
from datetime import date

import pytest

from portal.models import DeliveryState
from tests.both_sides import Both
from tests.connect.conftest import answering
from tests.factories import refreshed

__all__ = ["answering"]
DAY = date(2026, 11, 19)
EMPTY = '{"items":[],"pageDetails":{"count":0,"requestCount":500,"prevPageUrl":null,"nextPageUrl":null}}'


@pytest.mark.parametrize("body", [EMPTY, "{}", "[]", "<html>Gone</html>"])
def test_payments_go_out_at_the_new_address_at_once(
    both: Both, answering: Callable[..., str], body: str
) -> None:
    invoices = [both.invoice(number=f"INV-{number}") for number in range(3)]
    for invoice in invoices:
        both.pay(invoice, on=DAY)
    both.integration.zone_url = answering({}, anything=(200, "application/json", body))
    both.sandbox.clear_requests()

    both.deliver()

    assert [both.shown(invoice) for invoice in invoices] == [DAY] * 3
    assert refreshed(both.integration).zone_url == both.sandbox.api_url
    assert [one.verb for one in both.sandbox.requests].count("zone") == 1


def test_where_the_address_is_the_same_the_delivery_waits_as_in_an_outage(both: Both) -> None:
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    both.sandbox.faults.add("hollow_answer", "Invoices", "get", body="{}", times=0)

    for _ in range(3):
        both.deliver()

    row = both.delivery(invoice)
    assert (row.state, row.error_kind) == (DeliveryState.WAITING, "unavailable")
    assert [one.verb for one in both.sandbox.requests].count("zone") == 1
    both.sandbox.faults.clear()
    both.make_due()
    both.deliver()
    assert both.shown(invoice) == DAY
    assert both.exceptions() == {}


def test_a_change_that_was_not_confirmed_but_shows_costs_no_look_up(both: Both) -> None:
    invoice = both.invoice()
    both.pay(invoice, on=DAY)
    both.sandbox.faults.add("hollow_answer", "Invoices", "patch", body="{}", applied=True, times=0)

    both.deliver()

    assert both.delivery(invoice).state == DeliveryState.CONFIRMED
    assert [one.verb for one in both.sandbox.requests].count("zone") == 0
