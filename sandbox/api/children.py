"""Contacts and locations below their company, where Autotask wants them written."""

from __future__ import annotations

from sandbox.api import records
from sandbox.api.context import Context
from sandbox.api.messages import Answer, invalid
from sandbox.api.query import listing
from sandbox.schema import ENTITIES


def _parent(context: Context) -> int:
    key = context.ids["parent"]
    if records.seen(context.world, ENTITIES["Companies"], key) is None:
        raise invalid(f"No matching records found for Company with id {key}.")
    return key


def all_of(context: Context) -> Answer:
    """The company's own records, ascending by id, 500 at most a page."""
    parent = _parent(context)
    body = {"filter": [{"op": "eq", "field": "companyID", "value": parent}]}
    return listing(context.world, context.kind, context.call, body)


def get_one(context: Context) -> Answer:
    row = records.seen(context.world, context.kind, context.ids["id"])
    if row is None or row.get("companyID") != context.ids["parent"]:
        return records.missing(context.world, context.world.switches.missing)
    return records.get_one(context.world, context.kind, context.ids["id"], context.call)


def create(context: Context) -> Answer:
    return records.create(context.world, context.kind, context.call, _parent(context))


def patch(context: Context) -> Answer:
    return records.patch(context.world, context.kind, context.call, _parent(context))


def put(context: Context) -> Answer:
    return records.put(context.world, context.kind, context.call, _parent(context))


def delete(context: Context) -> Answer:
    return records.delete(context.world, context.kind, context.ids["id"], _parent(context))
