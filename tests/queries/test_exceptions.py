"""What an exception shows of both sides, as every other page would show it."""

from portal.models import ExceptionItem
from portal.queries import exception_values


def test_days_and_amounts_of_an_exception_read_as_everywhere() -> None:
    """D22."""
    item = ExceptionItem(
        ours={"due_on": "2026-11-19", "amount_due": "1204.5", "currency": "USD"},
        theirs={
            "due_on": "2026-12-01",
            "amount_due": "1204.50",
            "invoiceTotal": "7.0000",
            "candidates_found": 3,
        },
    )
    both = {row["label"]: (row["ours"], row["theirs"]) for row in exception_values.both_values(item)}
    assert both["Due on"] == ("19 Nov 2026", "1 Dec 2026")
    assert both["Amount due"] == ("1,204.50\N{NO-BREAK SPACE}USD",) * 2
    assert dict(exception_values.one_sided(item)) == {
        "Currency here": "USD",
        "Invoice total in Autotask": "7.00\N{NO-BREAK SPACE}USD",
    }
