"""What somebody inside their own partner sends to find another's rows: in path, query, form, JSON and header."""

import re
from collections.abc import Iterator

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from portal.access.permissions import ROLE_PERMISSIONS, Permission, of_support
from portal.models import Role, VisitMode
from tests.rules.test_every_route import access, routes
from tests.rules.test_hostile_input import BODY, Recorded, forms_of
from tests.strangers import NAMED, Partner, address, text_of

Answers = Iterator[tuple[str, TestResponse]]


def held(who: str) -> set[Permission]:
    if who == "support, acting":
        return of_support(VisitMode.ACT, Role.OWNER)
    return ROLE_PERMISSIONS.get(who, {Permission.VIEW})


def pages(app: Flask, who: str) -> Iterator[Rule]:
    for rule, method in routes(app, partner=True):
        if method == "GET" and access(app, rule) in held(who):
            yield rule


def own_pages(app: Flask, browser: FlaskClient, ours: Partner, theirs: Partner, who: str) -> Answers:
    """The positive control: one's own rows are there, and nobody else's."""
    told = 0
    for rule in pages(app, who):
        needed = {"invoice_id": ours.ids["invoice"]} if rule.endpoint == "credits.new" else {}
        answer = browser.get(address(app, rule, ours.slug, ours), query_string=needed)
        told += ours.word in text_of(answer)
        wanted = "" if rule.endpoint == "invoices.pdf" else " wants 200/303"
        yield f"page GET {rule}{wanted}", answer
    assert told > 20, "the walk looks at pages, not at refusals"


def foreign_paths(app: Flask, browser: FlaskClient, ours: Partner, theirs: Partner, who: str) -> Answers:
    for rule, method in routes(app, partner=True):
        if not rule.arguments - {"partner_slug"}:
            continue
        refused = access(app, rule) not in held(who) or (who == "support, looking" and method != "GET")
        answer = browser.open(address(app, rule, ours.slug, theirs), method=method)
        yield f"path {method} {rule} wants {403 if refused else 404}", answer


def names_rows(name: str, value: str, ours: Partner) -> bool:
    """Whether a field or parameter names a row."""
    own = value.isdigit() and int(value) in ours.ids.values()
    return own or name in NAMED or bool(re.search(r"(id|ids|invoices?|customers?|credits?|keys?|\d)$", name))


def foreign(name: str, theirs: Partner) -> tuple[str, str]:
    """The field with another partner's id, in its value or, as for allocations, in its name."""
    number = str(
        theirs.ids.get(NAMED.get(name, name.removesuffix("_id").removesuffix("s")), theirs.ids["invoice"])
    )
    if re.search(r"\d+$", name):
        return re.sub(r"\d+$", number, name), "1.00"
    return name, number


def foreign_queries(app: Flask, browser: FlaskClient, ours: Partner, theirs: Partner, who: str) -> Answers:
    tried = 0
    for rule in pages(app, who):
        own = address(app, rule, ours.slug, ours)
        Recorded.read.clear()
        browser.get(own)
        for name in sorted(one for one in Recorded.read if names_rows(one, "", ours)):
            tried += 1
            yield f"query GET {rule}?{name}", browser.get(own, query_string=dict([foreign(name, theirs)]))
    assert tried > 1


def foreign_forms(app: Flask, browser: FlaskClient, ours: Partner, theirs: Partner, who: str) -> Answers:
    """Every form of every page, one field at a time naming the other's row; and addresses that no form leads to."""
    forms: dict[str, dict[str, str]] = {}
    for rule in pages(app, who):
        own = address(app, rule, ours.slug, ours)
        page = browser.get(f"{own}?invoice={ours.ids['invoice']}&invoice_id={ours.ids['invoice']}")
        for action, fields in forms_of(text_of(page)):
            forms.setdefault(action, {}).update(fields)
    for rule, method in routes(app, partner=True):
        if method == "POST" and access(app, rule) in held(who):
            forms.setdefault(address(app, rule, ours.slug, ours), {})
    for action, fields in forms.items():
        if action.startswith(f"/p/{ours.slug}/") and "disconnect" not in action:
            yield from one_form(browser, ours, theirs, action, fields)


def one_form(
    browser: FlaskClient, ours: Partner, theirs: Partner, action: str, fields: dict[str, str]
) -> Answers:
    Recorded.read.clear()
    names = {name for name, value in fields.items() if names_rows(name, value, ours)}
    if not fields:
        yield f"form POST {action}", browser.post(action)
        names = {name for name in Recorded.read if names_rows(name, "", ours)} - {"csrf_token"}
    for name in sorted(names):
        other, value = foreign(name, theirs)
        rest = {one: text for one, text in fields.items() if one != name}
        yield f"form POST {action} {name}", browser.post(action, data={**rest, other: value})


def programs(app: Flask, browser: FlaskClient, ours: Partner, theirs: Partner, who: str) -> Answers:
    """One's own API key with the other's ids, in path, query, JSON and header."""
    sent = {"Authorization": f"Bearer {ours.key}"}
    program = app.test_client()
    for rule, method in routes(app, partner=False):
        if access(app, rule) != "api":
            continue
        wanted = " wants 404" if rule.arguments - {"external_id"} else ""
        path = address(app, rule, "", theirs)
        if method != "POST":
            yield f"api {method} {rule}{wanted}", program.open(path, method=method, headers=sent)
        if rule.arguments and method == "GET":
            own = program.get(address(app, rule, "", ours), headers=sent)
            assert ours.word in text_of(own), rule
        for name in ("customer_id", "invoice_id", "cursor", "after"):
            query = {name: theirs.ids.get(name.removesuffix("_id"), 1)}
            yield f"api query {rule}?{name}", program.get(path, headers=sent, query_string=query)
    for number, name in enumerate(("invoice_id", "autotask_id")):
        body = {**BODY, "allocations": [{name: theirs.ids["invoice"], "amount": "1.00"}]}
        for key in (f"key-{number}", "key-of-theirs"):
            answer = program.post("/api/v1/payments", json=body, headers={**sent, "Idempotency-Key": key})
            yield f"api JSON {name} wants 404/409/422", answer
