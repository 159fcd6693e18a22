"""Query, its pages, and count."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sandbox.api.filters import FilterReader
from sandbox.api.messages import Answer, Call, answer_json, invalid, not_found_page, parse_json, wrong_verb
from sandbox.api.planner import Plan, plan
from sandbox.schema import Entity
from sandbox.store.rows import Row
from sandbox.world import World

LONGEST_GET = 2048
MAX_PAGE = 500


@dataclass
class Asked:
    """A query as understood. `after` and `before` bound the page by id; `digest` is the body's identity."""

    entity: Entity
    plan: Plan
    size: int
    names: list[str] | None
    digest: str
    after: int | None = None
    before: int | None = None


def read_query(world: World, entity: Entity, raw: Any) -> Asked:
    """Reads a query body. Raises Refusal for whatever Autotask refuses."""
    if not isinstance(raw, dict):
        raise invalid("Value cannot be null. Parameter name: queryModel")
    model = {str(key).lower(): value for key, value in raw.items()}
    size = _page_size(model.get("maxrecords"))
    names = _included(entity, model.get("includefields"))
    udf_names = {one["name"] for one in world.db.udf_definitions[entity.name]}
    items = FilterReader(entity, udf_names, world.switches).read(model.get("filter"))
    canonical = json.dumps(model, sort_keys=True, default=str)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:16]
    return Asked(entity, plan(world.db[entity.name], items), size, names, digest)


def _page_size(raw: Any) -> int:
    if raw is None:
        return MAX_PAGE
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= MAX_PAGE:
        raise invalid("maxCountOfRecordsToReturn must be between 1 and 500")
    return raw


def _included(entity: Entity, raw: Any) -> list[str] | None:
    if raw is None or raw == []:
        return None
    if not isinstance(raw, list) or not all(isinstance(one, str) for one in raw):
        raise invalid("Error converting value to type 'System.String[]'. Path 'includeFields'.")
    found = []
    for name in raw:
        one = entity.find(name)
        if one is None:
            raise invalid(f"Unable to find {name} in the {entity.single} Entity.")
        found.append(one.name)
    if entity.has_udf and "userDefinedFields" not in found:
        found.append("userDefinedFields")
    return list(dict.fromkeys(found))


def rows_of(world: World, asked: Asked) -> list[Row]:
    """The page's rows and one more if there is one, in the order that the switch says."""
    first, last = asked.plan.slice()
    ids, rows = asked.plan.ids, world.db[asked.entity.name].rows
    falling = world.switches.order == "descending"
    rising, sinking = range(first, last), range(last - 1, first - 1, -1)
    if asked.before is not None:
        back = rising if falling else sinking
        keys = (ids[at] for at in back if (ids[at] > asked.before) == falling and ids[at] != asked.before)
        return _matching(world, asked, keys, rows, asked.size)[::-1]
    keys = (ids[at] for at in (sinking if falling else rising))
    return _matching(world, asked, keys, rows, asked.size + 1)


def _matching(
    world: World, asked: Asked, keys: Iterator[int], rows: dict[int, Row], wanted: int
) -> list[Row]:
    test, visible = asked.plan.test, world.visible(asked.entity.name)
    found: list[Row] = []
    for key in keys:
        row = rows[key]
        if (test is None or test(row)) and (visible is None or visible(row)):
            found.append(row)
            if len(found) == wanted:
                break
    return found


def query_page(world: World, asked: Asked, link: Callable[[dict[str, Any]], str]) -> Answer:
    """One page as Autotask answers it. `link` makes the URL of a neighbouring page from its position."""
    if asked.after is not None and world.switches.order == "descending":
        asked.plan.high = min(asked.plan.high, asked.after - 1)
    elif asked.after is not None:
        asked.plan.low = max(asked.plan.low, asked.after + 1)
    with world.db.lock:
        found = rows_of(world, asked)
    rows = found[: asked.size]
    encode = _row_encoder(world, asked)
    following = previous = None
    if rows and (len(found) > asked.size or asked.before is not None):
        following = link({"after": rows[-1].id})
    if rows and (asked.after is not None or (asked.before is not None and len(rows) == asked.size)):
        previous = link({"before": rows[0].id})
    details = {
        "count": len(rows),
        "requestCount": asked.size,
        "prevPageUrl": previous,
        "nextPageUrl": following,
    }
    items = ",".join(map(encode, rows))
    return Answer(200, f'{{"items":[{items}],"pageDetails":{json.dumps(details)}}}'.encode())


def _row_encoder(world: World, asked: Asked) -> Callable[[Row], str]:
    dates_z, names = world.switches.dates_z, asked.names
    if names is None:
        return lambda row: row.json(dates_z)
    return lambda row: row.json_of(names, dates_z)


