"""Two partners with a row of everything, and everybody who may stand before their doors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from pypdf import PdfReader
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from portal import clock
from portal.access import api_keys, totp
from portal.extensions import db
from portal.imports import runs as imports
from portal.imports.given import GivenCustomer
from portal.models import (
    Base,
    Contact,
    CreditApplication,
    ExceptionItem,
    FactorReset,
    ImportKind,
    Invitation,
    LoginSession,
    Mail,
    Notice,
    SupportVisit,
    SyncChange,
    Tenant,
    User,
)
from portal.people import logo
from portal.sync import runs
from tests import factories, uploaded
from tests.fixtures.people import with_factor_proved
from tests.webhooks import hooks

ROLES = ("owner", "manager", "clerk", "reader")
STAFF = "kim@portal.example"
# What an argument of a route names, where that is not the table of its own name.
NAMED = {
    "item_id": "exception_item", "import_id": "import_run", "file_id": "import_file", "run_id": "sync_run", "application_id": "credit_application", "key_id": "api_key", "endpoint_id": "webhook_endpoint", "message_id": "webhook_message",
    "visit_id": "support_visit", "member_id": "membership", "credit": "invoice", "credit_id": "invoice", "invoice": "invoice",
    "customer": "customer", "reset_id": "factor_reset", "reset": "factor_reset",
}  # fmt: skip
# Arguments that name no row of a partner.
WORDS = {"filename": "portal.css", "token": "a-token-that-never-was", "external_id": "a-name-of-nobody"}


@dataclass(frozen=True)
class Partner:
    """`word` stands in every text of its rows; `ids` has the newest row of each table; `key` opens its API."""

    slug: str
    word: str
    id: int
    ids: dict[str, int]
    key: str


def fill(app: Flask, superuser: psycopg.Connection[Any], slug: str, word: str) -> Partner:
    with app.app_context():
        now = clock.now()
        agreed = {"support_act_given_at": now, "support_act_until": now + timedelta(hours=4)}
        tenant = factories.tenant(slug, name=name_of(slug), **agreed)
        people = [
            factories.member(tenant, role, email=f"{role}@{slug}.example", name=f"{word} {role}")
            for role in ROLES
        ]
        half = db.session.merge(factories.member(tenant, "clerk", email=f"half@{slug}.example"))
        totp.add(half, f"{word} phone", totp.new_secret())
        half.second_factor_at = clock.now()
        db.session.add(FactorReset(user_id=half.id, asked_hash=word.encode(), address=word))
        db.session.commit()
        with factories.inside(tenant):
            key = _rows(app, tenant, people[0], word)
        tenant_id = tenant.id
        db.session.remove()
    return Partner(slug, word, tenant_id, _ids(superuser, tenant_id), key)


def name_of(slug: str) -> str:
    """What staff may know of a partner without a visit: that it is there."""
    return f"{slug.title()} Traders Ltd"


def _rows(app: Flask, tenant: Tenant, owner: User, word: str) -> str:
    of = {"tenant_id": tenant.id}
    source = factories.integration(app, username=f"{word}@autotask.example", email=f"{word}@mail.example")
    hooks.listening((word,))
    customer = factories.customer(source, name=f"{word} customer")
    credit = factories.invoice(customer, "-40.00", number=f"{word}-credit")
    paid = factories.invoice(customer, "50.00", number=f"{word}-paid")
    factories.payment((paid, "50.00"), reference=f"{word} reference", note=f"{word} note")
    owed = factories.invoice(customer, "70.00", number=f"{word}-owed", comments=f"{word} comment")
    factories.line(owed, "70.00", name=f"{word} line", description=f"{word} described")
    run = runs.start(source, "new", "schedule", factories.ACTOR)
    login = LoginSession(token_hash=word.encode(), user_id=owner.id, proved_at=clock.now())
    db.session.add(login)
    db.session.flush()
    later = clock.now() + timedelta(minutes=50)
    sam = factories.user(staff=True, name=f"{word} support")
    db.session.add_all(
        [
            Contact(**of, customer_id=customer.id, first_name=word, last_name=word),
            CreditApplication(
                **of, credit_invoice_id=credit.id, invoice_id=owed.id, amount=Decimal(5), applied_on=date(2026, 11, 9)
            ),
            ExceptionItem(
                **of, cause="overpaid", subject_type="invoice", subject_key=str(owed.id), label=f"{word}-owed",
                detail=f"{word} detail", invoice_id=owed.id,
            ),
            Invitation(
                **of, email=f"{word}@invited.example", role="reader", token_hash=word.encode(), expires_at=later
            ),
            Mail(
                **of, kind="digest", to_address=f"{word}@mail.example", cause=word, message_id=word, state="kept"
            ),
            Notice(**of, kind="people", cause=word, words=f"{word} words", path="/settings/people"),
            SyncChange(
                **of, run_id=run.id, subject_type="invoice", subject_id=owed.id, label=f"{word}-owed",
                field="number", old_value=word, new_value=f"{word}-owed",
            ),
            SupportVisit(
                **of, staff_user_id=sam.id, as_user_id=owner.id, login_session_id=login.id, reason=f"{word} why why",
                started_at=clock.now(), ended_at=clock.now(), expires_at=later,
            ),
        ]
    )  # fmt: skip
    db.session.commit()
    uploaded.taken(f"Name,Currency\n{word} uploaded,USD\n{word} refused,XXX\n", name=f"{word}.csv")
    imports.put_batch(
        factories.ACTOR,
        ImportKind.CUSTOMERS,
        [GivenCustomer(f"{word}-1", f"{word} brought in", "USD")],
        [None],
        None,
    )
    picture = BytesIO()
    Image.new("RGB", (90, 30), "navy").save(picture, "PNG")
    logo.change(factories.ACTOR, picture.getvalue())
    _, secret = api_keys.create(factories.ACTOR, f"{word} checkout", list(api_keys.Scope))
    db.session.commit()
    return secret


def _ids(superuser: psycopg.Connection[Any], tenant_id: int) -> dict[str, int]:
    """{table: its newest row of this partner, or of its people}."""
    found = {}
    for name, table in Base.metadata.tables.items():
        if "id" not in table.columns:
            continue
        people = "user_id IN (SELECT user_id FROM membership WHERE tenant_id = %(id)s)"
        of = "tenant_id = %(id)s" if "tenant_id" in table.columns else people
        if "tenant_id" in table.columns or "user_id" in table.columns:
            row = superuser.execute(f"SELECT max(id) FROM {name} WHERE {of}", {"id": tenant_id}).fetchone()
            found[name] = row[0] if row else None
    person = superuser.execute("SELECT max(user_id) FROM membership WHERE tenant_id = %s", (tenant_id,))
    found["user"] = person.fetchone()[0]  # type: ignore[index]
    return {name: number for name, number in found.items() if number is not None}


def id_of(partner: Partner, argument: str) -> int | str:
    """The partner's row that an argument of a route or a form names. Raises KeyError for one that is not known."""
    if argument in ("partner_slug", "slug"):
        return partner.slug
    return WORDS.get(argument) or partner.ids[NAMED.get(argument, argument.removesuffix("_id"))]


