"""An invoice takes a payment exactly when there is no sentence why not."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

from portal.models import Invoice, InvoiceStatus
from portal.payments.rules import why_not_payable

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_payable_and_the_reason_why_not_never_disagree():
    seen = set()
    for status, archived, missing, owed in product(InvoiceStatus, (None, NOW), (None, NOW), ("0", "5")):
        invoice = Invoice(
            number="INV-1", status=status, archived_at=archived, missing_since=missing,
            outstanding=Decimal(owed), settled_amount=Decimal(0),
        )  # fmt: skip
        assert invoice.is_payable == (why_not_payable(invoice) is None), (status, archived, missing, owed)
        seen.add(invoice.is_payable)
    assert seen == {True, False}
