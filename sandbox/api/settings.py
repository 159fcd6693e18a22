"""Who gets a company's invoices: invoiceSettings and its recipients."""

from __future__ import annotations

from typing import Any

from sandbox.api.context import Context
from sandbox.api.messages import Answer, answer_json, invalid, parse_json, shown
from sandbox.api.records import seen
from sandbox.requestlog import Change
from sandbox.schema import ENTITIES
from sandbox.world import World

_TYPES = {
    "taxExempt": bool,
    "taxRegionId": int,
    "taxId": str,
    "invoiceEmailingEnabled": bool,
    "otherEmails": str,
}

_NAMES: dict[type, str] = {bool: "boolean", int: "integer", str: "string"}


def settings_of(world: World, company: int) -> dict[str, Any]:
    """A company's settings, made from the company the first time."""
    row = world.db["Companies"].rows[company]
    fresh = {
        "taxExempt": bool(row.get("isTaxExempt")),
        "taxRegionId": row.get("taxRegionID"),
        "taxId": row.get("taxID"),
        "invoiceEmailingEnabled": True,
        "contactRecipients": [],
        "resourceRecipients": [],
        "otherEmails": "",
    }
    return world.db.invoice_settings.setdefault(company, fresh)


def _company(context: Context) -> int:
    key = context.ids["id"]
    if seen(context.world, ENTITIES["Companies"], key) is None:
        raise invalid(f"No matching records found for Company with id {key}.")
    return key


def get_settings(context: Context) -> Answer:
    with context.world.db.lock:
        return answer_json(settings_of(context.world, _company(context)))


def put_settings(context: Context) -> Answer:
    """Replaces the five writable settings; what is left out becomes null."""
    body = parse_json(context.call.body)
    if not isinstance(body, dict):
        raise invalid("Value cannot be null. Parameter name: model")
    given = {str(name).lower(): value for name, value in body.items()}
    with context.world.db.lock:
        key = _company(context)
        values = {name: _typed(name, given.get(name.lower())) for name in _TYPES}
        change = set_settings(context.world, key, values)
    return answer_json({"itemId": key}, changed=[change])


def _typed(name: str, value: Any) -> Any:
    kind = _TYPES[name]
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise invalid(f"Could not convert '{shown(value)}' to {_NAMES[kind]}. Path '{name}', line 1.")
    return value


def set_settings(world: World, company: int, values: dict[str, Any]) -> Change:
    """Changes settings by name; also used by people and tests."""
    held = settings_of(world, company)
    differing = {name: (held.get(name), value) for name, value in values.items() if held.get(name) != value}
    held.update(values)
    world.db.settings_touched.add(company)
    return Change("Companies", company, "invoice settings changed", differing)


def add_recipients(context: Context, field: str) -> Answer:
    """Adds contacts or resources, by their ids, to those who get the invoices."""
    body = parse_json(context.call.body)
    items = {str(name).lower(): value for name, value in body.items()} if isinstance(body, dict) else {}
    ids = items.get("items")
    if not isinstance(ids, list) or not all(
        isinstance(one, int) and not isinstance(one, bool) for one in ids
    ):
        raise invalid("Value cannot be null. Parameter name: items")
    with context.world.db.lock:
        key = _company(context)
        if field == "contactRecipients":
            _must_be_contacts(context.world, key, ids)
        wanted = list(dict.fromkeys([*settings_of(context.world, key)[field], *ids]))
        change = set_settings(context.world, key, {field: wanted})
    return answer_json({field: wanted}, changed=[change])


def _must_be_contacts(world: World, company: int, ids: list[int]) -> None:
    contacts = world.db["Contacts"]
    for one in ids:
        if one not in contacts.rows or contacts.rows[one].get("companyID") != company:
            raise invalid(
                "Reference value on field: contactID of type: Contact does not exist or is invalid."
            )


def remove_recipient(context: Context, field: str) -> Answer:
    with context.world.db.lock:
        key, gone = _company(context), context.ids["recipient"]
        held = settings_of(context.world, key)[field]
        if gone not in held:
            raise invalid("No matching records found for the specified id.")
        change = set_settings(context.world, key, {field: [one for one in held if one != gone]})
    return answer_json({"itemId": gone}, changed=[change])
