"""A partner leaves: everything as files, and then what the books do not need is erased; another partner is untouched."""

import json
import zipfile
from decimal import Decimal
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from portal import storage
from portal.access import api_keys, audit_chain
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.leaving import erasure, takeout
from portal.models import Base, Contact, InvoicePdf, Tenant, User
from portal.notices import people as notices
from tests import factories
from tests.fixtures.people import start_with_factor_proved

PDF = b"%PDF-1.7 a bill"
LOGO = b"\x89PNG of the partner"


@pytest.fixture
def partners(app, superuser):
    """Two partners with all kinds of rows; a person of both, and one of staff, who was inside and helped people in."""
    made = {}
    with app.app_context():
        both = factories.user("both@example.com", name="Bo Both").id
        with app.test_request_context():
            login = start_with_factor_proved(factories.user("ada@portal.example", staff=True, name="Ada"))
            db.session.commit()
            staff = SimpleNamespace(login_id=login.id, user_id=login.user_id)
        for slug in ("northwind", "contoso"):
            partner = made[slug] = factories.tenant(slug)
            person = factories.member(partner, "owner", email=f"olga@{slug}.example", name=f"Olga of {slug}")
            with factories.inside(partner):
                from portal.models import Membership

                db.session.add(Membership(tenant_id=partner.id, user_id=both, role="reader"))
                integration = factories.integration(app)
                customer = factories.customer(integration, phone="555-0100", address="1 Main Street")
                invoice = factories.invoice(customer, number=f"INV-{slug}")
                factories.payment((invoice, "100.00"))
                db.session.add(
                    Contact(
                        tenant_id=partner.id, customer_id=customer.id, email=f"ap@customer-of-{slug}.example"
                    )
                )
                db.session.add(
                    InvoicePdf(
                        tenant_id=partner.id,
                        invoice_id=invoice.id,
                        state="here",
                        storage_key="invoices/1.pdf",
                    )
                )
                storage.put(partner.id, "invoices/1.pdf", PDF)
                storage.put(partner.id, "logo-1.png", LOGO)
                partner.logo_key = "logo-1.png"
                key, _ = api_keys.create(factories.ACTOR, "Checkout", ["read"])
                notices.tell_key(key, person)
                db.session.commit()
            asked_for_help(superuser, staff, person)
            if slug == "northwind":
                superuser.execute(
                    "INSERT INTO support_visit (tenant_id, staff_user_id, as_user_id, login_session_id, reason, expires_at)"
                    " VALUES (%s, %s, %s, %s, 'A payment is missing', now())",
                    [partner.id, staff.user_id, person.id, staff.login_id],
                )
        ids = {slug: SimpleNamespace(id=partner.id) for slug, partner in made.items()}
        db.session.remove()
    return ids


def asked_for_help(superuser, staff, person):
    """Somebody lost all second factors, and one of staff made sure that it is them."""
    reset = superuser.execute(
        "INSERT INTO factor_reset (user_id, asked_hash, address) VALUES (%s, %s, '192.0.2.7') RETURNING id",
        [person.id, str(person.id).encode()],
    ).fetchone()[0]
    superuser.execute(
        "INSERT INTO factor_reset_agreement (reset_id, by_user_id, how) VALUES (%s, %s, 'Called back')",
        [reset, staff.user_id],
    )


def run(app, *words):
    return app.test_cli_runner().invoke(args=["partners", *words])


def rows(superuser, partner):
    """By table, how many rows."""
    return {
        table.name: superuser.execute(
            f"SELECT count(*) FROM {table.name} WHERE tenant_id = %s", [partner.id]
        ).fetchone()[0]
        for table in Base.metadata.tables.values()
        if "tenant_id" in table.columns
    }


def whole(superuser, partner):
    """The content of every row, except when it was last counted."""
    return {
        table.name: superuser.execute(
            f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table.name} t WHERE tenant_id = %s",
            [partner.id],
        ).fetchone()
        for table in Base.metadata.tables.values()
        if "tenant_id" in table.columns
    }


