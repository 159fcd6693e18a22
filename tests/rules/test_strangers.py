"""Whoever asks, and whatever foreign ids they send: the right answer, none of the other's words, no row changed.

Walked from the routes themselves, once for every kind of person; then with each of the two walls between partners taken
down, so that either of them is seen to hold alone (ASVS 8.2.2, 8.4.1). STRANGERS=1 walks everybody behind each wall.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event
from werkzeug.routing import Map, Rule
from werkzeug.test import TestResponse

from portal.access import tenancy
from portal.extensions import db
from portal.models import Base
from portal.web import incoming, limits
from sandbox import Sandbox
from tests import factories
from tests.how_many import how_many
from tests.rules.test_every_route import access, routes
from tests.rules.test_hostile_input import Recorded
from tests.strangers import (
    ROLES,
    STAFF,
    Partner,
    address,
    fill,
    id_of,
    name_of,
    somebody,
    text_of,
    without_row_level_security,
)
from tests.strangers_inside import foreign_forms, foreign_paths, foreign_queries, own_pages, programs

pytestmark = pytest.mark.sandbox(customers=0, invoices=0)
SUPPORT = ("support, looking", "support, acting")
EVERYBODY = ("anonymous", "half-way in", *ROLES, "staff outside", *SUPPORT)
# In a usual run two of the four roles, which are all nobody at another partner's.
USUAL = tuple(who for who in EVERYBODY if who not in ("manager", "clerk"))
INSIDE = (*ROLES, *SUPPORT)
EVERYBODY_WALKS = bool(how_many("STRANGERS"))
# In a usual run: the one who may ask for most, wherever one wall stands alone.
BEHIND = {"the database alone": ("owner",), "the code alone": ("owner",), "both walls": ("support, acting",)}
# What everybody's requests may write: when a login was used, what Autotask was asked, and what support asked for.
LOGS = {"login_session", "call_slot", "api_usage", "support_request"}
FILTER = re.compile(r"(?:\w+\.)?\btenant_id = %\(\w+\)s(?:::\w+)?")


@pytest.fixture
def ours(app: Flask, superuser: psycopg.Connection[Any]) -> Partner:
    with app.app_context():
        factories.user(STAFF, staff=True)
    return fill(app, superuser, "contoso", "Ostrich")


@pytest.fixture
def theirs(app: Flask, ours: Partner, superuser: psycopg.Connection[Any]) -> Partner:
    return fill(app, superuser, "northwind", "Zebrano")


@pytest.fixture(autouse=True)
def names_read(app: Flask, sandbox: Sandbox, monkeypatch: Any) -> set[str]:
    """What the last request read from its query and form; nothing is limited."""
    cleaned = incoming._cleaned
    monkeypatch.setattr(limits, "_count", lambda *_: (1, 1, False))
    monkeypatch.setattr(incoming, "_cleaned", lambda values: Recorded(cleaned(values)))
    monkeypatch.setattr(Recorded, "read", set())
    return Recorded.read


def rows(superuser: psycopg.Connection[Any], of: Partner | None = None) -> dict[str, Any]:
    """{table: checksum of its rows}, of one partner or of all; without the logs that requests may write."""
    parts = []
    for name, table in Base.metadata.tables.items():
        if name in LOGS or (of and "tenant_id" not in table.columns):
            continue
        where = f"WHERE tenant_id = {of.id}" if of else ""
        parts.append(f"SELECT '{name}', md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t {where}")
    return dict(superuser.execute(" UNION ALL ".join(parts)).fetchall())


def seen(theirs: Partner, who: str, what: str, answer: TestResponse) -> list[str]:
    """What is wrong with an answer to somebody who is nobody at that partner's; staff may know that it is there."""
    words = [theirs.word, *([] if who[0] == "s" else [name_of(theirs.slug)])]
    told = any(word.lower() in (text_of(answer) + str(answer.headers)).lower() for word in words)
    found = [f"{what} tells the other's words"] if told else []
    if answer.status_code >= 500 and answer.status_code != 503:
        found.append(f"{what} answers {answer.status_code}")
    return found


def outside(app: Flask, rule: Rule, who: str) -> int | None:
    """What this person gets at another partner's address, or for another person's row; None where anybody may."""
    mark = access(app, rule)
    if mark == "public":
        return None
    if mark == "api":
        return 401
    if who in ("anonymous", "half-way in"):
        return None if getattr(app.view_functions[rule.endpoint], "open_at", None) else 303
    if mark == "staff" and who not in ROLES:
        return None
    return 404 if mark == "staff" or rule.arguments else None


