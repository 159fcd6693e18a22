"""One record: get, create, change by PATCH or PUT, delete."""

from __future__ import annotations

from typing import Any

from sandbox import instants
from sandbox.api.messages import (
    Answer,
    Call,
    Refusal,
    answer_json,
    invalid,
    not_found_page,
    parse_json,
    shown,
    wrong_verb,
)
from sandbox.schema import Entity, Field, amount
from sandbox.store.rows import Row
from sandbox.world import World

DATE_ONLY = {("Invoices", "paidDate")}
ON_CREATE = {"Contacts": {"companyID"}, "CompanyLocations": {"companyID"}}


def get_one(world: World, entity: Entity, key: int, call: Call) -> Answer:
    row = seen(world, entity, key)
    if row is None:
        return missing(world, world.switches.missing)
    if world.fresh.get((entity.name, key), 0) > 0:
        world.fresh[entity.name, key] -= 1
        return missing(world, "404")
    return Answer(200, b'{"item":%s}' % row.json(world.switches.dates_z).encode())


def seen(world: World, entity: Entity, key: int) -> Row | None:
    """The row, unless it is gone or hidden from this user."""
    row = world.db[entity.name].rows.get(key)
    visible = world.visible(entity.name)
    return row if row is not None and (visible is None or visible(row)) else None


def missing(world: World, how: str) -> Answer:
    """A record that is not there: "null" or "404"."""
    if how == "404":
        raise not_found_page()
    return answer_json({"item": None})


def patch(world: World, entity: Entity, call: Call, parent: int | None = None) -> Answer:
    """Changes the fields given, after the switch patch_null for those given as null."""
    if world.switches.patch == "refused":
        raise wrong_verb("PATCH")
    body = read_body(entity, call)
    with world.db.lock:
        row = _target(world, entity, body, parent)
        given = _allowed(world, entity, body)
        nulls = [name for name, value in given.items() if value is None]
        if nulls and world.switches.patch_null == "error":
            raise invalid(f"Error converting value {{null}} to type 'System.DateTime'. Path '{nulls[0]}'.")
        if world.switches.patch_null == "ignored":
            given = {name: value for name, value in given.items() if value is not None}
        return _apply(world, entity, row, given)


def put(world: World, entity: Entity, call: Call, parent: int | None = None) -> Answer:
    """Replaces every writable field: what is left out becomes null."""
    body = read_body(entity, call)
    with world.db.lock:
        row = _target(world, entity, body, parent)
        given = _allowed(world, entity, body)
        if world.switches.put_omitted == "clears":
            given = {**{one.name: None for one in entity.writable if one.type != "udf"}, **given}
        _require(entity, given)
        return _apply(world, entity, row, given)


def create(world: World, entity: Entity, call: Call, parent: int | None = None) -> Answer:
    body = read_body(entity, call)
    if entity.name in ON_CREATE:
        body["companyID"] = parent
    allowed = {one.name for one in entity.writable} | ON_CREATE.get(entity.name, set())
    given = {name: value for name, value in body.items() if name in allowed}
    _require(entity, given)
    with world.db.lock:
        values = _checked(world, entity, given)
        change = world.people.create(entity.name, values)
    return answer_json({"itemId": change.id}, changed=[change])


def delete(world: World, entity: Entity, key: int, parent: int | None = None) -> Answer:
    with world.db.lock:
        row = seen(world, entity, key)
        if row is None or (parent is not None and row.get("companyID") != parent):
            raise invalid("No matching records found for the specified id.")
        change = world.people.remove(entity.name, key)
    return answer_json({"itemId": key}, changed=[change])


def read_body(entity: Entity, call: Call) -> dict[str, Any]:
    """The body's known fields under their exact names; what Autotask does not know is ignored, as it does."""
    raw = parse_json(call.body)
    if not isinstance(raw, dict):
        raise invalid("Value cannot be null. Parameter name: restModelInput")
    found = {}
    for name, value in raw.items():
        one = entity.find(str(name))
        if one is not None:
            found[one.name] = value
    return found


