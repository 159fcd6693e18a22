"""A page of events for the JSON API, in the order of their places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Event, EventKind
from portal.queries.api import LARGEST_ID, page_size
from portal.web.api_query import BadQuery
from portal.webhooks import events

number_new = events.number_new


@dataclass(frozen=True)
class Asked:
    after: int
    limit: int
    kinds: Sequence[str]


def asked(args: Mapping[str, str]) -> Asked:
    """Raises BadQuery."""
    wanted = [one for one in args["kind"].split(",") if one] if "kind" in args else []
    if unknown := sorted(set(wanted) - set(EventKind)):
        text = unknown[0]
        raise BadQuery(
            f"kind: there is no kind “{text[:60]}”. Send one or several of {', '.join(EventKind)}."
        )
    return Asked(_place(args.get("cursor", "0")), page_size(args), wanted)


def page(wanted: Asked, more_to_come: bool) -> dict[str, Any]:
    """`next_cursor` is where to go on from, also where nothing is new; `more_to_come`: not all have a place yet."""
    last, limit = events.last_place(), wanted.limit
    query = scoped(Event).where(Event.place > wanted.after, Event.place <= last).order_by(Event.place)
    if wanted.kinds:
        query = query.where(Event.kind.in_(wanted.kinds))
    rows = db.session.scalars(query.limit(limit + 1)).all()
    shown = rows[:limit]
    more = len(rows) > limit
    place = shown[-1].place if more else max(last, wanted.after)
    return {
        "data": [events.told(row) for row in shown],
        "next_cursor": str(place),
        "has_more": more or more_to_come,
    }


def _place(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_ID):
        raise BadQuery("cursor: send next_cursor of the answer before.")
    return int(text)
