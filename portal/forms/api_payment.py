"""Reading a payment from a JSON body: amounts are strings, every fault names its field."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.forms.api_body import BadBody, Fields, plain_number
from portal.models import MOST_INVOICES, PaymentMethod

FIELDS = ("allocations", "method", "paid_on", "confirm_old_date", "pending", "reference", "note")
LARGEST_ID = 2**63 - 1
DAY = "Send the day the money was paid, like “2026-11-19”."


@dataclass(frozen=True)
class Body:
    """A payment as it was sent: (invoice id or None, Autotask ID or None, amount) for each invoice."""

    allocations: Sequence[tuple[int | None, int | None, Decimal]]
    method: str
    paid_on: date
    reference: str
    note: str
    old_day_confirmed: bool = False
    pending: bool = False


def read(body: Any) -> Body:
    """The payment of a JSON body. Raises BadBody with every fault at once."""
    fields = Fields(body, FIELDS)
    sent = fields.several("allocations", MOST_INVOICES, "invoices with amounts")
    allocations = [allocation(one, place, fields) for place, one in enumerate(sent)]
    paid_on = fields.day("paid_on", DAY)
    texts = {name: fields.text(name) for name in ("reference", "note")}
    confirmed, pending = fields.flag("confirm_old_date"), fields.flag("pending")
    method = fields.choice("method", PaymentMethod, PaymentMethod.OTHER)
    if fields.faults or paid_on is None:
        raise BadBody(fields.faults)
    return Body(allocations, method, paid_on, **texts, old_day_confirmed=confirmed, pending=pending)


def allocation(value: Any, place: int, fields: Fields) -> tuple[int | None, int | None, Decimal]:
    """The allocation at this place: invoice id or Autotask ID, and amount; faults are noted."""
    one = value if isinstance(value, dict) else {}
    pointer = f"allocations/{place}"
    ids = {name: one.get(name) for name in ("invoice_id", "autotask_id") if name in one}
    if len(ids) != 1 or not all(_is_id(number) for number in ids.values()):
        fields.wrong(pointer, "Send either invoice_id or autotask_id, as a whole number.")
        ids = {}
    for name in one:
        if name not in ("invoice_id", "autotask_id", "amount"):
            fields.wrong(f"{pointer}/{name}", "There is no such field.")
    sent = one.get("amount")
    amount = plain_number(sent) if isinstance(sent, str) else None
    if amount is None:
        fields.wrong(f"{pointer}/amount", "Send the amount as a string, like “1234.50”.")
        amount = Decimal(0)
    return ids.get("invoice_id"), ids.get("autotask_id"), amount


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_ID
