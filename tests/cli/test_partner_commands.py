"""The command line's promised words and outputs: partners, users, lists, payments."""

import json
from decimal import Decimal

import pytest

from portal.access import sessions
from portal.extensions import db
from portal.models import Tenant
from tests import factories

PASSWORD = "a long enough password"


@pytest.fixture
def run(app):
    """Runs a command; (exit code, JSON lines, what stands on standard error)."""

    def run_command(*words, stdin=""):
        result = app.test_cli_runner().invoke(args=[str(word) for word in words], input=stdin)
        return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.stderr

    return run_command


@pytest.fixture
def invoice(app):
    """An open invoice of 100.00 of the partner `northwind`; its Autotask ID."""
    with app.app_context(), factories.inside(factories.tenant("northwind")):
        customer = factories.customer(factories.integration(app), name="Contoso", autotask_id=77)
        row = factories.invoice(customer, "100.00", autotask_id=4711, number="INV-1")
        factories.line(row, "100.0000", name="Managed server")
        return row.autotask_id


def pay(run, amount, key="k-1", invoice=4711, on="2026-11-19", **more):
    pinned = ("--confirm-old-date",) if on == "2026-11-19" else ()
    extra = [word for name, value in more.items() for word in (f"--{name}", value)]
    return run(
        "payments",
        "record",
        "northwind",
        "--invoice",
        invoice,
        "--amount",
        amount,
        "--on",
        on,
        "--key",
        key,
        *extra,
        *pinned,
    )


def test_a_partner_and_its_people_are_made(app, run):
    assert run("partners", "create", "Northwind IT", "--slug", "northwind")[0] == 0
    code, [user], _ = run(
        "users",
        "create",
        "dana@northwind.example",
        "--partner",
        "northwind",
        "--role",
        "owner",
        stdin=PASSWORD + "\n",
    )
    assert (code, user["role"], user["partner"]) == (0, "owner", "northwind")
    with app.app_context():
        assert sessions.authenticate("DANA@northwind.example", PASSWORD) is not None


def test_staff_is_made_without_a_partner(run):
    code, [user], _ = run("users", "create", "kim@portal.example", "--staff", stdin=PASSWORD)
    assert (code, user["staff"]) == (0, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["partners", "create", "X", "--slug", "northwind"], "already a partner"),
        (["partners", "create", "X", "--slug", "No Good"], "lower-case"),
        (["users", "create", "no-address", "--staff"], "not an e-mail"),
        (["users", "create", "a@example.com", "--partner", "nobody", "--role", "owner"], "no partner"),
        (["users", "create", "a@example.com"], "--staff"),
        (["users", "create", "a@example.com", "--staff"], "12 to 128"),
        (["invoices", "list", "nobody", "--json"], "no partner"),
    ],
)
def test_a_refused_command_says_why_and_exits_non_zero(app, run, words, sentence):
    with app.app_context():
        factories.tenant("northwind")
    code, lines, error = run(*words, stdin="short\n")
    assert (code, lines) == (1, [])
    assert sentence in error


def test_an_invoice_is_listed_with_the_promised_names(run, invoice):
    code, [row], _ = run("invoices", "list", "northwind", "--json", "--lines")
    promised = {
        "autotask_id": 4711, "number": "INV-1", "customer": "Contoso", "customer_autotask_id": 77,
        "issued_on": "2026-11-01", "due_on": "2026-12-01", "currency": "USD", "amount_due": "100.00",
        "outstanding": "100.00", "status": "open", "paid_on": None, "agreement": "agrees",
    }  # fmt: skip
    assert code == 0
    assert {name: row[name] for name in promised} == promised
    assert [(line["name"], line["amount"]) for line in row["lines"]] == [("Managed server", "100.00")]


def test_customers_are_listed(run, invoice):
    _, [row], _ = run("customers", "list", "northwind", "--json")
    assert (row["autotask_id"], row["name"], row["currency"]) == (77, "Contoso", "USD")


