"""What a portal should hold, computed from Autotask's own data alone, and what it does hold."""

from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from portal.models import Cause, Contact, Customer, ExceptionItem, Invoice, InvoiceLine
from sandbox import Sandbox
from tests.sync.conftest import rows

CENT = Decimal("0.01")
Key = tuple[str, int]


@dataclass(frozen=True)
class Expected:
    """How much must be held by now: which lines exactly (of the others only sums), and whose edits come later."""

    lines: Literal["all", "open", "sums"]
    later: set[int] = field(default_factory=set)

    def exact(self, closed: bool) -> bool:
        return self.lines == "all" or (self.lines == "open" and not closed)


def differing(world: Sandbox, expected: Expected) -> dict[Key, tuple[Any, Any]]:
    """(kind, Autotask id) to (what is held, what should be), where they are not the same."""
    wanted, held = in_autotask(world, expected), in_portal(world, expected)
    return {
        key: (held.get(key), wanted.get(key))
        for key in wanted.keys() | held.keys()
        if held.get(key) != wanted.get(key)
    }


def not_here(world: Sandbox) -> set[int]:
    """Autotask's invoices that never arrived: an hourly run leaves none."""
    return {row["id"] for row in world.rows("Invoices")} - {row.autotask_id for row in rows(Invoice)}


def in_autotask(world: Sandbox, expected: Expected) -> dict[Key, Any]:
    found: dict[Key, Any] = {}
    for row in world.rows("Companies"):
        found["customer", row["id"]] = row["companyName"]
    for row in world.rows("Contacts"):
        found["contact", row["id"]] = (row["companyID"], row["lastName"])
    for row in world.rows("Invoices"):
        closed = bool(row["isVoided"] or row["paidDate"])
        lines = [(line["id"], line["extendedPrice"], line["taxDollars"]) for line in world.lines(row["id"])]
        found["invoice", row["id"]] = (
            ("closed earlier", row["isVoided"])
            if closed and row["id"] in expected.later
            else (
                *header(row),
                shown_lines(row["isVoided"], lines, expected.exact(closed), fits(world, row["id"])),
            )
        )
    return found


def header(row: dict[str, Any]) -> tuple[Any, ...]:
    """An invoice as the portal should show it: its number or id, dates, raw amounts, what is due and left."""
    due = (row["invoiceTotal"] + row["totalTaxValue"]).quantize(CENT, ROUND_HALF_UP)
    left = Decimal(0) if row["paidDate"] and not row["isVoided"] and due > 0 else due
    if row["isVoided"]:
        status = "voided"
    elif due < 0:
        status = "credit"
    else:
        status = "open" if left else "paid"
    number = row["invoiceNumber"] or str(row["id"])
    amounts = (row["invoiceTotal"], row["totalTaxValue"], due, left)
    return row["companyID"], number, day(row["dueDate"]), day(row["paidDate"]), *amounts, status


def day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def shown_lines(voided: bool, lines: list[Any], exact: bool, fitting: bool) -> Any:
    """Nothing of voided ones, which keep what they had; as sums, nothing where Autotask's own do not add up."""
    if voided or (not exact and not fitting):
        return None
    return sorted(lines) if exact else sum((price for _, price, _ in lines), Decimal(0))


def fits(world: Sandbox, key: int) -> bool:
    """Whether the lines of an invoice add up to its total in Autotask."""
    row = world.invoice(key)
    return row is not None and row["invoiceTotal"] == sum(line["extendedPrice"] for line in world.lines(key))


def in_portal(world: Sandbox, expected: Expected) -> dict[Key, Any]:
    names = {row.id: row.autotask_id for row in rows(Customer)}
    found: dict[Key, Any] = {("customer", row.autotask_id): row.name for row in rows(Customer)}
    for row in rows(Contact):
        found["contact", row.autotask_id] = (names[row.customer_id], row.last_name)
    lines: dict[int, list[Any]] = {}
    for row in rows(InvoiceLine):
        lines.setdefault(row.invoice_id, []).append((row.autotask_id, row.price_raw, row.tax_raw))
    known_as_gone = gone(expected)
    for row in rows(Invoice):
        key, closed = row.autotask_id, bool(row.is_voided or row.autotask_paid_on)
        if world.invoice(key) is None and key in known_as_gone:
            continue
        found["invoice", key] = (
            ("closed earlier", row.is_voided)
            if closed and key in expected.later
            else (
                names[row.customer_id], row.number, row.due_on, row.autotask_paid_on, row.total_raw, row.tax_raw,
                row.amount_due, row.outstanding, row.status,
                shown_lines(row.is_voided, lines.get(row.id, []), expected.exact(closed), fits(world, key)),
            )
        )  # fmt: skip
    return found


def gone(expected: Expected) -> set[int]:
    """Invoices marked as gone, asked about because they were many, or closed so that their end comes later."""
    asked = rows(ExceptionItem, cause=Cause.SUSPICIOUS_READ, state="open")
    marked = {row.autotask_id for row in rows(Invoice) if row.missing_since}
    return marked.union(expected.later, *(row.theirs["autotask_ids"] for row in asked))
