"""The parameters of an API address: what the description does not know is refused by name, never ignored."""

import re
from typing import Any

from flask import request

from portal.web.api_description import DESCRIPTION

ARGUMENT = re.compile(r"<[^>]+>|{[^}]+}")
# What an argument is called in the description may be another name than the route has for it.
WRITTEN = {ARGUMENT.sub("{}", path): path for path in DESCRIPTION["paths"]}


class BadQuery(ValueError):
    """A parameter of the address cannot be read; str() names it."""


def refuse_unknown() -> None:
    """Raises BadQuery for a parameter that this endpoint does not have, that is empty, or sent twice."""
    known = sorted(_known())
    for name in request.args:
        if name not in known:
            has = f"This address takes {', '.join(known)}." if known else "This address takes none."
            raise BadQuery(f"There is no parameter “{name[:60]}” here. {has}")
        if len(request.args.getlist(name)) > 1:
            raise BadQuery(f"{name}: send it once.")
        if not request.args[name].strip():
            raise BadQuery(f"{name}: send a value, or leave it out.")


def described_path(rule: str) -> str:
    """A route's address as the description writes it: `/invoices/{invoice_id}`."""
    shape = ARGUMENT.sub("{}", rule.removeprefix("/api/v1"))
    return WRITTEN.get(shape, shape)


def _known() -> set[str]:
    assert request.url_rule is not None
    path = described_path(request.url_rule.rule)
    method = "get" if request.method == "HEAD" else request.method.lower()
    operation: dict[str, Any] = DESCRIPTION["paths"].get(path, {}).get(method, {})
    return {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