def address(app: Flask, rule: Rule, slug: str, of: Partner) -> str:
    """The rule's address at this partner's, with the other arguments naming rows of `of`."""
    values = {name: slug if name == "partner_slug" else id_of(of, name) for name in rule.arguments}
    return app.url_map.bind("localhost").build(rule.endpoint, values)


def text_of(answer: TestResponse) -> str:
    """What an answer holds, be it a page, a picture or the words of a PDF."""
    if answer.mimetype == "application/pdf":
        return "\n".join(page.extract_text() for page in PdfReader(BytesIO(answer.get_data())).pages)
    return answer.get_data().decode(errors="replace")


def somebody(app: Flask, who: str, of: Partner) -> FlaskClient:
    """A browser of this person of this partner."""
    browser = app.test_client()
    if who == "half-way in":
        browser.post("/login", data={"email": f"half@{of.slug}.example", "password": factories.PASSWORD})
    elif who in ROLES:
        with_factor_proved(browser, f"{who}@{of.slug}.example")
    elif who != "anonymous":
        with_factor_proved(browser, STAFF)
    if who.startswith("support"):
        mode = "act" if "acting" in who else "view"
        form = {"reason": "Looks at every page there is", "minutes": "60", "mode": mode}
        assert browser.post(f"/staff/partners/{of.slug}/visit", data=form).status_code == 303
    return browser


@contextmanager
def without_row_level_security(superuser: psycopg.Connection[Any]) -> Iterator[None]:
    _alter(superuser, "DISABLE")
    try:
        yield
    finally:
        _alter(superuser, "ENABLE")


def _alter(superuser: psycopg.Connection[Any], how: str) -> None:
    tables = superuser.execute(
        "SELECT DISTINCT tablename FROM pg_policies WHERE schemaname = 'public'"
    ).fetchall()
    with superuser.transaction():
        superuser.execute("SET LOCAL lock_timeout = '10s'")
        for (name,) in tables:
            superuser.execute(f"ALTER TABLE {name} {how} ROW LEVEL SECURITY")
