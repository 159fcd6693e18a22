"""What the page shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sandbox.api.messages import Answer, Call
from sandbox.faults.kinds import all_kinds
from sandbox.paper import as_pdf
from sandbox.paper.bill import bill_of, currency_of
from sandbox.store.rows import Row
from sandbox.switches import SAYS, choices
from sandbox.web.render import page
from sandbox.world import World

SHOWN = 50


def _invoices(world: World, rows: Iterable[Row]) -> list[dict[str, Any]]:
    companies = world.db["Companies"].rows
    shown = []
    for row in rows:
        company = companies.get(row.get("companyID"))
        name = company.get("companyName") if company else f"Company {row.get('companyID')}, which is gone"
        shown.append(
            {"row": row, "company": name, "currency": currency_of(world, row), "state": _state(world, row)}
        )
    return shown


def _state(world: World, row: Row) -> str:
    if row.get("isVoided"):
        return "void"
    if row.get("paidDate"):
        return "paid"
    due = row.get("dueDate")
    return "overdue" if due and due[:10] < world.clock.today().isoformat() else "unpaid"


def home(world: World, call: Call) -> Answer:
    with world.db.lock:
        table = world.db["Invoices"]
        newest = [table.rows[key] for key in reversed(table.ids[-8:])]
        figures = {
            "companies": len(world.db["Companies"].ids),
            "invoices": len(table.ids),
            "unpaid": len(table.ids_where("paidDate", None)),
        }
        shown = _invoices(world, newest)
    log = list(reversed(world.log.all()))[:8]
    said = call.arguments().get("said", "")
    return page(world, "home.html", figures=figures, invoices=shown, requests=log, said=said)


def invoices(world: World, call: Call) -> Answer:
    """Invoices by id, number or company, newest first; an exact id leads straight to its page."""
    arguments = call.arguments()
    wanted, unpaid = arguments.get("q", "").strip(), arguments.get("unpaid") == "1"
    with world.db.lock:
        table = world.db["Invoices"]
        if wanted.isdigit() and int(wanted) in table.rows:
            return Answer(303, b"", "", {"Location": f"/invoices/{wanted}"})
        keys = table.ids_where("paidDate", None) if unpaid else table.ids
        found = _searched(world, reversed(keys), table.rows, wanted.casefold())
        shown = _invoices(world, found)
    return page(world, "invoices.html", invoices=shown, q=wanted, unpaid=unpaid, limit=SHOWN)


def _searched(world: World, keys: Iterable[int], rows: dict[int, Row], wanted: str) -> list[Row]:
    companies = world.db["Companies"].rows
    found: list[Row] = []
    for key in keys:
        row = rows[key]
        company = companies.get(row.get("companyID"))
        texts = (row.get("invoiceNumber") or "", company.get("companyName") if company else "")
        if not wanted or any(wanted in text.casefold() for text in texts):
            found.append(row)
            if len(found) == SHOWN:
                break
    return found


def invoice(world: World, call: Call, key: int) -> Answer:
    """One invoice as Autotask holds it, with what people can do to it."""
    with world.db.lock:
        row = world.db["Invoices"].rows.get(key)
        if row is None:
            return page(world, "missing.html", 404, what=f"Invoice {key}")
        shown = _invoices(world, [row])[0]
        lines = world.people.lines(key)
    said = call.arguments().get("said", "")
    calls = [one for one in reversed(world.log.all()) if any(_is(change, key) for change in one.changed)][:10]
    today = world.clock.today().isoformat()
    return page(
        world, "invoice.html", **shown, fields=row.as_dict(), lines=lines, said=said, calls=calls, today=today
    )


def _is(change: Any, key: int) -> bool:
    return change.entity == "Invoices" and change.id == key


def invoice_pdf(world: World, call: Call, key: int) -> Answer:
    with world.db.lock:
        row = world.db["Invoices"].rows.get(key)
        if row is None:
            return page(world, "missing.html", 404, what=f"Invoice {key}")
        bill = bill_of(world, row)
    return Answer(200, as_pdf.pdf(bill), "application/pdf", {"Content-Disposition": "inline"})


def companies(world: World, call: Call) -> Answer:
    wanted = call.arguments().get("q", "").strip()
    with world.db.lock:
        rows = world.db["Companies"].rows
        names = [
            row for row in rows.values() if wanted.casefold() in (row.get("companyName") or "").casefold()
        ]
        currencies = list(world.db["Currencies"].rows.values())
    types = dict(world.db.picklists[("Companies", "companyType")])
    shown = sorted(names, key=lambda row: (row.get("companyName") or "").strip().casefold())[:200]
    said = call.arguments().get("said", "")
    return page(
        world, "companies.html", companies=shown, q=wanted, currencies=currencies, types=types, said=said
    )


def company(world: World, call: Call, key: int) -> Answer:
    with world.db.lock:
        row = world.db["Companies"].rows.get(key)
        if row is None:
            return page(world, "missing.html", 404, what=f"Company {key}")
        keys = world.db["Invoices"].ids_where("companyID", key)
        shown = _invoices(world, [world.db["Invoices"].rows[one] for one in reversed(keys[-SHOWN:])])
        held = world.db["Contacts"]
        contacts = [held.rows[one] for one in held.ids_where("companyID", key)]
        values: dict[str, Any] = {"currency": currency_of(world, row), "fields": row.as_dict()}
    said = call.arguments().get("said", "")
    return page(world, "company.html", row=row, invoices=shown, contacts=contacts, said=said, **values)


def requests(world: World, call: Call) -> Answer:
    """The newest calls; `live` loads the page again every two seconds."""
    arguments = call.arguments()
    writes = arguments.get("writes") == "1"
    log = [one for one in reversed(world.log.all()) if one.changed or not writes][:200]
    live = arguments.get("live") == "1"
    return page(
        world, "requests.html", requests=log, writes=writes, live=live, said=arguments.get("said", "")
    )


def behaviour(world: World, call: Call) -> Answer:
    """User, zone, usage, clock, switches and faults."""
    usage = {"used": world.usage.current(), "limit": world.switches.threshold}
    return page(
        world,
        "behaviour.html",
        usage=usage,
        switches=world.switches.as_dict(),
        choices=choices(),
        says=SAYS,
        kinds=all_kinds(),
        said=call.arguments().get("said", ""),
    )
