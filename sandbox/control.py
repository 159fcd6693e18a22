"""The sandbox's own HTTP interface below /_sandbox: what `Sandbox` can do, for other processes.

`GET /_sandbox` lists it. Bodies and answers are JSON; a mistake is 400 with {"error": …}.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.api.messages import Answer, Call
from sandbox.faults.kinds import all_kinds, find
from sandbox.requestlog import Change
from sandbox.schema import ENTITIES
from sandbox.switches import choices

if TYPE_CHECKING:
    from sandbox.embed import Sandbox

Action = Callable[["Sandbox", dict[str, Any]], Any]


def handle(sandbox: Sandbox, call: Call) -> Answer:
    """Answers a call below /_sandbox."""
    name = call.path.removeprefix("/_sandbox").strip("/")
    table = READS if call.method == "GET" else ACTIONS
    action = table.get(name)
    if call.method not in ("GET", "POST") or action is None:
        return _answer(404, {"error": f"there is no {call.method} /_sandbox/{name}"})
    try:
        given = call.arguments() if call.method == "GET" else _body(call)
        return _answer(200, _shown(action(sandbox, given)))
    except KeyError as error:
        return _answer(400, {"error": f"there is no {error}, or it was not given"})
    except (TypeError, ValueError, ArithmeticError) as error:
        return _answer(400, {"error": str(error)})


def _body(call: Call) -> dict[str, Any]:
    given = json.loads(call.body, parse_float=Decimal) if call.body else {}
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")
    return given


def _answer(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value, default=_plain).encode())


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)


def _shown(result: Any) -> Any:
    if isinstance(result, Change):
        result = [result]
    if isinstance(result, list) and result and isinstance(result[0], Change):
        return {"changed": [dataclasses.asdict(one) for one in result]}
    if result is None:
        return {"ok": True}
    return result


def _about(sb: Sandbox, given: dict[str, Any]) -> Any:
    return {
        "url": sb.url,
        "discovery_url": sb.discovery_url,
        "api_url": sb.api_url,
        "username": sb.username,
        "GET": sorted(READS),
        "POST": sorted(ACTIONS),
        "records": {name: sb.count(name) for name in ENTITIES},
    }


def _requests(sb: Sandbox, given: dict[str, Any]) -> Any:
    after = int(given.get("after", 0))
    found = sb.calls(given.get("entity"), given.get("verb"))
    return {"requests": [one.as_dict() for one in found if one.number > after]}


def _record(entity: str) -> Action:
    return lambda sb, given: {"item": sb.row(entity, int(given["id"]))}


def _rows(sb: Sandbox, given: dict[str, Any]) -> Any:
    if given.get("entity") not in ENTITIES:
        raise ValueError(f"entity can be {', '.join(ENTITIES)}")
    return {"items": sb.rows(given["entity"])}


def _stats(sb: Sandbox, given: dict[str, Any]) -> Any:
    return {
        "calls": sb.stats.calls(),
        "max_parallel": sb.world.parallel.as_dict(),
        "usage": sb.world.usage.current(),
    }


def _switches(sb: Sandbox, given: dict[str, Any]) -> Any:
    return {"switches": sb.switches.as_dict(), "choices": choices()}


def _kinds(sb: Sandbox, given: dict[str, Any]) -> Any:
    kinds = [
        {
            "number": one.number,
            "name": one.name,
            "says": one.says,
            "params": one.defaults,
            "choices": one.choices,
        }
        for one in all_kinds()
    ]
    return {"kinds": kinds}


def _user(sb: Sandbox, given: dict[str, Any]) -> Any:
    user = sb.user
    return {
        "username": user.username,
        "locked": user.locked,
        "refusals": user.refusals,
        "forbidden": sorted(user.forbidden),
    }


READS: dict[str, Action] = {
    "": _about,
    "requests": _requests,
    "invoice": _record("Invoices"),
    "company": _record("Companies"),
    "contact": _record("Contacts"),
    "lines": lambda sb, given: {"items": sb.lines(int(given["id"]))},
    "rows": _rows,
    "stats": _stats,
    "switches": _switches,
    "faults": lambda sb, given: {"faults": [one.as_dict() for one in sb.faults.all()]},
    "fault_kinds": _kinds,
    "clock": lambda sb, given: {"now": sb.clock.now().isoformat()},
    "user": _user,
}


def _keyed(method: str) -> Action:
    """An action on the record of the body's id, with the rest as fields."""
    return lambda sb, given: getattr(sb, method)(int(given.pop("id")), **given)


