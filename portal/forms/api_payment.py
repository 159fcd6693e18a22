"""Reading a payment from a JSON body: amounts are strings, every fault names its field."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.models import PaymentMethod

FIELDS = ("allocations", "method", "paid_on", "confirm_old_date", "reference", "note")
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field, as a JSON pointer and a sentence."""

    pointer: str
    detail: str


class BadBody(ValueError):
    """The body cannot be taken; `faults` name each field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("The body has fields that cannot be accepted.")
        self.faults = list(faults)


@dataclass(frozen=True)
class Body:
    """A payment as it was sent: (invoice id or None, Autotask ID or None, amount) for each invoice."""

    allocations: Sequence[tuple[int | None, int | None, Decimal]]
    method: str
    paid_on: date
    reference: str
    note: str
    old_day_confirmed: bool = False


def read(body: Any) -> Body:
    """The payment of a JSON body. Raises BadBody with every fault at once."""
    if not isinstance(body, dict):
        raise BadBody([Fault("", "Send a JSON object.")])
    faults = [Fault(f"/{name}", "There is no such field.") for name in body if name not in FIELDS]
    allocations = _allocations(body.get("allocations"), faults)
    paid_on = _day(body.get("paid_on"), faults)
    texts = {name: _text(body, name, faults) for name in ("reference", "note")}
    confirmed = body.get("confirm_old_date", False)
    if not isinstance(confirmed, bool):
        faults.append(Fault("/confirm_old_date", "Send true or false."))
    method = body.get("method", PaymentMethod.OTHER.value)
    if not isinstance(method, str) or method not in set(PaymentMethod):
        faults.append(Fault("/method", f"Send one of {', '.join(PaymentMethod)}."))
    if faults or paid_on is None:
        raise BadBody(faults)
    return Body(allocations, method, paid_on, **texts, old_day_confirmed=confirmed)


def _allocations(value: Any, faults: list[Fault]) -> list[tuple[int | None, int | None, Decimal]]:
    if not isinstance(value, list) or not 0 < len(value) <= 200:
        faults.append(Fault("/allocations", "Send a list of 1 to 200 invoices with amounts."))
        return []
    return [_allocation(one, f"/allocations/{place}", faults) for place, one in enumerate(value)]


def _allocation(value: Any, pointer: str, faults: list[Fault]) -> tuple[int | None, int | None, Decimal]:
    one = value if isinstance(value, dict) else {}
    ids = {name: one.get(name) for name in ("invoice_id", "autotask_id") if name in one}
    if len(ids) != 1 or not all(_is_id(number) for number in ids.values()):
        faults.append(Fault(pointer, "Send either invoice_id or autotask_id, as a whole number."))
        ids = {}
    faults += [
        Fault(f"{pointer}/{name}", "There is no such field.")
        for name in one
        if name not in ("invoice_id", "autotask_id", "amount")
    ]
    sent = one.get("amount")
    amount = _amount(sent) if isinstance(sent, str) else None
    if amount is None:
        faults.append(Fault(f"{pointer}/amount", "Send the amount as a string, like “1234.50”."))
        amount = Decimal(0)
    return ids.get("invoice_id"), ids.get("autotask_id"), amount


def _amount(words: str) -> Decimal | None:
    """`1234.50` as a Decimal; None for anything else a JSON string may hold."""
    whole, dot, cents = words.partition(".")
    digits = whole + cents
    fine = len(words) <= 20 and whole and digits.isascii() and digits.isdigit() and bool(dot) == bool(cents)
    return Decimal(words) if fine else None


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_ID


def _day(value: Any, faults: list[Fault]) -> date | None:
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
    except ValueError:
        pass
    faults.append(Fault("/paid_on", "Send the day the money was paid, like “2026-11-19”."))
    return None


def _text(body: dict[str, Any], name: str, faults: list[Fault]) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > 500 or "\0" in value:
        faults.append(Fault(f"/{name}", "Send text of at most 500 characters."))
        return ""
    return value
