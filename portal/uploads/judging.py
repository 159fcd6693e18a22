"""A part of a file's records: read, told whom and what they mean, and held against the rules that the API has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from portal import money
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.forms import api_records
from portal.imports import customers, invoice_rules, invoices, kept_records, outcome
from portal.imports.given import GivenInvoice
from portal.imports.outcome import Outcome
from portal.models import Customer, ImportFile, ImportFileRow, ImportKind, Invoice, Tenant
from portal.uploads import drafts, groups, invoice_drafts, who
from portal.uploads.choice import Choice, from_kept
from portal.uploads.drafts import ADDRESS, Draft
from portal.uploads.who import Found

# The rows of a record that are read: one for its head, and one for each line it may have.
MOST_LINES = api_records.MOST_LINES + 1
TOO_MANY = f"It has more than {MOST_LINES} rows, and an invoice has at most {api_records.MOST_LINES} lines."
KEPT = {
    ImportKind.CUSTOMERS: ("number", "phone", "tax_exempt", "active"),
    ImportKind.INVOICES: ("due_on", "order_number", "comments", "voided"),
}
# The field whose column says it, where that is called otherwise.
SAID_BY = {"voided": "status"}


@dataclass(frozen=True)
class Judged:
    """A draft, what is given by it, what that leads or led to, and the record as it stood before."""

    draft: Draft
    given: Any
    outcome: Outcome
    before: kept_records.Kept | None

    @property
    def amount(self) -> Decimal | None:
        """Nothing where it is voided; None for one that is larger than can be stored, and so is refused."""
        if not isinstance(self.given, GivenInvoice):
            return None
        if self.given.voided:
            return Decimal(0)
        due = invoice_rules.amount_due(self.given)
        return due if abs(due) <= money.LARGEST else None

    @property
    def amount_before(self) -> Decimal | None:
        if self.before is None or "net" not in self.before:
            return None
        if self.before["voided"]:
            return Decimal(0)
        total = Decimal(self.before["net"]) + Decimal(self.before["tax"])
        return money.rounded(total, self.before["currency"])


def judge(file: ImportFile, places: Sequence[int], *, take: bool) -> list[Judged]:
    """The records at these places, without those that are only titles or sums.

    With `take` they are taken in, and the caller commits; else the caller rolls back.
    """
    customers.lock()  # before anything that stands here is read
    kind, choice = ImportKind(file.kind), from_kept(file.choice)
    read = [one for one in _drafts(file, kind, choice, places) if not one.is_nothing]
    names = _settled(kind, choice, read)
    before = _standing(kind, names)
    found = who.customers({one.customer for one in read}) if kind == ImportKind.INVOICES else Found()
    given = {}
    for one in read:
        here = before.get(names[one.place])
        _complete(kind, choice, one, here, found)
        record = one.read(kind, names[one.place])
        if record is not None and not one.refusals:
            given[one.place] = _with_lines(record, choice, here) if kind == ImportKind.INVOICES else record
    outcomes = dict(zip(given, _led_to(kind, list(given.values()), found, take=take), strict=True))
    return [
        Judged(
            one,
            given.get(one.place),
            outcomes.get(one.place) or outcome.refused(names[one.place], one.refusals),
            before.get(names[one.place]),
        )
        for one in read
    ]


def _drafts(file: ImportFile, kind: ImportKind, choice: Choice, places: Sequence[int]) -> list[Draft]:
    rows = db.session.execute(
        select(ImportFileRow.record, ImportFileRow.place, ImportFileRow.cells, ImportFileRow.fault)
        .where(
            ImportFileRow.tenant_id == file.tenant_id,
            ImportFileRow.file_id == file.id,
            ImportFileRow.record.in_(places),
            ImportFileRow.line <= MOST_LINES + 1,
        )
        .order_by(ImportFileRow.record, ImportFileRow.line)
    )
    of: dict[int, list[Any]] = {}
    for row in rows:
        of.setdefault(row.record, []).append(row)
    cells_of: dict[int, Sequence[drafts.Cells]] = {
        place: [row.cells for row in some] for place, some in of.items()
    }
    if kind == ImportKind.INVOICES:
        cells_of = groups.with_customers(file, choice, cells_of)
    make = drafts.customer if kind == ImportKind.CUSTOMERS else invoice_drafts.draft
    found = []
    for place, some in of.items():
        one = make(place, cells_of[place], choice, [row.fault for row in some])
        if len(some) > MOST_LINES and kind == ImportKind.INVOICES:
            one.refuse("lines", TOO_MANY)
        found.append(one)
    return found


def _settled(kind: ImportKind, choice: Choice, read: Sequence[Draft]) -> dict[int, str]:
    is_named = choice.has("external_id")
    if kind == ImportKind.CUSTOMERS:
        return who.settle_customers(read, by_name=not is_named)
    return who.settle_invoices(read, by_number=not is_named)


def _standing(kind: ImportKind, names: Mapping[int, str]) -> dict[str, kept_records.Kept]:
    """By external id, what is here already."""
    if kind == ImportKind.CUSTOMERS:
        found = kept_records.customers(Customer.external_id.in_(set(names.values())))
    else:
        found = kept_records.invoices(Invoice.external_id.in_(set(names.values())))
    return {kept["external_id"]: kept for kept in found.values()}


def _complete(
    kind: ImportKind, choice: Choice, one: Draft, here: kept_records.Kept | None, found: Found
) -> None:
    """What the file has no column for stays as it is here; a currency that is not said is the usual one."""
    for name in KEPT[kind] if here else ():
        if not choice.has(SAID_BY.get(name, name)):
            one.sent[name] = here[name] if here else None
    if kind == ImportKind.CUSTOMERS:
        if here and not choice.has(*ADDRESS):
            one.sent["address"] = here["address"]
        one.sent["currency"] = one.sent["currency"] or (here["currency"] if here else _usual_currency())
        return
    customer = found.customers.get(one.customer)
    one.sent["currency"] = one.sent["currency"] or (customer.currency if customer else _usual_currency())
    if one.customer in found.several:
        one.refuse(
            "customer",
            f"{found.several[one.customer]} customers are called {one.customer}. Name them by their numbers.",
        )
    elif customer is None and one.customer:
        one.refuse("customer", f"There is no customer {one.customer}. Upload or add the customers first.")


def _usual_currency() -> str:
    return db.session.get_one(Tenant, current_tenant_id()).default_currency


def _with_lines(given: GivenInvoice, choice: Choice, here: kept_records.Kept | None) -> GivenInvoice:
    """Where a file says totals alone and the total is as it was, the lines stay, and so does the tax that it leaves out."""
    if here is None or choice.has_lines:
        return given
    net, tax = Decimal(here["net"]), Decimal(here["tax"])
    pairs = [(given.net + given.tax, net + tax), *([(given.tax, tax)] if choice.has("tax") else [])]
    if any(money.rounded(told, given.currency) != money.rounded(was, given.currency) for told, was in pairs):
        return given
    return replace(given, net=net, tax=tax, lines=kept_records.given_lines(here))


def _led_to(kind: ImportKind, given: list[Any], found: Found, *, take: bool) -> list[Outcome]:
    if not given:
        return []
    if kind == ImportKind.CUSTOMERS:
        return customers.take(given) if take else outcome.seen(customers.look(given))
    if take:
        return invoices.take(given, found.called)
    return outcome.seen(invoices.look(given, found.called))