def _target(world: World, entity: Entity, body: dict[str, Any], parent: int | None) -> Row:
    key = body.get("id")
    if isinstance(key, bool) or not isinstance(key, int):
        raise invalid("Missing Required Field: id")
    row = seen(world, entity, key)
    if row is None or (parent is not None and row.get("companyID") != parent):
        raise invalid(f"No matching records found for {entity.single} with id {key}.")
    if entity.name == "Invoices" and row.get("isVoided") and world.switches.voided_write == "refused":
        raise invalid("Voided invoices cannot be updated.")
    return row


def _allowed(world: World, entity: Entity, body: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in body.items() if name != "id"}
    blocked = [name for name in given if entity.fields[name].read_only]
    if blocked and world.switches.readonly_write == "error":
        raise invalid(f"The field {blocked[0]} is read only and cannot be updated.")
    return _checked(world, entity, {n: v for n, v in given.items() if n not in blocked})


def _require(entity: Entity, given: dict[str, Any]) -> None:
    lacking = [one.name for one in entity.writable if one.required and given.get(one.name) in (None, "")]
    if lacking:
        raise invalid(f"Missing Required Field: {lacking[0]}")


def _apply(world: World, entity: Entity, row: Row, given: dict[str, Any]) -> Answer:
    changes = world.people.change(entity.name, row.id, given)
    return answer_json({"itemId": row.id}, changed=changes)


def _checked(world: World, entity: Entity, given: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(world, entity, entity.fields[name], value) for name, value in given.items()}


def _value(world: World, entity: Entity, field: Field, raw: Any) -> Any:
    if raw is None:
        return None
    try:
        if field.type == "datetime" and world.switches.dates_written == "offset":
            instants.with_offset(raw)
        value = _STORE[field.type](raw)
        if field.type == "integer" and not -(2**31) <= value < 2**31:
            raise ValueError(raw)
        if (entity.name, field.name) in DATE_ONLY:
            value = instants.stored_date(raw)
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise _unparsed(field, raw) from error
    if field.max is not None and isinstance(value, str) and len(value) > field.max:
        raise invalid(f"The maximum length of {field.name} is {field.max}.")
    _in_picklist(world, entity, field, value)
    _refers(world, field, value)
    return value


def _unparsed(field: Field, raw: Any) -> Refusal:
    if isinstance(raw, bool):
        letter = "t" if raw else "f"
        return invalid(
            f"Unexpected character encountered while parsing value: {letter}. Path '{field.name}', line 1."
        )
    return invalid(f"Could not convert '{shown(raw)}' to {field.type}. Path '{field.name}', line 1.")


def _in_picklist(world: World, entity: Entity, field: Field, value: Any) -> None:
    choices = world.db.picklists.get((entity.name, field.name))
    if choices is not None and value not in {number for number, _ in choices}:
        raise invalid(f"Picklist value [{value}] does not exist for {field.name}.")


def _refers(world: World, field: Field, value: Any) -> None:
    table = world.db.tables.get(field.ref)
    if table is not None and value not in table.rows:
        single = table.entity.single
        raise invalid(
            f"Reference value on field: {field.name} of type: {single} does not exist or is invalid."
        )


def _whole(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise ValueError(raw)
    number = int(raw)
    if not -(2**63) <= number < 2**63:
        raise ValueError(raw)
    return number


def _boolean(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise ValueError(raw)
    return raw


def _string(raw: Any) -> str:
    if isinstance(raw, bool | list | dict):
        raise ValueError(raw)
    return str(raw)


def _udfs(raw: Any) -> list[tuple[str, str | None]]:
    if not isinstance(raw, list):
        raise ValueError(raw)
    return [(str(one["name"]), None if one.get("value") is None else str(one["value"])) for one in raw]


_STORE: dict[str, Any] = {
    "integer": _whole,
    "long": _whole,
    "double": amount,
    "boolean": _boolean,
    "string": _string,
    "datetime": instants.stored,
    "udf": _udfs,
}
