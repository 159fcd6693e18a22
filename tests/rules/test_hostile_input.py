"""Whatever is sent, wherever it is sent: no answer is a fault, and nothing is stored that is no text (ASVS 2.2)."""

import inspect
import io
import json
import os
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.routing import IntegerConverter, Rule
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired

from portal import clock, forms
from portal.access import api_keys, totp
from portal.access.actor import Actor, Source
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Base, FactorReset
from portal.sync import runs
from portal.web import incoming, limits
from portal.web.api_description import DESCRIPTION
from sandbox import Sandbox
from tests import factories, uploaded
from tests.fixtures.people import with_factor_proved
from tests.hostile_texts import HOSTILE_TEXTS, alive
from tests.how_many import how_many, is_played
from tests.rules.test_every_route import routes
from tests.rules.test_reading import path
from tests.webhooks import hooks

# In a usual run each field gets one value by itself, another in each place, and all fields of a form three at once;
# HOSTILE=1 sends every value to every field, HOSTILE=1/8 to HOSTILE=8/8 do so in eight runs.
WHOLE = bool(how_many("HOSTILE"))
PART, _, PARTS = os.environ.get("HOSTILE", "").partition("/")
FIRST = int(PART or 1) - 1 if PARTS else 0
STEP, STEP_AT_ONCE = (int(PARTS or 1), int(PARTS or 1)) if WHOLE else (200, 67)

ODD = [
    "\x00", "a\x00b", "\ud800", "a\udfffb", "\udc80\ud800", "\x1b[31m", "\x07", "\x7f", "\x85", "\ufffe",
    "\uffff", "\ufffd", "\u202egnp.exe", "\u200b", "\u2028", "e\u0301" * 50, "\U0001f4b8" * 300, "ﷺ" * 100,
    "x" * 100_000, " " * 5000, "", "-1", "0", "9223372036854775808", "9" * 5000, "1e999999999", "NaN", "-Infinity",
    "٣", "1_000", "0x7f", "0001-01-01", "9999-12-31", "2026-02-30", "[" * 100_000, "' OR 1=1; --", "%00%n%s",
    "<svg/onload=alert(1)>", "=cmd|' /C calc'!A0", "../../etc/passwd\x00.png",
]  # fmt: skip
HOSTILE = [*ODD, *HOSTILE_TEXTS]
assert len(HOSTILE) == len(set(HOSTILE)) == 200
SAMPLE = HOSTILE[FIRST::STEP] if WHOLE else [*ODD, *HOSTILE_TEXTS[::16]]

NO_TEXT = "[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ufffe\uffff]"


class Recorded(ImmutableMultiDict[str, str]):
    """What a request carries, with the names that were read from it."""

    read: set[str] = set()

    def get(self, key: str, *arguments: Any, **named: Any) -> Any:
        self.read.add(key)
        return super().get(key, *arguments, **named)

    def getlist(self, key: str, *arguments: Any, **named: Any) -> Any:
        self.read.add(key)
        return super().getlist(key, *arguments, **named)

    def __contains__(self, key: object) -> bool:
        self.read.add(str(key))
        return super().__contains__(key)


pytestmark = pytest.mark.sandbox(customers=0, invoices=0)


CHECKED = {"answers": 0}


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """A whole run says how many answers were looked at; with `-n 0`, or nobody hears it."""
    before = CHECKED["answers"]
    yield
    if WHOLE:
        said = f"{request.node.name}: {CHECKED['answers'] - before:,} answers"
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            request.config.get_terminal_writer().line(f"\n{said}")


@pytest.fixture
def names_read(monkeypatch: Any) -> set[str]:
    cleaned = incoming._cleaned
    monkeypatch.setattr(incoming, "_cleaned", lambda values: Recorded(cleaned(values)))
    monkeypatch.setattr(Recorded, "read", set())
    return Recorded.read


@pytest.fixture
def classes_sent(monkeypatch: Any) -> set[type]:
    """Form classes that read what a test sent."""
    seen: set[type] = set()
    process = forms.Form.process

    def noting(form: Any, *arguments: Any, **named: Any) -> None:
        process(form, *arguments, **named)
        if form.is_submitted():
            seen.add(type(form))

    monkeypatch.setattr(forms.Form, "process", noting)
    return seen