def test_everything_of_a_partner_is_one_file_that_adds_up_and_holds_no_secret(
    app, partners, superuser, tmp_path
):
    target = tmp_path / "northwind.zip"
    done = run(app, "export", "northwind", str(target))
    assert done.exit_code == 0, done.output
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["northwind.zip"]
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        contents = json.loads(archive.read("contents.json"))
        counted = rows(superuser, partners["northwind"])
        for table in takeout.tables():
            lines = archive.read(f"tables/{table.name}.jsonl").splitlines()
            assert len(lines) == contents[table.name]["rows"] == counted[table.name], table.name
        assert archive.read(next(name for name in archive.namelist() if name.startswith("pdfs/"))) == PDF
        text = b"".join(archive.read(name) for name in archive.namelist()).decode(errors="replace")
        partner = json.loads(archive.read("partner.jsonl"))
        assert archive.read("logo.png") == LOGO
    assert (partner["slug"], contents["partner"]["rows"]) == ("northwind", 1)
    assert "logo_key" not in partner
    assert contents["pdfs"] == contents["logo"] == {"rows": 1, "missing": 0}
    assert Decimal(contents["payment"]["sums"]["amount"]) == Decimal("100")
    assert contents["people"]["rows"] == 2
    assert "olga@northwind.example" in text
    assert "contoso" not in text
    hashes = superuser.execute(
        "SELECT password_hash FROM app_user UNION SELECT encode(token_hash, 'hex') FROM api_key"
    )
    assert [secret for (secret,) in hashes if secret in text] == []


def test_while_the_storage_is_asked_no_transaction_is_open(app, partners, superuser, tmp_path, monkeypatch):
    """However slowly it answers, PostgreSQL has nobody to break off."""
    ask, seen = storage.get, []

    def ask_and_look(*which):
        idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        seen.extend(superuser.execute(idle).fetchone())
        return ask(*which)

    monkeypatch.setattr(storage, "get", ask_and_look)
    done = run(app, "export", "northwind", str(tmp_path / "northwind.zip"))
    assert done.exit_code == 0, done.output
    assert seen == [0, 0]  # the PDF and the logo


def test_what_the_storage_does_not_have_is_counted(app, partners, superuser, tmp_path):
    superuser.execute("DELETE FROM stored_file")
    target = tmp_path / "northwind.zip"
    assert run(app, "export", "northwind", str(target)).exit_code == 0
    with zipfile.ZipFile(target) as archive:
        contents = json.loads(archive.read("contents.json"))
    assert contents["pdfs"] == contents["logo"] == {"rows": 0, "missing": 1}


def test_every_table_of_a_partner_is_in_the_file_or_left_out_on_purpose(app):
    of_partners = {table.name for table in Base.metadata.tables.values() if "tenant_id" in table.columns}
    assert of_partners == {table.name for table in takeout.tables()} | takeout.LEFT_OUT
    assert not [
        column for table in takeout.tables() for column in takeout.columns(table) if "hash" in column.name
    ]


def disable(app, superuser):
    assert run(app, "disable", "northwind", "--reason", "Contract ended").exit_code == 0
    superuser.execute("UPDATE delivery SET state = 'confirmed', next_try_at = NULL")


KEPT = {
    "customer", "invoice", "payment", "allocation", "delivery", "audit_event", "audit_head", "integration",
    "integration_status", "invoice_pdf", "stored_file", "api_key", "invoice_sum", "customer_sum", "payment_sum",
    "invoice_word", "support_visit",
}  # fmt: skip
# The books and what shows them, the log, and what STAYS names.
STAYS_ON_PURPOSE = KEPT | {
    "allocation", "payment_event", "payment_event_part", "credit_application", "settlement", "delivery_attempt", "invoice_line", "invoice_past", "payment_word",
}  # fmt: skip
# The partner's own row, and the log of staff.
NAME_A_PERSON_ON_PURPOSE = {"tenant", "staff_event"}


def test_every_table_of_a_partner_is_emptied_or_stays_on_purpose():
    of_partners = {table.name for table in Base.metadata.tables.values() if "tenant_id" in table.columns}
    goes = {*erasure.EMPTIED, "membership", "past_member"}
    assert of_partners == goes | STAYS_ON_PURPOSE
    assert not goes & STAYS_ON_PURPOSE


def test_every_table_of_a_person_is_emptied_or_stays_on_purpose():
    of_people = {
        table.name
        for table in Base.metadata.tables.values()
        if "tenant_id" not in table.columns
        and any(key.column.table.name == "app_user" for key in table.foreign_keys)
    }
    assert of_people == {*erasure.OF_A_PERSON, "factor_reset_agreement"} | NAME_A_PERSON_ON_PURPOSE