@pytest.mark.in_turn(3)
@pytest.mark.parametrize("who", EVERYBODY if EVERYBODY_WALKS else USUAL)
def test_at_another_partners_addresses_nobody_is_told_or_changes_anything(
    app: Flask, ours: Partner, theirs: Partner, superuser: psycopg.Connection[Any], who: str
) -> None:
    browser = somebody(app, who, ours)
    before, walked = rows(superuser), 0
    for rule, method in [*routes(app, partner=True), *routes(app, partner=False)]:
        wanted = outside(app, rule, who)
        if wanted is None:
            continue
        answer = browser.open(address(app, rule, theirs.slug, theirs), method=method)
        assert answer.status_code == wanted, (who, method, str(rule), answer.status_code)
        assert seen(theirs, who, f"{who}: {method} {rule}", answer) == []
        walked += 1
    assert walked > 100
    assert rows(superuser) == before


@contextmanager
def without_the_codes_filter(app: Flask) -> Iterator[None]:
    """Statements inside a partner lose every `tenant_id = …`: what they find is for the database alone to limit."""

    def strip(_: Any, __: Any, statement: str, parameters: Any, *rest: Any) -> tuple[str, Any]:
        inside = tenancy.tenant_in_scope() is not None
        return (FILTER.sub("TRUE", statement) if inside else statement), parameters

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", strip, retval=True)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", strip)


WALLS = {
    "both walls": [],
    "the database alone": ["code"],
    "the code alone": ["database"],
}


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    ("standing", "who"),
    [(standing, who) for standing in WALLS for who in (INSIDE if EVERYBODY_WALKS else BEHIND[standing])],
)
def test_inside_ones_own_partner_the_others_ids_lead_nowhere(
    app: Flask, ours: Partner, theirs: Partner, superuser: psycopg.Connection[Any], standing: str, who: str
) -> None:
    before = rows(superuser, theirs)
    with walls_down(app, superuser, WALLS[standing]):
        found = everything_wrong(app, ours, theirs, who)
    assert found == []
    assert rows(superuser, theirs) == before


def test_with_both_walls_down_the_walk_sees_it(
    app: Flask, ours: Partner, theirs: Partner, superuser: psycopg.Connection[Any]
) -> None:
    """The walk's own proof: pages, paths and queries are found to tell."""
    with walls_down(app, superuser, ["code", "database"]):
        found = "\n".join(everything_wrong(app, ours, theirs, "reader", PARTS[:3]))
    for part in ("page GET", "path GET", "query GET"):
        assert re.search(rf"^{part} .*words$", found, re.M), (part, found)


@contextmanager
def walls_down(app: Flask, superuser: psycopg.Connection[Any], down: list[str]) -> Iterator[None]:
    with ExitStack() as stack:
        if "code" in down:
            stack.enter_context(without_the_codes_filter(app))
        if "database" in down:
            stack.enter_context(without_row_level_security(superuser))
        yield


PARTS = (own_pages, foreign_paths, foreign_queries, foreign_forms, programs)


def everything_wrong(
    app: Flask, ours: Partner, theirs: Partner, who: str, parts: Sequence[Any] = PARTS
) -> list[str]:
    browser = somebody(app, who, ours)
    found = []
    for part in parts:
        for what, answer in part(app, browser, ours, theirs, who):
            found += seen(theirs, who, what, answer)
            wanted = what.rpartition(" wants ")[2] if " wants " in what else ""
            if wanted and str(answer.status_code) not in wanted.split("/"):
                found.append(f"{what}, got {answer.status_code}")
    return found


def test_an_argument_that_the_walk_does_not_know_fails_it(app: Flask, theirs: Partner) -> None:
    for rule in app.url_map.iter_rules():
        for name in rule.arguments:
            assert id_of(theirs, name), f"{rule}: tests/strangers.py has no row for {name}"
    with pytest.raises(KeyError):
        id_of(theirs, "unheard_of_id")


def test_a_new_route_without_a_row_fails_the_walk(
    app: Flask, theirs: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = Rule("/p/<partner_slug>/planted/<int:planted_id>", endpoint="home.show")
    Map([planted])
    known = list(app.url_map.iter_rules())
    monkeypatch.setattr(app.url_map, "iter_rules", lambda *_: iter([*known, planted]))
    with pytest.raises(KeyError):
        test_an_argument_that_the_walk_does_not_know_fails_it(app, theirs)
