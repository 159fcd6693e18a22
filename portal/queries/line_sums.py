"""Why the lines of an invoice, as a page shows them, do not add up to its amount due."""

from collections.abc import Sequence

from portal.formatters import amount, digits
from portal.models import Invoice, InvoiceLine
from portal.money import ZERO, rounded
from portal.queries.invoice_lists import Billed


def in_words(invoice: Invoice, lines: Sequence[InvoiceLine | Billed]) -> str:
    """A sentence for the difference between what is shown and what is due; empty where there is none."""
    billed = [line for line in lines if not line.non_billable]
    currency, due = invoice.currency, invoice.amount_due
    # Some databases count tax on the invoice alone.
    taxes = [line.tax_raw for line in billed if line.tax_raw] or [invoice.tax_raw]
    values = [*(line.price_raw for line in billed), *taxes]
    shown, exact = sum((rounded(one, currency) for one in values), ZERO), sum(values, ZERO)
    if not lines or shown == due:
        return ""
    said = f"The prices of the lines and the tax, as they are shown, add up to {amount(shown, currency)}"
    if rounded(exact, currency) == due:
        apart = amount(abs(shown - due), currency)
        who = (
            "Autotask keeps four decimals"
            if invoice.external_id is None
            else "Your system sent more decimals"
        )
        return (
            f"{said}. {who} in each line; what is due is rounded once, at the total: the exact sum is "
            f"{digits(exact)}, so {apart} is rounding and nothing is missing."
        )
    if invoice.locally_changed_at is not None:
        return f"{said}; the amount due was changed here."
    theirs = amount(rounded(invoice.total_raw, currency), currency)
    return (
        f"{said}. Autotask's own total of this invoice is {theirs}: a credit that was applied there, or a line "
        "that was not read yet, makes the difference. What is due follows Autotask's total."
    )