def _made(method: str) -> Action:
    return lambda sb, given: {"id": getattr(sb, method)(**given)}


def _set_switches(sb: Sandbox, given: dict[str, Any]) -> Any:
    sb.switches.update(given)
    return _switches(sb, {})


def _add_fault(sb: Sandbox, given: dict[str, Any]) -> Any:
    """{"kind": …, "entity", "verb", "nth", "times", and the kind's own parameters}."""
    if find(given["kind"]).name in ("connection_refused", "connect_hangs") and not given.get("seconds"):
        raise ValueError("give seconds: nobody could lift this fault by HTTP")
    return {"fault": sb.faults.add(**given).as_dict()}


def _set_clock(sb: Sandbox, given: dict[str, Any]) -> Any:
    """{"set": ISO time, "frozen": bool}, {"advance": seconds} or {"reset": true}."""
    if given.get("reset"):
        sb.clock.reset()
    if "set" in given:
        sb.clock.set(given["set"], frozen=bool(given.get("frozen")))
    if "advance" in given:
        sb.clock.advance(float(given["advance"]))
    return {"now": sb.clock.now().isoformat()}


ACTIONS: dict[str, Action] = {
    "add_company": _made("add_company"),
    "add_contact": _made("add_contact"),
    "add_invoice": _made("add_invoice"),
    "add_line": _made("add_line"),
    "change_company": _keyed("change_company"),
    "change_contact": _keyed("change_contact"),
    "change_invoice": _keyed("change_invoice"),
    "void_invoice": _keyed("void_invoice"),
    "remove_invoice": _keyed("remove_invoice"),
    "remove_company": _keyed("remove_company"),
    "remove_contact": _keyed("remove_contact"),
    "remove_line": _keyed("remove_line"),
    "merge_companies": lambda sb, given: sb.merge_companies(int(given["gone"]), int(given["into"])),
    "set_invoice_settings": _keyed("set_invoice_settings"),
    "clear_requests": lambda sb, given: sb.clear_requests(),
    "clear_stats": lambda sb, given: sb.stats.clear(),
    "switches": _set_switches,
    "reset_switches": lambda sb, given: sb.switches.reset(),
    "add_fault": _add_fault,
    "remove_fault": lambda sb, given: sb.faults.remove(int(given["id"])),
    "clear_faults": lambda sb, given: sb.faults.clear(),
    "clock": _set_clock,
    "add_other_usage": lambda sb, given: sb.add_other_usage(int(given["calls"])),
    "clear_usage": lambda sb, given: sb.clear_usage(),
    "lock_user": lambda sb, given: sb.lock_user(),
    "deactivate_user": lambda sb, given: sb.deactivate_user(),
    "activate_user": lambda sb, given: sb.activate_user(),
    "unlock_user": lambda sb, given: sb.unlock_user(),
    "change_secret": lambda sb, given: sb.change_secret(given["secret"]),
    "add_user": lambda sb, given: _added_user(sb, given),
    "forbid": lambda sb, given: sb.forbid(*given["entities"]),
    "allow": lambda sb, given: sb.allow(*given.get("entities", [])),
    "move_zone": lambda sb, given: {"api_url": sb.move_zone()},
    "restrict_line_of_business": lambda sb, given: sb.restrict_line_of_business(given.get("companies", [])),
}


def _added_user(sb: Sandbox, given: dict[str, Any]) -> Any:
    return {"username": sb.add_user(**given).username}
