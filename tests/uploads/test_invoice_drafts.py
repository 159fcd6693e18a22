"""Rows of invoices as other programs write them: which are invoices, which are credits, and what is neither."""

import pytest

from portal.uploads import invoice_drafts
from portal.uploads.choice import Choice

COLUMNS = {"number": 0, "customer": 1, "issued_on": 2, "total": 3, "type": 4}
INVOICES = ("Invoice", "invoices", "Sales Invoice", "Tax invoice", "ACCREC", "")
CREDITS = ("Credit", "Credit memo", "Credit Note", "Sales credit note", "Sales Credit", "ACCRECCREDIT")
OTHERS = (
    "Sales Receipt", "Sales Tax Payment", "Invoice payment", "Sales overpayment", "Purchase invoice", "ACCPAY",
    "Credit Card Payment", "Vendor Credit", "Purchase credit note", "Credit Card Credit", "Payment", "Proforma invoice",
)  # fmt: skip


@pytest.mark.parametrize("kind", [*INVOICES, *CREDITS, *OTHERS])
def test_a_row_is_an_invoice_or_a_credit_by_the_whole_of_its_kind(kind: str) -> None:
    cells = ["A-1", "Fabrikam", "2026-11-01", "5", kind]
    found = invoice_drafts.draft(2, [cells], Choice(COLUMNS), [""])
    told = [f"This row is no invoice but “{kind}”."] if kind in OTHERS else []
    assert [one.sentence for one in found.refusals] == told
    if not told:
        assert found.sent["total"] == ("-5" if kind in CREDITS else "5")