@pytest.fixture
def key(app: Flask, sandbox: Sandbox, monkeypatch: Any) -> str:
    """A partner with one of everything, whose secret of an API key this is."""
    monkeypatch.setattr(limits, "_count", lambda *_: (1, 1, False))
    app.config["WEBHOOK_TRUSTED_HOSTS"] = ["127.0.0.1"]
    with app.app_context():
        partner = factories.tenant("northwind")
        owner = factories.member(partner, email="owner@northwind.example")
        factories.user("kim@portal.example", staff=True)
        with tenant_scope(partner.id):
            row = factories.connected_to(sandbox, app)
            customer = factories.customer(row)
            factories.invoice(factories.customer(), "50.00")
            factories.payment((factories.invoice(customer), "10.00"))
            factories.invoice(customer, "-40.00")
            factories.invoice(customer, "70.00")
            runs.start(row, "new", "schedule", factories.ACTOR)
            hooks.listening()
            factories.invoice(customer, "1.00")
            db.session.commit()
            actor = Actor(Source.WEB, owner.id, owner.id)
            _, secret = api_keys.create(actor, "for programs", list(api_keys.Scope))
            db.session.commit()
            uploaded.taken("Name,Currency\nUploaded,USD\nRefused,XXX\n")
        lost = factories.member(partner, "clerk", second_factor_at=clock.now())
        db.session.add(FactorReset(user_id=lost.id, asked_hash=b"asked"))
        db.session.commit()
        db.session.remove()
        return secret


def signed_in(app: Flask) -> FlaskClient:
    browser = app.test_client()
    with_factor_proved(browser, "owner@northwind.example")
    return browser


def half_way_in(app: Flask) -> tuple[FlaskClient, dict[str, dict[str, str]]]:
    """A browser that proved the password of a person with an authenticator app, and the form that asks for a code."""
    with app.app_context():
        user = db.session.merge(factories.user("half@northwind.example"))
        totp.add(user, "Phone", totp.new_secret())
        user.second_factor_at = clock.now()
        db.session.commit()
    browser = app.test_client()
    browser.post("/login", data={"email": "half@northwind.example", "password": factories.PASSWORD})
    return browser, {"/prove": dict(forms_of(browser.get("/prove").text))["/prove"]}


def some(place: int) -> list[str]:
    """The hostile values that one field gets by itself, at its turn."""
    return HOSTILE[(place + FIRST) % STEP :: STEP] if is_played(place, 6) else []


def at_once(place: int) -> list[str]:
    """The hostile values that all fields get together."""
    return HOSTILE[(place + FIRST) % STEP_AT_ONCE :: STEP_AT_ONCE]


def encoded(pairs: list[tuple[str, str]]) -> bytes:
    """A form or query string as bytes, lone surrogates too, which no browser and any program can send."""
    return "&".join(f"{octets(name)}={octets(value)}" for name, value in pairs).encode()


