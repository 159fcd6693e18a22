"""What people can do on the page. A deed gives where to go next, a sentence, and what it changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.requestlog import Change
from sandbox.world import World

Given = dict[str, str]
Done = tuple[str, str, list[Change]]
Deed = Callable[[World, Given], Done]


class Refused(Exception):
    """What a person asked for cannot be; the text says why."""


def _refusing(deed: Deed) -> Deed:
    """Turns the errors of what people type into a sentence."""

    def run(world: World, given: Given) -> Done:
        try:
            return deed(world, given)
        except KeyError as error:
            raise Refused(f"There is no {error.args[0]}, or it was not given.") from error
        except (ValueError, ArithmeticError) as error:
            raise Refused(str(error)) from error

    return run


def _invoice(given: Given) -> tuple[int, str]:
    key = int(given["id"])
    return key, f"/invoices/{key}"


def pay(world: World, given: Given) -> Done:
    key, where = _invoice(given)
    changed = world.people.change_invoice(key, paidDate=given.get("date") or world.clock.today())
    return where, "Marked as paid.", changed


def unpay(world: World, given: Given) -> Done:
    key, where = _invoice(given)
    return where, "The paid date is empty again.", world.people.change_invoice(key, paidDate=None)


def change(world: World, given: Given) -> Done:
    """Number, due date, total and tax; fields left empty stay as they are, except the number."""
    key, where = _invoice(given)
    fields: dict[str, Any] = {"invoiceNumber": given.get("number") or None}
    names = {"due": "dueDate", "total": "invoiceTotal", "tax": "totalTaxValue"}
    fields |= {field: given[name] for name, field in names.items() if given.get(name)}
    changed = world.people.change_invoice(key, **fields)
    return where, "Changed." if changed else "Nothing was different.", changed


def void(world: World, given: Given) -> Done:
    key, where = _invoice(given)
    return where, "The invoice is void.", world.people.void_invoice(key)


def add_line(world: World, given: Given) -> Done:
    key, where = _invoice(given)
    if key not in world.db["Invoices"].rows:
        raise KeyError(f"invoice {key}")
    line = _line(given)
    world.people.add_line(invoiceID=key, **line)
    return (
        where,
        "Line added.",
        [Change("Invoices", key, "line added", {"itemName": (None, line["itemName"])})],
    )


def _line(given: Given) -> dict[str, Any]:
    return {
        "itemName": given.get("item") or "Service",
        "quantity": given.get("quantity") or "1",
        "rate": given.get("rate") or "0",
        "taxDollars": given.get("tax") or "0",
    }


def unpost_line(world: World, given: Given) -> Done:
    _, where = _invoice(given)
    return where, "The line is un-posted.", [world.people.remove_line(int(given["line"]))]


def create_company(world: World, given: Given) -> Done:
    if not given.get("name"):
        raise Refused("A company needs a name.")
    fields: dict[str, Any] = {
        "companyName": given["name"][:100],
        "currencyID": int(given.get("currency") or 1),
    }
    fields["companyType"] = int(given.get("type") or 1)
    key = world.people.add_company(**fields)
    made = Change("Companies", key, "created", {"companyName": (None, fields["companyName"])})
    return f"/companies/{key}", "Company created.", [made]


def create_invoice(world: World, given: Given) -> Done:
    company = int(given["company"])
    if company not in world.db["Companies"].rows:
        raise KeyError(f"company {company}")
    fields: dict[str, Any] = {"companyID": company, "invoiceNumber": given.get("number") or None}
    if given.get("due"):
        fields["dueDate"] = given["due"]
    key = world.people.add_invoice(lines=[_line(given)], **fields)
    made = Change("Invoices", key, "created", {"companyID": (None, company)})
    return f"/invoices/{key}", "Invoice created.", [made]


def merge(world: World, given: Given) -> Done:
    gone, into = int(given["gone"]), int(given["into"])
    changed = world.people.merge_companies(gone, into)
    return f"/companies/{into}", f"Company {gone} is gone; what it had belongs here now.", changed


def hide(world: World, given: Given) -> Done:
    key = int(given["id"])
    world.hidden_companies = world.hidden_companies | {key}
    return f"/companies/{key}", "The API user no longer sees this company and what belongs to it.", []


def show(world: World, given: Given) -> Done:
    key = int(given["id"])
    world.hidden_companies = world.hidden_companies - {key}
    return f"/companies/{key}", "The API user sees this company again.", []


def lock(world: World, given: Given) -> Done:
    world.users.first.lock()
    return "/behaviour", "The API user is locked.", []


def deactivate(world: World, given: Given) -> Done:
    world.users.first.active = False
    return "/behaviour", "The API user is inactive.", []


def activate(world: World, given: Given) -> Done:
    world.users.first.active = True
    return "/behaviour", "The API user is active.", []


def unlock(world: World, given: Given) -> Done:
    world.users.first.unlock()
    return "/behaviour", "The API user is unlocked.", []


def move_zone(world: World, given: Given) -> Done:
    zone = world.move_zone()
    return "/behaviour", f"The partner is now in zone {zone}; the old address refuses.", []


def use(world: World, given: Given) -> Done:
    calls = int(given.get("calls") or 0)
    world.usage.add(calls)
    return "/behaviour", f"Other integrations made {calls} calls.", []


def clear_usage(world: World, given: Given) -> Done:
    world.usage.clear()
    return "/behaviour", "No calls count any more.", []


def advance(world: World, given: Given) -> Done:
    world.clock.advance(float(given.get("hours") or 0) * 3600)
    return "/behaviour", f"It is {world.clock.now():%Y-%m-%d %H:%M} now.", []


def set_switches(world: World, given: Given) -> Done:
    world.switches.update(given)
    return "/behaviour", "Switches set.", []


def add_fault(world: World, given: Given) -> Done:
    kind = given.pop("kind")
    if kind in ("connection_refused", "connect_hangs"):
        world.faults.add(kind, seconds=20.0)
        return "/behaviour", "The port is closed for 20 seconds.", []
    times = int(given["times"]) if given.get("times") else None
    rule = world.faults.add(kind, given.get("entity") or None, given.get("verb") or None, times=times)
    return "/behaviour", f"{rule.kind}: {rule.shape.says}.", []


def clear_faults(world: World, given: Given) -> Done:
    world.faults.clear()
    return "/behaviour", "No fault is in force.", []


def clear_requests(world: World, given: Given) -> Done:
    world.log.clear()
    return "/requests", "The log is empty.", []


DEEDS: dict[str, Deed] = {
    name.replace("_", "-"): _refusing(deed)
    for name, deed in {
        "pay": pay,
        "unpay": unpay,
        "change": change,
        "void": void,
        "add_line": add_line,
        "unpost_line": unpost_line,
        "create_company": create_company,
        "create_invoice": create_invoice,
        "merge": merge,
        "hide": hide,
        "show": show,
        "lock": lock,
        "deactivate": deactivate,
        "activate": activate,
        "unlock": unlock,
        "move_zone": move_zone,
        "use": use,
        "clear_usage": clear_usage,
        "advance": advance,
        "switches": set_switches,
        "add_fault": add_fault,
        "clear_faults": clear_faults,
        "clear_requests": clear_requests,
    }.items()
}
