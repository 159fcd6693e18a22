"""What stands on an invoice, gathered once for all its documents."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.store.rows import Row
from sandbox.world import World

ZERO = Decimal("0.0000")
DECIMALS = {"JPY": 0}


@dataclass(frozen=True)
class BillLine:
    date: str
    name: str
    text: str
    quantity: Decimal
    rate: Decimal
    price: Decimal
    tax: Decimal


@dataclass(frozen=True)
class Bill:
    """Dates are ISO days, money has up to four decimals; `money` shows it in the currency's own."""

    id: int
    number: str
    seller: str
    company: str
    address: list[str]
    issued: str
    due: str
    order: str
    region: str
    currency: str
    lines: list[BillLine]
    net: Decimal
    tax: Decimal
    is_voided: bool
    paid: str

    @property
    def total(self) -> Decimal:
        return self.net + self.tax

    def money(self, value: Decimal) -> str:
        """Half up to the currency's minor unit, with thousands separated: "1,234.50"."""
        step = Decimal(1).scaleb(-DECIMALS.get(self.currency, 2))
        return f"{value.quantize(step, ROUND_HALF_UP):,}"


def bill_of(world: World, row: Row) -> Bill:
    """Everything the documents of an invoice show. Call under the database's lock."""
    company = world.db["Companies"].rows.get(row.get("companyID"))
    seller = world.db["Companies"].rows.get(0)
    lines = [_line(one) for one in world.people.lines(row.id)]
    tax = row.get("totalTaxValue") or ZERO
    total = row.get("invoiceTotal") or ZERO
    return Bill(
        id=row.id,
        number=row.get("invoiceNumber") or str(row.id),
        seller=seller.get("companyName") if seller else "Managed Services",
        company=company.get("companyName") if company else "",
        address=_address(company),
        issued=_day(row.get("invoiceDateTime")),
        due=_day(row.get("dueDate")),
        order=row.get("orderNumber") or "",
        region=row.get("taxRegionName") or "",
        currency=currency_of(world, row),
        lines=lines,
        net=total - tax if world.switches.totals == "with_tax" else total,
        tax=tax,
        is_voided=bool(row.get("isVoided")),
        paid=_day(row.get("paidDate")),
    )


def currency_of(world: World, row: Row) -> str:
    """The three letters of the currency of a company's or an invoice's company."""
    company = (
        row if row.shape.entity.name == "Companies" else world.db["Companies"].rows.get(row.get("companyID"))
    )
    held = world.db["Currencies"].rows.get(company.get("currencyID")) if company else None
    return str(held.get("name")) if held else "USD"


def _line(row: Row) -> BillLine:
    return BillLine(
        date=_day(row.get("itemDate")),
        name=row.get("itemName") or "",
        text=row.get("description") or "",
        quantity=row.get("quantity") or ZERO,
        rate=row.get("rate") or ZERO,
        price=row.get("extendedPrice") or ZERO,
        tax=row.get("taxDollars") or ZERO,
    )


def _day(value: str | None) -> str:
    return value[:10] if value else ""


def _address(company: Row | None) -> list[str]:
    if company is None:
        return []
    place = " ".join(company.get(name) or "" for name in ("postalCode", "city", "state")).strip()
    parts: list[Any] = [company.get("address1"), company.get("address2"), place]
    return [str(one) for one in parts if one]
