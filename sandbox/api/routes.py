"""Which URL is which call. Path segments match in any letter case, as most sources say of Autotask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sandbox.api import children, documents, metadata, query, records, service, settings
from sandbox.api.context import Context, Handler
from sandbox.api.messages import Answer, not_found_page, not_modelled, wrong_verb
from sandbox.schema import ENTITIES, ENTITIES_BY_LOWER, Entity


@dataclass(frozen=True)
class Route:
    """One kind of call: `verb` names it in the log, in faults and in limits."""

    method: str
    pattern: tuple[str, ...]
    verb: str
    handler: Handler
    needs: str = ""


@dataclass
class Found:
    """A route with what stands in its path. `endpoint` is what Autotask counts threads by."""

    route: Route
    endpoint: str
    entity: Entity | None
    ids: dict[str, int]


def _route(method: str, pattern: str, verb: str, handler: Handler, needs: str = "") -> Route:
    return Route(method, tuple(pattern.split("/")), verb, handler, needs)


def _on(function: object) -> Handler:
    """A handler from a function of world, entity and call."""
    return lambda context: function(context.world, context.kind, context.call)  # type: ignore[operator]


def _get_one(context: Context) -> Answer:
    return records.get_one(context.world, context.kind, context.ids["id"], context.call)


SERVICE = [
    _route("GET", "zoneinformation", "zone", service.zone_information),
    _route("GET", "version", "version", service.version),
    _route("GET", "thresholdinformation", "threshold", service.threshold),
    _route("GET", "entityinformation", "info", metadata.all_entities),
]
SERVICE_NAMES = {
    "zoneinformation": "ZoneInformation",
    "version": "Version",
    "thresholdinformation": "ThresholdInformation",
    "entityinformation": "EntityInformation",
}
RECORDS = [
    _route("GET", "*/query", "query", _on(query.get_query)),
    _route("POST", "*/query", "query", _on(query.post_query)),
    _route("GET", "*/query/next", "next", _on(query.get_next)),
    _route("POST", "*/query/next", "next", _on(query.post_next)),
    _route("GET", "*/query/count", "count", _on(query.count)),
    _route("POST", "*/query/count", "count", _on(query.count)),
    _route("GET", "*/entityinformation", "info", metadata.entity_information),
    _route("GET", "*/entityinformation/fields", "fields", metadata.fields),
    _route("GET", "*/entityinformation/userdefinedfields", "udfs", metadata.user_defined_fields),
    _route("GET", "*/{id}", "get", _get_one),
    _route("POST", "*", "create", _on(records.create), needs="c"),
    _route("PATCH", "*", "patch", _on(records.patch), needs="u"),
    _route("PUT", "*", "put", _on(records.put), needs="u"),
]
INVOICES = [
    _route("GET", "invoices/{id}/invoicepdf", "pdf", documents.pdf),
    _route("GET", "invoices/{id}/invoicemarkuphtml", "html", documents.markup_html),
    _route("GET", "invoices/{id}/invoicemarkupxml", "xml", documents.markup_xml),
]
_RECIPIENTS = [("contactrecipients", "contactRecipients"), ("resourcerecipients", "resourceRecipients")]
COMPANIES = [
    _route("GET", "companies/{id}/invoicesettings", "settings", settings.get_settings),
    _route("PUT", "companies/{id}/invoicesettings", "settings", settings.put_settings),
    *[
        _route(
            "POST",
            f"companies/{{id}}/invoicesettings/{path}",
            "settings",
            partial(settings.add_recipients, field=f),
        )
        for path, f in _RECIPIENTS
    ],
    *[
        _route(
            "DELETE",
            f"companies/{{id}}/invoicesettings/{path}/{{recipient}}",
            "settings",
            partial(settings.remove_recipient, field=f),
        )
        for path, f in _RECIPIENTS
    ],
]
_CHILDREN = {"contacts": "Contacts", "locations": "CompanyLocations"}
CHILDREN = [
    route
    for child in _CHILDREN
    for route in (
        _route("GET", f"companies/{{parent}}/{child}", "query", children.all_of),
        _route("POST", f"companies/{{parent}}/{child}", "create", children.create),
        _route("PATCH", f"companies/{{parent}}/{child}", "patch", children.patch),
        _route("PUT", f"companies/{{parent}}/{child}", "put", children.put),
        _route("GET", f"companies/{{parent}}/{child}/entityinformation", "info", metadata.entity_information),
        _route("GET", f"companies/{{parent}}/{child}/entityinformation/fields", "fields", metadata.fields),
        _route(
            "GET",
            f"companies/{{parent}}/{child}/entityinformation/userdefinedfields",
            "udfs",
            metadata.user_defined_fields,
        ),
        _route("GET", f"companies/{{parent}}/{child}/{{id}}", "get", children.get_one),
        _route("DELETE", f"companies/{{parent}}/{child}/{{id}}", "delete", children.delete),
    )
]
ROUTES = [*SERVICE, *RECORDS, *INVOICES, *COMPANIES, *CHILDREN]
NOT_MODELLED_CHILDREN = {
    "alerts",
    "attachments",
    "notes",
    "siteconfigurations",
    "teams",
    "todos",
    "billingproductassociations",
    "webhooks",
}


def find(method: str, segments: list[str]) -> Found:
    """The route of a path below V1.0. Raises Refusal: 404, 405, or 501 for what is not modelled."""
    lower = [one.lower() for one in segments]
    others = False
    for route in ROUTES:
        ids = _match(route.pattern, lower)
        if ids is None:
            continue
        entity = _entity(lower)
        if route.pattern == ("*",) and entity and entity.can == "r":
            continue  # no such path: Autotask gives its 404 page, not 405
        if route.method == method and (not route.needs or (entity and route.needs in entity.can)):
            return Found(route, _endpoint(lower, entity), entity, ids)
        others = True
    raise wrong_verb(method) if others else _unknown(segments, lower)


def _match(pattern: tuple[str, ...], lower: list[str]) -> dict[str, int] | None:
    if len(pattern) != len(lower):
        return None
    ids: dict[str, int] = {}
    for wanted, held in zip(pattern, lower, strict=True):
        if wanted[0] == "{":
            number = _number(held)
            if number is None:
                return None
            ids[wanted[1:-1]] = number
        elif wanted == "*":
            if held not in ENTITIES_BY_LOWER:
                return None
        elif wanted != held:
            return None
    return ids


def _number(text: str) -> int | None:
    digits = text[1:] if text[:1] == "-" else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        return None
    return int(text)


EXACT = {
    *ENTITIES,
    *[
        "query",
        "next",
        "count",
        "entityInformation",
        "EntityInformation",
        "fields",
        "userDefinedFields",
        "Locations",
    ],
    *["InvoicePdf", "InvoiceMarkupHtml", "InvoiceMarkupXml", "Version", "ThresholdInformation"],
    *["invoiceSettings", "contactRecipients", "resourceRecipients"],
}


def is_exact(segments: list[str]) -> bool:
    """Whether a known path is spelled as Autotask's own description spells it."""
    return all(one in EXACT or _number(one) is not None for one in segments)


def _entity(lower: list[str]) -> Entity | None:
    if len(lower) > 2 and lower[0] == "companies" and lower[2] in _CHILDREN:
        return ENTITIES[_CHILDREN[lower[2]]]
    return ENTITIES_BY_LOWER.get(lower[0])


def _endpoint(lower: list[str], entity: Entity | None) -> str:
    return entity.name if entity else SERVICE_NAMES[lower[0]]


def _unknown(segments: list[str], lower: list[str]) -> Exception:
    first = lower[0] if lower else ""
    if first in ENTITIES_BY_LOWER and not (len(lower) > 2 and lower[2] in NOT_MODELLED_CHILDREN):
        return not_found_page()
    if not first.isalnum():
        return not_found_page()
    return not_modelled("/".join(one for one in segments if not _number(one))[:100])