def test_erasing_leaves_the_books_and_nothing_of_people(app, partners, superuser):
    before = rows(superuser, partners["northwind"])
    money = superuser.execute("SELECT sum(amount) FROM payment").fetchone()
    disable(app, superuser)
    other = whole(superuser, partners["contoso"])
    done = run(app, "erase", "northwind", "--confirm", "northwind")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["stays"] == list(erasure.STAYS)
    after = rows(superuser, partners["northwind"])
    assert {name for name, number in after.items() if number} == KEPT
    assert {name: after[name] for name in KEPT - {"audit_event", "stored_file"}} == {
        name: before[name] for name in KEPT - {"audit_event", "stored_file"}
    }
    files = (
        "SELECT key, (SELECT logo_key FROM tenant WHERE id = tenant_id) FROM stored_file WHERE tenant_id = %s"
    )
    assert superuser.execute(files, [partners["northwind"].id]).fetchall() == [("invoices/1.pdf", "")]
    for table in ("factor_reset", "factor_reset_agreement"):
        assert superuser.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,), (
            table
        )  # of the other one
    assert superuser.execute("SELECT sum(amount) FROM payment").fetchone() == money
    kept = superuser.execute(
        "SELECT phone || address, (SELECT username || email || encode(secret, 'hex') FROM integration i"
        " WHERE i.tenant_id = c.tenant_id), name <> '' FROM customer c WHERE tenant_id = %s", [partners["northwind"].id],
    ).fetchone()  # fmt: skip
    assert kept == ("", "", True)
    people = dict(
        superuser.execute("SELECT email, disabled_at IS NOT NULL FROM app_user ORDER BY id").fetchall()
    )
    assert people.pop("both@example.com") is False
    assert people.pop("olga@contoso.example") is False
    assert people.pop("ada@portal.example") is False
    assert [(email.startswith("erased-"), gone) for email, gone in people.items()] == [(True, True)]
    assert whole(superuser, partners["contoso"]) == other
    with app.app_context(), tenant_scope(partners["northwind"].id):
        assert audit_chain.verdict().broken_at is None
    assert told_of_erasing(superuser) == ["partner.erasing", "partner.erased"]


def told_of_erasing(superuser):
    """In the log of staff."""
    events = "SELECT event FROM staff_event WHERE event LIKE 'partner.eras%' ORDER BY position"
    return [event for (event,) in superuser.execute(events)]


def test_a_partner_that_disconnected_before_keeps_no_login_either(app, partners, superuser):
    disable(app, superuser)
    superuser.execute("UPDATE integration SET secret = '', state = 'disconnected'")
    names = "SELECT username, email FROM integration WHERE tenant_id = %s"
    assert "" not in superuser.execute(names, [partners["northwind"].id]).fetchone()
    assert run(app, "erase", "northwind", "--confirm", "northwind").exit_code == 0
    assert superuser.execute(names, [partners["northwind"].id]).fetchone() == ("", "")
    assert "" not in superuser.execute(names, [partners["contoso"].id]).fetchone()


def test_it_can_be_killed_anywhere_and_run_again(app, partners, superuser, monkeypatch):
    """Broken off after each step in turn; the last run ends as one that was never broken off."""
    disable(app, superuser)
    steps = []
    with app.app_context():
        tenant = db.session.scalars(select(Tenant).where(Tenant.slug == "northwind")).one()
        for most in range(24):
            seen = []

            def tell(table, number, most=most, seen=seen):
                seen.append(table)
                if len(seen) > most:
                    raise KeyboardInterrupt

            try:
                erasure.erase(factories.ACTOR, tenant, tell)
            except KeyboardInterrupt:
                db.session.rollback()
            steps.append(len(seen))
        assert told_of_erasing(superuser) == ["partner.erasing"] * 24
        erasure.erase(factories.ACTOR, tenant, lambda *_: None)
        db.session.remove()
    assert steps == list(range(1, 25))
    assert told_of_erasing(superuser)[-2:] == ["partner.erasing", "partner.erased"]
    assert {name for name, number in rows(superuser, partners["northwind"]).items() if number} == KEPT
    with app.app_context():
        assert len(db.session.scalars(select(User).where(User.name != "")).all()) == 3


def test_nothing_is_erased_of_a_partner_that_is_open_or_owes_or_by_a_slip(app, partners, superuser):
    before = whole(superuser, partners["northwind"])
    open_ = run(app, "erase", "northwind", "--confirm", "northwind")
    slip = run(app, "erase", "northwind", "--confirm", "contoso")
    assert (open_.exit_code, slip.exit_code) == (1, 1)
    assert "Disable it first" in open_.output
    assert "Nothing was erased" in slip.output
    assert whole(superuser, partners["northwind"]) == before
    run(app, "disable", "northwind", "--reason", "Contract ended")
    superuser.execute(
        "INSERT INTO delivery (tenant_id, invoice_id, state, next_try_at) SELECT tenant_id, id, 'waiting', now() FROM invoice ON CONFLICT DO NOTHING"
    )
    owed = run(app, "erase", "northwind", "--confirm", "northwind")
    assert "Autotask is owed" in owed.output
    assert told_of_erasing(superuser) == []
    assert owed.exit_code == 1