def post_query(world: World, entity: Entity, call: Call) -> Answer:
    asked = read_query(world, entity, parse_json(call.body))
    return query_page(world, asked, _post_link(world, call, asked))


def post_next(world: World, entity: Entity, call: Call) -> Answer:
    """The next page of a POST query: only with the same body and a position that is still kept."""
    asked = read_query(world, entity, parse_json(call.body))
    token = call.arguments().get("paging", "")
    position = _position(token)
    if position.get("body") != asked.digest:
        raise invalid("The paging information does not belong to this query.")
    if world.positions.forgot(token, world.switches.page_positions):
        raise invalid("The paging information has expired.")
    asked.after, asked.before = position.get("after"), position.get("before")
    return query_page(world, asked, _post_link(world, call, asked))


def _post_link(world: World, call: Call, asked: Asked) -> Callable[[dict[str, Any]], str]:
    page = object()

    def link(position: dict[str, Any]) -> str:
        plain = json.dumps({"pageSize": asked.size, "body": asked.digest, **position}).encode()
        token = base64.urlsafe_b64encode(plain).decode()
        world.positions.remember(token, page, world.switches.page_positions)
        return f"{world.api_url(call)}V1.0/{asked.entity.name}/query/next?paging={quote(token)}"

    return link


def _position(token: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(token.encode()))
    except ValueError as error:
        raise invalid("The paging information is not valid.") from error
    whole = isinstance(found, dict) and all(_id_or_none(found.get(name)) for name in ("after", "before"))
    if not whole:
        raise invalid("The paging information is not valid.")
    return dict(found)


def _id_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def get_query(world: World, entity: Entity, call: Call) -> Answer:
    asked, search = _get_asked(world, entity, call)
    return query_page(world, asked, _get_link(world, call, asked, search))


def get_next(world: World, entity: Entity, call: Call) -> Answer:
    """The next page of a GET query. A POST query's page refuses GET, as the switch next_by_get says."""
    arguments = call.arguments()
    if "search" not in arguments:
        if world.switches.next_by_get == "405":
            raise wrong_verb("GET")
        details = {"count": 0, "requestCount": MAX_PAGE, "prevPageUrl": None, "nextPageUrl": None}
        return answer_json({"items": [], "pageDetails": details})
    asked, search = _get_asked(world, entity, call)
    paging = parse_json(arguments.get("paging", ""))
    following = paging.get("nextIds") if isinstance(paging, dict) else None
    previous = paging.get("previousIds") if isinstance(paging, dict) else None
    asked.after, asked.before = _one_id(following), _one_id(previous)
    if (asked.after is None) == (asked.before is None):
        raise invalid("The paging information is not valid.")
    return query_page(world, asked, _get_link(world, call, asked, search))


def _one_id(ids: Any) -> int | None:
    whole = isinstance(ids, list) and len(ids) == 1 and _id_or_none(ids[0])
    return ids[0] if whole else None


def _get_asked(world: World, entity: Entity, call: Call) -> tuple[Asked, str]:
    if len(call.base) + len(call.target) > LONGEST_GET:
        raise not_found_page()
    search = call.arguments().get("search", "")
    if not search:
        raise invalid("Value cannot be null. Parameter name: search")
    return read_query(world, entity, parse_json(search)), search


def _get_link(world: World, call: Call, asked: Asked, search: str) -> Callable[[dict[str, Any]], str]:
    def link(position: dict[str, Any]) -> str:
        after, before = position.get("after"), position.get("before")
        paging = {
            "pageSize": asked.size,
            "previousIds": [] if before is None else [before],
            "nextIds": [] if after is None else [after],
        }
        query = f"paging={quote(json.dumps(paging))}&search={quote(search)}"
        return f"{world.api_url(call)}V1.0/{asked.entity.name}/query/next?{query}"

    return link


def count(world: World, entity: Entity, call: Call) -> Answer:
    """How many rows a query has, over all pages."""
    if call.method == "GET":
        asked, _ = _get_asked(world, entity, call)
    else:
        asked = read_query(world, entity, parse_json(call.body))
    with world.db.lock:
        return answer_json({"queryCount": _count(world, asked)})


def _count(world: World, asked: Asked) -> int:
    first, last = asked.plan.slice()
    test, visible = asked.plan.test, world.visible(asked.entity.name)
    if test is None and visible is None:
        return max(0, last - first)
    rows, ids = world.db[asked.entity.name].rows, asked.plan.ids
    chosen = (rows[ids[at]] for at in range(first, last))
    return sum((test is None or test(row)) and (visible is None or visible(row)) for row in chosen)


def listing(world: World, entity: Entity, call: Call, body: dict[str, Any]) -> Answer:
    """A child collection read by GET: the rows of a ready-made query, paged like one."""
    asked = read_query(world, entity, body)
    search = json.dumps(body)
    return query_page(world, asked, _get_link(world, call, asked, search))
