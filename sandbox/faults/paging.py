"""F27 to F29: pages that lead in circles or elsewhere, and far more rows than expected."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from sandbox.api.messages import Answer, Call
from sandbox.faults.edits import edited
from sandbox.faults.kinds import Kind, register
from sandbox.world import World

if TYPE_CHECKING:
    from sandbox.faults.rules import Fault

ELSEWHERE = {
    "other_host": "https://webservices99.evil.example/ATServicesRest/V1.0/Invoices/query/next?paging=x",
    "script": "javascript:alert(document.domain)",
    "file": "file:///etc/passwd",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "user_info": "http://127.0.0.1@evil.example/ATServicesRest/V1.0/Invoices/query/next?paging=x",
}


def _next_url(answer: Answer, make: Callable[[Any], str | None]) -> Answer:
    """The answer with the nextPageUrl that `make` gives for its document."""

    def change(document: Any) -> None:
        details = document.get("pageDetails") if isinstance(document, dict) else None
        if isinstance(details, dict):
            details["nextPageUrl"] = make(document)

    return edited(answer, change)


def _circle(rule: Fault, world: World, call: Call, answer: Answer) -> Answer:
    memory = rule.memory

    def make(document: Any) -> str | None:
        url = document["pageDetails"].get("nextPageUrl")
        start = document["items"][:1]
        if "second" not in memory:
            if url is not None:
                memory["second"], memory["start"] = url, start
            return str(url) if url is not None else None
        back = rule.params["value"] == "back_to_first" and start != memory["start"]
        return _first_page(memory["second"]) if back else str(memory["second"])

    return _next_url(answer, make)


def _first_page(url: str) -> str:
    """A URL like this one that leads to the first page again."""
    parts = urlsplit(url)
    token = parse_qs(parts.query)["paging"][0]
    if token.startswith("{"):
        position = {**json.loads(token), "nextIds": [-1]}
        search = parse_qs(parts.query)["search"][0]
        return f"{url.split('?')[0]}?paging={quote(json.dumps(position))}&search={quote(search)}"
    position = {**json.loads(base64.urlsafe_b64decode(token)), "after": -1}
    fresh = base64.urlsafe_b64encode(json.dumps(position).encode()).decode()
    return f"{url.split('?')[0]}?paging={quote(fresh)}"


def _elsewhere(rule: Fault, world: World, call: Call, answer: Answer) -> Answer:
    value = rule.params["value"]
    if value == "other_zone":
        url = f"{call.base}/zone{world.zone + 7}/ATServicesRest/V1.0/Invoices/query/next?paging=x"
    elif value == "other_port":
        url = "http://127.0.0.1:1/ATServicesRest/V1.0/Invoices/query/next?paging=x"
    elif value == "long":
        url = f"{world.api_url(call)}V1.0/Invoices/query/next?paging={'x' * 8_192}"
    else:
        url = ELSEWHERE.get(value, value)
    return _next_url(answer, lambda _: url)


def _flood(rule: Fault, world: World) -> Callable[[], None]:
    """Adds rows like the last one there is; clearing the fault takes them out again."""
    name = rule.entity or "Invoices"
    with world.db.lock:
        table = world.db[name]
        if not table.ids:
            raise ValueError(f"{name} needs one row to be like")
        like = table.rows[table.ids[-1]]
        first = table.highest_id + 1
        keys = range(first, first + int(rule.params["rows"]))
        table.load(like.replaced({"id": key}) for key in keys)

    def undo() -> None:
        with world.db.lock:
            table.unload(keys)

    return undo


register(
    Kind(
        "F27",
        "paging_circle",
        "a page's nextPageUrl repeats, or leads back to the first page",
        {"value": "repeats"},
        times=0,
        verb="pages",
        reshape=_circle,
        choices={"value": ("repeats", "back_to_first")},
    )
)
register(
    Kind(
        "F28",
        "foreign_next_page",
        "nextPageUrl leads elsewhere: a name of the list, or any URL",
        {"value": "other_host"},
        times=0,
        verb="pages",
        reshape=_elsewhere,
    )
)
register(
    Kind(
        "F29",
        "flood",
        "far more rows than anyone expects",
        {"rows": 100_000},
        times=0,
        verb="pages",
        begin=_flood,
    )
)
