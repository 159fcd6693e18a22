"""What became of a payment at Autotask stands in the log, once for each end."""

from structlog.testing import capture_logs

from tests.both_sides import Both, both, connect_to, partner, sandbox

__all__ = ["Both", "both", "connect_to", "partner", "sandbox"]
ENDS = ("delivery.confirmed", "delivery.parked")


def test_a_confirmed_and_a_parked_delivery_write_one_line_each(both: Both):
    parked, confirmed = both.invoice(), both.invoice(number="INV-2")
    both.pay(parked)
    both.pay(confirmed)
    both.sandbox.faults.add("F10", "Invoices", "patch", applied=False, times=1)
    with capture_logs() as said:
        both.deliver()
        both.deliver()
    ends = {line["event"]: line for line in said if line["event"] in ENDS}
    assert len(ends) == len([line for line in said if line["event"] in ENDS]) == 2
    assert {line["invoice_id"] for line in ends.values()} == {parked.id, confirmed.id}
    assert ends["delivery.parked"]["error_kind"] == "rejected"
    assert all(line["delivery_id"] for line in ends.values())
