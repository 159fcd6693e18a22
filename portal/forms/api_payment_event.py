"""Reading from a JSON body what became of a payment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.forms.api_body import BadBody, Fields
from portal.forms.api_payment import allocation
from portal.models import MOST_INVOICES, Happened

FIELDS = ("kind", "on", "amount", "reason", "allocations")
DAY = "Send the day it happened, like “2026-11-24”."


@dataclass(frozen=True)
class Body:
    """What was sent: (invoice id or None, Autotask ID or None, amount) for each invoice that is named."""

    kind: Happened
    on: date
    amount: Decimal | None
    reason: str
    allocations: Sequence[tuple[int | None, int | None, Decimal]]


def read(body: Any) -> Body:
    """What happened, of a JSON body. Raises BadBody with every fault at once."""
    fields = Fields(body, FIELDS)
    kind = fields.choice("kind", Happened, "")
    on = fields.day("on", DAY)
    amount = fields.number("amount") if fields.sent.get("amount") is not None else None
    reason = fields.text("reason")
    sent = (
        fields.several("allocations", MOST_INVOICES, "invoices with amounts")
        if "allocations" in fields.sent
        else []
    )
    allocations = [allocation(one, place, fields) for place, one in enumerate(sent)]
    if kind == Happened.SETTLED and (amount is not None or allocations):
        fields.wrong(
            "amount" if amount is not None else "allocations", "A payment arrives as a whole. Leave it out."
        )
    if fields.faults or on is None:
        raise BadBody(fields.faults)
    return Body(Happened(kind), on, amount, reason, allocations)