def octets(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def send(browser: FlaskClient, action: str, pairs: list[tuple[str, str]]) -> None:
    """With the token of the session, which the browser adds."""
    answer = browser.post(action, data=encoded(pairs), content_type="application/x-www-form-urlencoded")
    check(answer, action, pairs)


def check(answer: Any, where: str, what: Any) -> None:
    CHECKED["answers"] += 1
    assert answer.status_code < 500 or answer.status_code == 503, (
        where, answer.status_code, repr(what)[:300], answer.text[-1500:],
    )  # fmt: skip


def forms_of(html: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(action, {field: value}) of every form that posts, with a field that a person or a program fills."""
    for form in BeautifulSoup(html, "lxml").select("form[method=post]"):
        fields: dict[str, str] = {}
        for field in form.select("input[name], select[name], textarea[name]"):
            fields[str(field["name"])] = str(field.get("value", ""))
        fields.pop("csrf_token", None)
        for button in [form, *form.select("button[formaction]")]:
            action = str(button.get("formaction") or form["action"])
            if fields:
                yield action, fields


def known_forms(
    app: Flask, browser: FlaskClient, superuser: psycopg.Connection[Any], names_read: set[str]
) -> dict[str, dict[str, str]]:
    """{action: {field: value}} of every form on every page, and every other address that takes a post.

    A page that asks which invoice is meant is also read with one.
    """
    found: dict[str, dict[str, str]] = {}
    (owed,) = superuser.execute("SELECT max(id) FROM invoice WHERE status = 'open'").fetchone()
    for rule, method in [*routes(app, partner=True), *routes(app, partner=False)]:
        address = path(app, rule, superuser)
        if method == "GET" and not address.startswith("/api"):
            names_read.clear()
            pages = [
                browser.get(address).get_data().decode(errors="replace")
            ]  # a picture or a PDF has no form
            if names_read & {"invoice", "invoice_id"}:
                pages.append(browser.get(f"{address}?invoice={owed}&invoice_id={owed}").text)
            for action, fields in (one for page in pages for one in forms_of(page)):
                found.setdefault(action, {}).update(fields)
        elif method == "POST" and not address.startswith("/api") and "logout" not in address:
            found.setdefault(address, {})
    return found


def staffs_forms(
    app: Flask, superuser: psycopg.Connection[Any]
) -> tuple[FlaskClient, dict[str, dict[str, str]]]:
    """An administrator of staff, and the forms of their pages; the partner that is shut is another one."""
    superuser.execute("UPDATE app_user SET staff_admin = true WHERE email = 'kim@portal.example'")
    with app.app_context():
        factories.tenant("shut")
    staff = with_factor_proved(app.test_client(), "kim@portal.example")
    (lost,) = superuser.execute("SELECT max(id) FROM factor_reset").fetchone()
    pages = ("partners/northwind/visit", "partners/new", "partners/shut", "people", f"lost-factors/{lost}")
    forms = (form for page in pages for form in forms_of(staff.get(f"/staff/{page}").text))
    return staff, {action: fields for action, fields in forms if action.startswith("/staff/")}


def test_no_field_of_any_form_makes_a_fault(
    app: Flask,
    key: str,
    superuser: psycopg.Connection[Any],
    names_read: set[str],
    classes_sent: set[type],
) -> None:
    browser = signed_in(app)
    staff, staff_forms = staffs_forms(app, superuser)
    half_way, code_form = half_way_in(app)
    everybody = (
        (browser, known_forms(app, browser, superuser, names_read)),
        (staff, staff_forms),
        (half_way, code_form),
    )
    for who, found in everybody:
        for action, fields in found.items():
            names_read.clear()
            send(who, action, list(fields.items()))
            names = sorted({*fields, *names_read} - {"csrf_token", "X-CSRFToken"})
            for place, name in enumerate(names):
                for value in some(place):
                    send(who, action, [*((n, v) for n, v in fields.items() if n != name), (name, value)])
            for value in at_once(len(names)):
                send(who, action, [(name, value) for name in names])
    assert all_form_classes() <= classes_sent
    assert_only_text_is_stored(superuser)
    assert_pages_show_text(app, browser, superuser)


def assert_pages_show_text(app: Flask, browser: FlaskClient, superuser: psycopg.Connection[Any]) -> None:
    """What was stored by any form is text wherever it is shown."""
    shown = 0
    for rule, method in [*routes(app, partner=True), *routes(app, partner=False)]:
        answer = browser.get(path(app, rule, superuser)) if method == "GET" else None
        if answer and answer.mimetype == "text/html":
            assert alive(answer.text, BeautifulSoup(answer.text, "lxml")) == [], rule
            shown += "zzx" in answer.text
    assert shown > 5


def test_blanks_are_not_the_text_that_a_form_asks_for(app: Flask) -> None:
    """What is left of them after trimming is nothing, in any field of any form."""
    asked = [(one, name) for one in sorted(all_form_classes(), key=str) for name in required_texts(app, one)]
    assert len(asked) > 8
    for one, name in asked:
        with app.test_request_context(method="POST", data={name: " \t "}):
            form = one()
            for field in form:
                if getattr(field, "choices", ()) is None:
                    field.choices = []  # the page fills them in
            form.validate()
            assert form.errors.get(name), (one, name)


def required_texts(app: Flask, one: type) -> list[str]:
    with app.test_request_context(method="POST"):
        return [
            field.name
            for field in one()
            if isinstance(field, StringField)
            and not isinstance(field, PasswordField | HiddenField)
            and any(isinstance(rule, InputRequired) for rule in field.validators)
        ]


def all_form_classes() -> set[type]:
    """Every form class of the portal that has fields of its own and a page."""
    found = set()
    for module in iter_modules(forms.__path__):
        for _, one in inspect.getmembers(import_module(f"portal.forms.{module.name}"), inspect.isclass):
            if issubclass(one, forms.Form) and one is not forms.Form:
                found.add(one)
    return {one for one in found if not any(other is not one and issubclass(other, one) for other in found)}


def test_no_parameter_of_any_address_makes_a_fault(
    app: Flask, key: str, superuser: psycopg.Connection[Any], names_read: set[str]
) -> None:
    browser, program = signed_in(app), {"Authorization": f"Bearer {key}"}
    place = 0
    for rule, method in [*routes(app, partner=True), *routes(app, partner=False)]:
        if method != "GET":
            continue
        address, sent = path(app, rule, superuser), program if str(rule).startswith("/api") else {}
        names_read.clear()
        browser.get(address, headers=sent)
        for name in sorted(names_read | {"q"}):
            for value in some(place := place + 1):
                query = encoded([(name, value)]).decode()
                check(browser.get(address, query_string=query, headers=sent), address, query)
        if names_read:
            for value in at_once(place):
                query = encoded([(name, value) for name in sorted(names_read)]).decode()
                check(browser.get(address, query_string=query, headers=sent), address, query)
    assert_only_text_is_stored(superuser)


def test_no_part_of_any_path_makes_a_fault(app: Flask, key: str, superuser: psycopg.Connection[Any]) -> None:
    """Ids that no row can have are unknown ones."""
    browser, program = signed_in(app), {"Authorization": f"Bearer {key}"}
    parts = [
        (rule, method, name)
        for rule, method in [*routes(app, partner=True), *routes(app, partner=False)]
        for name in sorted(rule.arguments)
    ]
    for place, (rule, method, name) in enumerate(parts):
        for value in [*some(place), "9223372036854775808", "9" * 5000, "\x00"]:
            sent = octets(value[:2000]) or "%20"
            address = raw_path(app, rule, superuser, name, sent)
            answer = browser.open(address, method=method, headers=program)
            check(answer, f"{method} {rule}", sent)
            is_number = isinstance(rule._converters[name], IntegerConverter)
            if is_number and sent in ("9223372036854775808", octets("9" * 2000)):
                assert answer.status_code in (404, 405), (method, address[:200])
    assert_only_text_is_stored(superuser)


def test_no_name_of_a_file_makes_a_fault(app: Flask) -> None:
    browser = app.test_client()
    for value in [*HOSTILE, "x" * 5000, "a\x00.css", "../wsgi.py"]:
        answer = browser.get(f"/static/{octets(value[:5000])}")
        check(answer, "static", value[:100])
        assert answer.status_code in (308, 404), value[:100]


def raw_path(app: Flask, rule: Rule, superuser: psycopg.Connection[Any], name: str, sent: str) -> str:
    known = path(app, rule, superuser).split("/")
    parts = rule.rule.split("/")
    return "/".join(sent if f"{name}>" in part else one for part, one in zip(parts, known, strict=True))


BODY = {
    "allocations": [{"invoice_id": 1, "amount": "1.00"}],
    "method": "check", "paid_on": "2026-11-19", "reference": "a", "note": "b",
}  # fmt: skip
CUSTOMER = {"name": "a", "currency": "USD", "number": "b", "phone": "c", "address": "d"}
INVOICE = {
    "customer": "X-1", "number": "N-1", "currency": "USD", "issued_on": "2026-11-19", "due_on": None,
    "lines": [{"name": "a", "amount": "1.00", "tax": "0.10", "quantity": "1", "rate": "1", "date": "2026-11-19"}],
}  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "/customers": {"data": [{"external_id": "X-2", **CUSTOMER}]}, "/customers/X-1": CUSTOMER,
    "/invoices": {"data": [{"external_id": "X-2", **INVOICE, "number": "N-2"}]}, "/invoices/X-1": INVOICE,
}  # fmt: skip
# Properties of the objects in a list that the usual ones do not have.
OTHERS = {"allocations": ("autotask_id",), "lines": ("description",)}
RAW = [
    b"", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"\x00", b'"\\ud800"', b'{"\\u0000": 1}', b"NaN", b"1e999999",
    b"9" * 5000, b'{"allocations": ' + b"[" * 50_000, b"null", b"[]", b"1", b'{"reference": "\\udfff"}',
]  # fmt: skip


def test_no_property_of_any_json_body_makes_a_fault(
    app: Flask, key: str, superuser: psycopg.Connection[Any]
) -> None:
    program = app.test_client()
    sending = [
        (method.upper(), path.replace("{payment_id}", "1").replace("{external_id}", "X-1"), operation)
        for path, methods in DESCRIPTION["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation or method == "delete"
    ]
    assert sending
    for method, address, operation in sending:
        names = properties(operation)
        usual = BODIES.get(address, BODY)
        whole: list[Any] = [*SAMPLE, 10**40, -1, 1.5, True, None, [], {}, [[[]]], {"\x00": "\x00"}]
        step = 1 if WHOLE else 7 if method == "PUT" else 3  # PUT has four addresses and many properties
        bodies = [
            one
            for place, name in enumerate(names)
            for value in whole[place % step :: step]
            for one in with_value(usual, name, value)
        ]
        for number, body in enumerate([*bodies, *RAW]):
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"key-{number}"}
            answer = program.open(
                f"/api/v1{address}", method=method, data=raw, content_type="application/json", headers=headers
            )
            check(answer, f"{method} {address}", raw[:200])
            assert answer.is_json
    assert_only_text_is_stored(superuser)


def properties(operation: dict[str, Any]) -> list[str]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    named = str(body.get("$ref", "")).rpartition("/")[2]
    schema = DESCRIPTION["components"]["schemas"][named] if named else body
    return [*schema.get("properties", {}), "reason", "unknown"]


def with_value(usual: dict[str, Any], name: str, value: Any) -> list[Any]:
    """The usual body with the value in this property; for a list of objects, also in each property of its first one."""
    rows = usual.get(name)
    one = rows[0] if isinstance(rows, list) else {}
    parts = [*one, *OTHERS.get(name, ()), "x"] if one else []
    return [{**usual, name: value}, *({**usual, name: [{**one, part: value}]} for part in parts)]


HEADERS = (
    "Authorization", "Idempotency-Key", "Cookie", "Accept-Language", "HX-Target", "X-Portal-Poll", "X-Forwarded-For",
    "Referer", "User-Agent",
)  # fmt: skip


def test_no_header_makes_a_fault(app: Flask, key: str) -> None:
    for place, name in enumerate(HEADERS):
        for value in HOSTILE[(place + FIRST) % min(STEP, 20) :: min(STEP, 20)]:
            sent = value[:8000].encode("utf-8", "surrogatepass").decode("latin-1")
            environ = {f"HTTP_{name.upper().replace('-', '_')}": sent}
            for address in ("/p/northwind/", "/api/v1/payments", "/login"):
                check(app.test_client().get(address, environ_overrides=environ), address, (name, value[:100]))
            headers = {"Authorization": f"Bearer {key}"}
            answer = app.test_client().post(
                "/api/v1/payments", json=BODY, headers=headers, environ_overrides=environ
            )
            check(answer, "POST", (name, value[:100]))


def test_a_file_that_is_no_text_is_refused_in_words(app: Flask, key: str) -> None:
    browser = signed_in(app)
    for value in SAMPLE:
        cell = value.encode("utf-8", "surrogatepass").replace(b'"', b'""')
        for data in (cell, b'Invoice,Amount,Date,Note\r\nINV-1,1.00,2026-11-19,"' + cell + b'"\r\n'):
            for name in ("payments.csv", "a\x00b.csv"):
                answer = browser.post(
                    "/p/northwind/payments/upload",
                    data={"file": (io.BytesIO(data), name), "order": "year_first"},
                    content_type="multipart/form-data",
                )
                check(answer, "upload", value[:100])


def assert_only_text_is_stored(superuser: psycopg.Connection[Any]) -> None:
    """PostgreSQL itself refuses NUL and lone surrogates; the rest is ours to keep out."""
    for name in Base.metadata.tables:
        row = superuser.execute(f"SELECT t FROM {name} t WHERE t::text ~ %s LIMIT 1", [NO_TEXT]).fetchone()
        assert row is None, (name, row)
