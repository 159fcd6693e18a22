"""Runs inside the code of another release: what people, checkouts and the poller do with it, as status codes.

Called with the folder of that release as working directory: `fill` makes a partner with an open invoice, `use`
looks at it and pays. Only names that every release has are used, but by `close`, which this one alone does.
"""

import json
import re
import sys
from datetime import date

from portal import create_app
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Customer, Delivery, Integration, Invoice, Tenant

OWNER, PASSWORD, SLUG = "dana@northwind.example", "an honest pass phrase", "northwind"


def command(app, *words, said=""):
    done = app.test_cli_runner().invoke(args=list(words), input=said)
    if done.exit_code:
        raise SystemExit(f"{' '.join(words)}: {done.output}{done.exception!r}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def fill(app):
    """A partner, its owner, an integration, a customer and two open invoices."""
    command(app, "partners", "create", "Northwind", "--slug", SLUG)
    command(app, "users", "create", OWNER, "--partner", SLUG, "--role", "owner", said=PASSWORD + "\n")
    with app.app_context():
        tenant_id = db.session.scalar(db.select(Tenant.id))
        with tenant_scope(tenant_id):
            integration = Integration(
                tenant_id=tenant_id, state="connected", role="primary", identifier="number",
                email="billing@example.com", username="api@example.com", secret=b"sealed",
                zone_url="http://127.0.0.1:9/", sync_minute=7, sync_hour=3,
            )  # fmt: skip
            db.session.add(integration)
            db.session.flush()
            shared = {"tenant_id": tenant_id, "integration_id": integration.id, "currency": "USD"}
            customer = Customer(**shared, autotask_id=1, name="Contoso")
            db.session.add(customer)
            db.session.flush()
            for number in (1, 2, 3):
                invoice = Invoice(**shared, autotask_id=number, number=f"INV-{number}", customer_id=customer.id,
                    total_raw=100, amount_due=100, issued_on=date(2026, 11, 1),
                    due_on=date(2026, 12, 1))  # fmt: skip
                db.session.add(invoice)
            db.session.commit()
    return {}


def close(app):
    """The first invoice, paid and not told yet, is gone in Autotask and archived here."""
    from portal import own_records
    from portal.access.actor import Actor, Source

    with app.app_context():
        tenant_id = db.session.scalar(db.select(Tenant.id))
        with tenant_scope(tenant_id):
            invoice = db.session.scalar(db.select(Invoice).where(Invoice.autotask_id == 1))
            invoice.missing_since = invoice.created_at
            own_records.archive(Actor(Source.COMMAND), "invoice", [invoice.id])
            db.session.commit()
            return {"delivery": db.session.scalar(db.select(Delivery)).state}


def use(app):
    """Status codes by address, and how many rows each question of the poller found."""
    command(app, "payments", "record", SLUG, "--invoice", sys.argv[2], "--amount", "100.00",
        "--on", "2026-11-19", "--key", f"drive-{sys.argv[2]}")  # fmt: skip
    browser = app.test_client()
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").text)
    login = {"email": OWNER, "password": PASSWORD, "csrf_token": found[1] if found else ""}
    seen = {"login": browser.post("/login", data=login).status_code}
    for page in pages(app):
        seen[page] = browser.get(page).status_code
    seen |= through_the_api(app)
    with app.app_context():
        from jobs.poll import watches

        for watch in watches():
            if watch.name in ("deliveries", "syncs", "comparisons", "logins"):
                seen[f"poller: {watch.name}"] = len(watch.find())
    return seen


def pages(app):
    """Every page of the partner, and those of its first invoice, customer and payment."""
    with app.test_request_context():
        adapter = app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            numbers = rule.arguments - {"partner_slug"}
            if "GET" in rule.methods and "partner_slug" in rule.arguments and len(numbers) <= 1:
                yield adapter.build(rule.endpoint, {"partner_slug": SLUG} | dict.fromkeys(numbers, 1))


def through_the_api(app):
    from portal.access import api_keys
    from portal.access.actor import Actor, Source

    with app.app_context():
        tenant_id = db.session.scalar(db.select(Tenant.id))
        with tenant_scope(tenant_id):
            _, secret = api_keys.create(Actor(Source.COMMAND), "Checkout", list(api_keys.Scope))
            db.session.commit()
            invoice_id = db.session.scalar(db.select(Invoice.id).where(Invoice.autotask_id == 3))
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": f"api-{sys.argv[2]}"}
    body = {
        "method": "card",
        "paid_on": "2026-11-19",
        "allocations": [{"invoice_id": invoice_id, "amount": "10.00"}],
    }  # fmt: skip
    caller = app.test_client()
    return {
        "api: invoices": caller.get("/api/v1/invoices", headers=headers).status_code,
        "api: pay": caller.post("/api/v1/payments", headers=headers, json=body).status_code,
    }


if __name__ == "__main__":
    app = create_app()
    sys.stdout.write(json.dumps({"fill": fill, "close": close, "use": use}[sys.argv[1]](app)) + "\n")
