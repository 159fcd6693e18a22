"""Reading customers and invoices from JSON: the whole state of each, named by the sender's own external id."""

from decimal import Decimal
from typing import Any

from portal import money
from portal.forms.api_body import BadBody, Fields
from portal.imports.given import AT_MOST, GivenCustomer, GivenInvoice, GivenLine, rate_of

LONGEST_NAME = 100
MOST_LINES = 500
OF_CUSTOMER = ("name", "currency", "number", "active", "phone", "address", "tax_exempt")
OF_INVOICE = (
    "customer", "number", "currency", "issued_on", "due_on", "lines", "total", "tax", "order_number", "comments",
    "voided",
)  # fmt: skip
OF_LINE = ("name", "amount", "tax", "quantity", "rate", "description", "date")
DAY = "Send a day, like “2026-11-19”."
TOTAL = "Send lines, or the total with tax."


def external_id(text: Any) -> str | None:
    """A name that another system gave; None for what cannot be one."""
    fine = isinstance(text, str) and 0 < len(text) <= LONGEST_NAME and text == text.strip()
    return text if fine and text.isprintable() else None


def customer(name: str, sent: Any) -> GivenCustomer:
    """The customer of this external id. Raises BadBody with every fault at once."""
    fields = Fields(sent, OF_CUSTOMER)
    found = GivenCustomer(
        external_id=name,
        name=fields.text("name", LONGEST_NAME, 1).strip(),
        currency=fields.text("currency", 3, 3),
        number=fields.text("number", LONGEST_NAME),
        active=fields.flag("active", True),
        phone=fields.text("phone", LONGEST_NAME),
        address=fields.text("address"),
        tax_exempt=fields.flag("tax_exempt"),
    )
    if fields.faults:
        raise BadBody(fields.faults)
    return found


def invoice(name: str, sent: Any) -> GivenInvoice:
    """The invoice of this external id; its lines make its total. Raises BadBody with every fault at once."""
    fields = Fields(sent, OF_INVOICE)
    lines = _lines(fields) if "lines" in fields.sent else []
    currency = fields.text("currency", 3, 3)
    net, tax = _sums(fields, lines, currency)
    issued_on = fields.day("issued_on", DAY)
    rest: dict[str, Any] = {
        "customer": fields.text("customer", LONGEST_NAME, 1),
        "number": fields.text("number", LONGEST_NAME, 1).strip(),
        "due_on": fields.day("due_on", DAY, needed=False),
        "order_number": fields.text("order_number", LONGEST_NAME),
        "comments": fields.text("comments", 4000),
        "voided": fields.flag("voided"),
    }
    if fields.faults or issued_on is None:
        raise BadBody(fields.faults)
    return GivenInvoice(name, currency=currency, issued_on=issued_on, net=net, tax=tax, lines=lines, **rest)


def _sums(fields: Fields, lines: list[GivenLine], currency: str) -> tuple[Decimal, Decimal]:
    """(net, tax): of the lines, against which a total and a tax that were sent are held, else as they were sent."""
    if not lines:
        tax = fields.number("tax", Decimal(0))
        if "total" not in fields.sent:
            fields.wrong("total", TOTAL)
            return Decimal(0), Decimal(0)
        total = fields.number("total")
        return (total - tax, tax) if total is not None and tax is not None else (Decimal(0), Decimal(0))
    net, tax = sum((line.amount for line in lines), Decimal(0)), sum((line.tax for line in lines), Decimal(0))
    for name, made in (("total", net + tax), ("tax", tax)):
        if name in fields.sent:
            said = fields.number(name)
            if said is not None and money.rounded(said, currency) != money.rounded(made, currency):
                fields.wrong(name, f"The lines make {money.plain(made, currency)}.")
    return net, tax


def _lines(fields: Fields) -> list[GivenLine]:
    sent = fields.several("lines", MOST_LINES, "lines")
    return [_line(Fields(one, OF_LINE, f"/lines/{place}", fields.faults)) for place, one in enumerate(sent)]


def _line(fields: Fields) -> GivenLine:
    amount = fields.number("amount") or Decimal(0)
    tax = fields.number("tax", Decimal(0)) or Decimal(0)
    if abs(amount + tax) > money.LARGEST:
        fields.wrong("amount", f"With tax it must be {AT_MOST}.")
    quantity = fields.number("quantity", Decimal(1)) or Decimal(0)
    return GivenLine(
        name=fields.text("name", 500, 1),
        amount=amount,
        tax=tax,
        quantity=quantity,
        rate=_rate(fields, amount, quantity),
        description=fields.text("description", 4000),
        item_on=fields.day("date", DAY, needed=False),
    )


def _rate(fields: Fields, amount: Decimal, quantity: Decimal) -> Decimal:
    """What one costs, as it was sent or as the amount makes it."""
    made = fields.number("rate") if fields.sent.get("rate") is not None else rate_of(amount, quantity)
    if made is None and fields.sent.get("rate") is None:
        fields.wrong("quantity", f"What one costs must be {AT_MOST}.")
    return made or Decimal(0)
