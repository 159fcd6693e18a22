"""Two invoices in an Autotask that lives in memory, answers oddly, and clears paid dates in a way of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.autotask.errors import NotFound, Rejected, Unavailable
from portal.extensions import db
from tests.reconcile.model import item

# The next write arrives late; arrives, but its answer is lost; is lost; is accepted and forgotten; is refused.
# Or the next read finds nobody.
MOODS = ("late", "reply lost", "lost", "forgotten", "refused", "away")
# How a null paid date is taken: it works; it is ignored or refused, then PUT works; nothing works.
CLEARING = ("by patch", "ignored", "refused", "never")
TAX = Decimal(19)


@dataclass
class Shown:
    """An invoice as Autotask holds it. `is_theirs`: its people changed the paid date, or ours left it to them."""

    paid_on: date | None = None
    is_voided: bool = False
    is_gone: bool = False
    total: Decimal = Decimal(100)
    is_theirs: bool = False


class Vendor:
    """Invoices by Autotask id. `late` holds writes on the wire, `was_refused` the ids that it ever refused."""

    def __init__(self, keys: Sequence[int], clearing: str) -> None:
        self.invoices = {key: Shown() for key in keys}
        self.clearing, self.mood = clearing, "well"
        self.late: list[tuple[int, date | None]] = []
        self.was_refused: set[int] = set()

    def get(self, entity: str, id: int) -> dict[str, Any]:
        _nobody_waits()
        if self.mood == "away":
            self.mood = "well"
            raise Unavailable("away")
        if self.invoices[id].is_gone:
            raise NotFound("no such invoice")
        return self.read(id)

    def read(self, id: int) -> dict[str, Any]:
        """What a page of a query holds."""
        _nobody_waits()
        shown = self.invoices[id]
        values = {"invoiceTotal": shown.total, "totalTaxValue": TAX, "isVoided": shown.is_voided}
        return {**item(shown.paid_on), **values, "id": id, "invoiceNumber": str(id)}

    def patch(self, entity: str, body: dict[str, Any]) -> None:
        _nobody_waits()
        assert set(body) == {"id", "paidDate"}, "nothing but the paid date is written"
        if body["paidDate"] is None and self.clearing == "refused":
            raise Rejected("no", texts=["paidDate must be a date"])
        if body["paidDate"] is not None or self.clearing == "by patch":
            self._write(body["id"], body["paidDate"])

    def put(self, entity: str, body: dict[str, Any]) -> None:
        _nobody_waits()
        assert body == {"id": body["id"], "invoiceNumber": str(body["id"]), "webServiceDate": None}
        if self.clearing != "never":
            self._write(body["id"], None)

    def _write(self, id: int, paid_on: date | None) -> None:
        mood, self.mood = self.mood, "well"
        if mood == "refused":
            self.was_refused.add(id)
            raise Rejected("no", texts=["The period is locked."])
        if mood == "late":
            self.late.append((id, paid_on))
        elif mood in ("well", "away", "reply lost"):
            self.invoices[id].paid_on = paid_on
        if mood in ("late", "lost", "reply lost"):
            raise Unavailable("no answer", maybe_applied=True)

    def late_write_arrives(self, which: int) -> None:
        if self.late:
            id, paid_on = self.late.pop(which % len(self.late))
            self.invoices[id].paid_on = paid_on


def _nobody_waits() -> None:
    assert not db.session().in_transaction(), "no transaction is open while Autotask is asked"