def test_a_partner_needs_a_currency_and_a_zone_that_exist(run):
    for words in (("--currency", "ZZZ"), ("--time-zone", "Mars/Base")):
        code, _, said = run("partners", "create", "Northwind IT", "--slug", "northwind", *words)
        assert (code, "There is no" in said) == (1, True)


def test_the_day_of_a_payment_is_checked_as_everywhere(run, invoice):
    code, _, said = pay(run, "1.00", on="2999-01-01")
    assert (code, "is after today" in said) == (1, True)
    code, _, said = pay(run, "1.00", on="2024-02-29")
    assert (code, "Give --confirm-old-date if that is right." in said) == (1, True)
    words = (
        "payments",
        "record",
        "northwind",
        "--invoice",
        invoice,
        "--amount",
        "1.00",
        "--on",
        "2024-02-29",
    )
    assert run(*words, "--key", "k", "--confirm-old-date")[0] == 0


def test_perhaps_the_same_money_is_named(run, invoice):
    [first], [second] = (pay(run, "1.00", key=key)[1] for key in ("k-1", "k-2"))
    assert ("possible_duplicate_of" in first, second["possible_duplicate_of"]) == (False, first["id"])


def test_a_payment_is_recorded_and_listed(run, invoice):
    code, [payment], _ = pay(run, "40.00", method="check", reference="#12")
    assert (code, payment["amount"], payment["state"]) == (0, "40.00", "recorded")
    assert payment["allocations"][0]["autotask_id"] == 4711
    assert run("payments", "list", "northwind", "--json")[1] == [payment]
    [row] = run("invoices", "list", "northwind")[1]
    assert (row["outstanding"], row["status"]) == ("60.00", "part_paid")


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "NaN", "100.01", "1.000,00", "1e3", "１２"])
def test_a_bad_amount_is_refused_in_words_and_nothing_is_stored(run, invoice, amount):
    code, lines, error = pay(run, amount)
    assert (code, lines) == (1, [])
    assert error.startswith("Error: ")
    assert run("payments", "list", "northwind")[1] == []


def test_a_key_used_twice_pays_once_and_with_another_amount_is_refused(run, invoice):
    first, again = pay(run, "40.00"), pay(run, "40.00")
    assert first[:2] == again[:2]
    code, _, error = pay(run, "41.00")
    assert (code, "already used" in error) == (1, True)


def test_a_foreign_invoice_or_payment_does_not_exist(app, run, invoice):
    with app.app_context(), factories.inside(factories.tenant("contoso")):
        other = factories.invoice(factories.customer(factories.integration(app)), autotask_id=999)
        payment = factories.payment((other, "1.00"))
    assert "no invoice" in pay(run, "1.00", invoice=999)[2]
    assert "no payment" in run("payments", "delete", "northwind", payment.id, "--reason", "not mine")[2]


def test_a_payment_is_deleted_with_a_reason(run, invoice):
    _, [payment], _ = pay(run, "100.00")
    assert run("invoices", "list", "northwind")[1][0]["paid_on"] == "2026-11-19"
    code, [deleted], _ = run("payments", "delete", "northwind", payment["id"], "--reason", "typed twice")
    assert (code, deleted["state"], deleted["deleted_reason"]) == (0, "deleted", "typed twice")
    assert "already deleted" in run("payments", "delete", "northwind", payment["id"], "--reason", "again")[2]


def test_the_audit_log_is_verified(app, run, invoice):
    """Rule 7.4."""
    pay(run, "100.00")
    code, [answer], _ = run("partners", "verify-audit", "northwind")
    assert (code, answer["events"], answer["broken_at"]) == (0, 1, None)


def test_amounts_have_the_decimals_of_their_currency(app, run):
    with app.app_context(), factories.inside(factories.tenant("northwind")):
        customer = factories.customer(factories.integration(app), currency="JPY")
        factories.invoice(customer, Decimal("1200"))
        assert db.session.query(Tenant).count() == 1
    assert run("invoices", "list", "northwind")[1][0]["amount_due"] == "1200"
