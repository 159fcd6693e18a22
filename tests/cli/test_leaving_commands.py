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

PDF = b"%PDF-1.7 a bill"


@pytest.fixture
def partners(app):
    """Two partners with all kinds of rows; a person of both."""
    made = {}
    with app.app_context():
        both = factories.user("both@example.com", name="Bo Both").id
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
                key, _ = api_keys.create(factories.ACTOR, "Checkout", ["read"])
                notices.tell_key(key, person)
                db.session.commit()
        ids = {slug: SimpleNamespace(id=partner.id) for slug, partner in made.items()}
        db.session.remove()
    return ids


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
    assert Decimal(contents["payment"]["sums"]["amount"]) == Decimal("100")
    assert contents["people"]["rows"] == 2
    assert "olga@northwind.example" in text
    assert "contoso" not in text
    hashes = superuser.execute(
        "SELECT password_hash FROM app_user UNION SELECT encode(token_hash, 'hex') FROM api_key"
    )
    assert [secret for (secret,) in hashes if secret in text] == []


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
    "invoice_word",
}  # fmt: skip


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
    assert {name: after[name] for name in KEPT - {"audit_event"}} == {
        name: before[name] for name in KEPT - {"audit_event"}
    }
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
    assert [(email.startswith("erased-"), gone) for email, gone in people.items()] == [(True, True)]
    assert whole(superuser, partners["contoso"]) == other
    with app.app_context(), tenant_scope(partners["northwind"].id):
        assert audit_chain.verdict().broken_at is None
    told = superuser.execute("SELECT event FROM staff_event ORDER BY position").fetchall()
    assert told[-1] == ("partner.erased",)


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
                erasure.erase(tenant, tell)
            except KeyboardInterrupt:
                db.session.rollback()
            steps.append(len(seen))
        erasure.erase(tenant, lambda *_: None)
        db.session.remove()
    assert max(steps) >= 20
    assert {name for name, number in rows(superuser, partners["northwind"]).items() if number} == KEPT
    with app.app_context():
        assert len(db.session.scalars(select(User).where(User.name != "")).all()) == 2


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
    assert owed.exit_code == 1
