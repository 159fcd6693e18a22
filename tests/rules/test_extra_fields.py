"""Fields that no form has, sent with every form that people fill: what they name is not changed (F36)."""

import pytest

from portal.extensions import db
from tests import factories
from tests.rules.test_hostile_input import forms_of

EXTRA = {
    "tenant_id": "999", "id": "999", "is_staff": "1", "staff_admin": "1", "created_by_id": "999", "user_id": "999",
    "paid_amount": "1.00", "status": "paid", "is_voided": "1", "password_hash": "x", "__class__": "x", "disabled_at": "x",
    "autotask_id": "999", "integration_id": "999", "recorded_by_id": "999", "deleted_at": "2026-11-19",
}  # fmt: skip
PAGES = (
    "/p/northwind/payments/new?customer={customer}", "/p/northwind/customer-edits/new",
    "/p/northwind/customer-edits/{customer}", "/p/northwind/invoice-edits/new", "/p/northwind/invoice-edits/{invoice}",
    "/p/northwind/settings/partner", "/you", "/you/password",
)  # fmt: skip
TYPED = {"name": "Typed", "amount": "10.00", "method": "check", "currency": "USD", "number": "N-1"}
GUARDED = {
    "app_user": "id, email, is_staff, staff_admin, password_hash, disabled_at",
    "invoice": "id, tenant_id, is_voided, autotask_id, integration_id",
    "membership": "id, tenant_id, user_id, role",
    "tenant": "id, slug, disabled_at",
}


@pytest.fixture
def ids(app):
    with app.app_context():
        partner = factories.tenant("northwind")
        person = factories.member(partner)
        with factories.inside(partner):
            customer = factories.customer(factories.integration(app))
            found = {"customer": customer.id, "invoice": factories.invoice(customer).id, "user": person}
            db.session.commit()
        return found | {"tenant": partner.id, "person": person.id}


def guarded(superuser):
    """What no form may change, of the row that was there first."""
    return {
        table: superuser.execute(f"SELECT {columns} FROM {table} ORDER BY id LIMIT 1").fetchone()
        for table, columns in GUARDED.items()
    }


def test_fields_that_no_form_has_change_nothing(ids, log_in, superuser):
    owner = log_in(user=ids["user"])
    before, sent = guarded(superuser), 0
    for page in PAGES:
        for action, fields in forms_of(owner.get(page.format(**ids)).text):
            if "logout" in action or "sessions" in action:
                continue
            filled = {name: value or TYPED.get(name, "") for name, value in fields.items()}
            assert owner.post(action, data=EXTRA | filled | {"__class__": "x"}).status_code < 500, action
            sent += 1
    assert sent >= len(PAGES) - 1
    assert guarded(superuser) == before
    for table in ("customer", "invoice", "payment", "audit_event"):
        found = superuser.execute(f"SELECT DISTINCT tenant_id FROM {table}").fetchall()
        assert found in ([], [(ids["tenant"],)]), table
    paid = "SELECT count(*) FROM invoice WHERE paid_amount NOT IN (0, 10)"
    assert superuser.execute(paid).fetchone() == (0,)
    made = "SELECT count(*) FROM customer WHERE autotask_id IS NOT NULL AND name = 'Typed' AND integration_id IS NULL"
    assert superuser.execute(made).fetchone() == (0,)
    people = superuser.execute("SELECT DISTINCT recorded_by_id, deleted_at FROM payment").fetchall()
    assert people in ([], [(ids["person"], None)])
