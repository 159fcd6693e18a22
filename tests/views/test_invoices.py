"""Invoices as a partner's people see them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal import clock, ledger
from portal.extensions import db
from portal.models import Integration, SyncChange, SyncRun, Tenant
from tests import factories
from tests.pages import Page, rows_behind
from tests.reading import element, elements, words_of

TODAY = clock.today("UTC")


@pytest.fixture
def partner(app: Flask) -> Tenant:
    with app.app_context():
        return factories.tenant(slug="northwind")


@pytest.fixture
def owner(partner: Tenant, log_in: Callable[..., FlaskClient]) -> FlaskClient:
    return log_in(partner)


def test_the_first_line_counts_and_adds_up_the_filter_in_force(
    app: Flask, partner: Tenant, owner: FlaskClient
) -> None:
    with app.app_context(), factories.inside(partner):
        dollars = factories.customer(factories.integration(app), currency="USD")
        factories.invoice(dollars, "100.00", due_on=TODAY - timedelta(days=3))
        factories.invoice(dollars, "1200.50", due_on=TODAY)
        factories.invoice(factories.customer(currency="EUR"), "9.99", due_on=None)
    page = owner.get("/p/northwind/invoices").text
    others = element(page, "#other-currencies")
    assert others.get_text(" ", strip=True).endswith("EUR 1 9.99 0.00 0.00")
    assert (
        "2 invoices, 1,300.50\N{NO-BREAK SPACE}USD outstanding, 1 overdue with 100.00\N{NO-BREAK SPACE}USD"
        in page
    )


def test_an_invoice_is_found_by_its_number_or_its_customer(
    app: Flask, partner: Tenant, owner: FlaskClient
) -> None:
    with app.app_context(), factories.inside(partner):
        factories.invoice(factories.customer(name="Adatum 100%"), number="A-1")
        factories.invoice(factories.customer(name="Contoso"), number="B-2")
    for words, found, hidden in (("b-2", "B-2", "A-1"), ("adatum", "A-1", "B-2"), ("100%", "A-1", "B-2")):
        page = owner.get("/p/northwind/invoices", query_string={"q": words}).text
        assert found in page
        assert hidden not in page


def test_older_and_newer_are_real_links_through_every_invoice_once(
    app: Flask, partner: Tenant, owner: FlaskClient
) -> None:
    with app.app_context(), factories.inside(partner):
        customer = factories.customer()
        numbers = {
            factories.invoice(customer, issued_on=TODAY - timedelta(days=n // 40)).number for n in range(120)
        }
    url, seen = "/p/northwind/invoices", []
    for _ in range(3):
        page = owner.get(url).text
        seen += [number for number in numbers if f">{number}<" in page]
        url = element(page, "a[rel=next]")["href"] if 'rel="next"' in page else url
    assert sorted(seen) == sorted(numbers)
    back = element(page, "a[rel=prev]")["href"]
    assert "newer=" in back
    assert owner.get(back).text.count('<th scope="row"><a') == 50


@pytest.mark.parametrize(
    "place",
    ["older=x", "older=2026-01-01~x", "newer=9999-99-99~1", "older=2026-01-01~" + "9" * 40, "older=%00~1"],
)
def test_a_broken_place_in_the_list_shows_the_first_page(
    partner: Tenant, owner: FlaskClient, place: str
) -> None:
    assert owner.get(f"/p/northwind/invoices?{place}").status_code == 200


def test_one_address_answers_with_the_page_or_its_part(partner: Tenant, owner: FlaskClient) -> None:
    whole = owner.get("/p/northwind/invoices")
    part = owner.get("/p/northwind/invoices", headers={"HX-Request": "true"})
    assert "<html" in whole.text
    assert "<html" not in part.text
    assert 'id="invoices"' in part.text
    assert "HX-Request" in whole.headers["Vary"]
    assert "HX-Request" in part.headers["Vary"]


def test_an_invoice_shows_amount_and_state_in_a_sentence(
    app: Flask, partner: Tenant, owner: FlaskClient
) -> None:
    with app.app_context(), factories.inside(partner):
        invoice = factories.invoice(
            factories.customer(factories.integration(app)), "100.00", due_on=TODAY - timedelta(days=1)
        )
        factories.line(invoice, "100.00", name="Managed services")
        factories.payment((invoice, "40.00"))
    page = owner.get(f"/p/northwind/invoices/{invoice.id}").text
    assert "60.00 USD of 100.00 USD outstanding, overdue since" in words_of(page)
    assert "Managed services" in page
    assert "It shows this invoice as unpaid until it is fully paid" in page
    assert "nothing to send" in page


def test_a_paid_invoice_polls_until_autotask_has_confirmed_it(
    app: Flask, partner: Tenant, owner: FlaskClient
) -> None:
    with app.app_context(), factories.inside(partner):
        invoice = factories.invoice(factories.customer(factories.integration(app)), "100.00")
        factories.payment((invoice, "100.00"))
    url = f"/p/northwind/invoices/{invoice.id}"
    page = owner.get(url).text
    assert "Autotask is being told now." in page
    assert 'hx-trigger="every 1s' in page
    marker = page.partition('data-seen="')[2].partition('"')[0]
    poll = {"HX-Request": "true", "X-Portal-Poll": "page"}
    assert owner.get(f"{url}?seen={marker}", headers=poll).status_code == 204
    with app.app_context(), factories.inside(partner):
        _confirm(invoice.id)
    finished = owner.get(f"{url}?seen={marker}", headers=poll)
    assert finished.status_code == 200
    assert "every 1s" not in finished.text
    assert "Autotask agrees." in finished.text
    assert "<html" not in finished.text


def test_a_strangers_invoice_does_not_exist(app: Flask, partner: Tenant, owner: FlaskClient) -> None:
    with app.app_context(), factories.inside(factories.tenant(slug="elsewhere")):
        theirs = factories.invoice(factories.customer())
    assert owner.get(f"/p/northwind/invoices/{theirs.id}").status_code == 404
    assert owner.get(f"/p/elsewhere/invoices/{theirs.id}").status_code == 404
    assert owner.get("/p/northwind/invoices/999999999999").status_code == 404


def test_the_list_asks_as_many_questions_for_fifty_rows_as_for_one(
    app: Flask, partner: Tenant, owner: FlaskClient, count_queries: Callable[..., int]
) -> None:
    with app.app_context(), factories.inside(partner):
        factories.invoice(factories.customer())
    one = count_queries(lambda: owner.get("/p/northwind/invoices"))
    with app.app_context(), factories.inside(partner):
        for _ in range(20):
            factories.invoice(factories.customer())
    assert count_queries(lambda: owner.get("/p/northwind/invoices")) == one


def test_the_invoice_page_asks_as_many_questions_for_many_payments_as_for_one(
    app: Flask, partner: Tenant, owner: FlaskClient, count_queries: Callable[..., int]
) -> None:
    with app.app_context(), factories.inside(partner):
        customer = factories.customer(factories.integration(app))
        few, many = factories.invoice(customer), factories.invoice(customer)
        factories.payment((few, "1.00"))
        for _ in range(8):
            factories.payment((many, "1.00"))
            factories.line(many, "1.00")
    one = count_queries(lambda: owner.get(f"/p/northwind/invoices/{few.id}"))
    assert count_queries(lambda: owner.get(f"/p/northwind/invoices/{many.id}")) == one


HOSTILE = '<img src=x onerror=alert(1)>{{7*7}}" hx-on:click="alert(2)'


def test_hostile_names_stay_text(app: Flask, partner: Tenant, owner: FlaskClient) -> None:
    with app.app_context(), factories.inside(partner):
        customer = factories.customer(factories.integration(app), name=HOSTILE)
        customer_id = customer.id
        invoice = factories.invoice(customer, number=HOSTILE[:60], comments=HOSTILE, order_number=HOSTILE)
        invoice_id = invoice.id
        factories.line(invoice, name=HOSTILE, description=HOSTILE)
    for url in (
        "invoices",
        f"invoices/{invoice_id}",
        "customers",
        f"customers/{customer_id}",
        f"payments/new?invoice={invoice_id}",
    ):
        page = owner.get(f"/p/northwind/{url}").text
        assert "<img src=x" not in page
        assert '" hx-on:click' not in page
        assert "49" not in element(page, "main").get_text().partition("onerror")[2][:40]


def test_the_csv_file_is_harmless_for_a_spreadsheet(app: Flask, partner: Tenant, owner: FlaskClient) -> None:
    with app.app_context(), factories.inside(partner):
        customer = factories.customer(name="=HYPERLINK(1)")
        factories.invoice(customer, "-120.00", number="+1")
    answer = owner.get("/p/northwind/invoices/export.csv?show=all")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "'+1,,'=HYPERLINK(1)" in answer.text
    assert ",-120.00," in answer.text


def test_support_sees_invoices_and_can_change_or_export_nothing(
    app: Flask, partner: Tenant, visit: Callable[..., FlaskClient]
) -> None:
    with app.app_context(), factories.inside(partner):
        factories.member(partner)
        invoice = factories.invoice(factories.customer())
    support = visit(partner)
    page = support.get(f"/p/northwind/invoices/{invoice.id}")
    assert page.status_code == 200
    assert "Record payment" not in page.text
    assert "Download CSV" not in support.get("/p/northwind/invoices").text
    assert support.get("/p/northwind/invoices/export.csv").status_code == 403
    assert support.get(f"/p/northwind/payments/new?invoice={invoice.id}").status_code == 403


def test_a_reader_sees_no_button_that_would_be_refused(
    app: Flask, partner: Tenant, log_in: Callable[..., FlaskClient]
) -> None:
    with app.app_context(), factories.inside(partner):
        invoice = factories.invoice(factories.customer())
    reader = log_in(partner, "reader")
    assert "Record payment" not in reader.get(f"/p/northwind/invoices/{invoice.id}").text
    assert reader.get(f"/p/northwind/payments/new?invoice={invoice.id}").status_code == 403


def _confirm(invoice_id: int) -> None:
    from portal import ledger
    from portal.access.tenancy import scoped
    from portal.extensions import db
    from portal.models import Delivery, Invoice

    delivery = db.session.scalars(scoped(Delivery).where(Delivery.invoice_id == invoice_id)).one()
    delivery.state, delivery.confirmed_at = "confirmed", clock.now()
    delivery.our_mark_on, delivery.done_version = delivery.wish_paid_on, delivery.wish_version
    invoice = db.session.get_one(Invoice, (delivery.tenant_id, invoice_id))
    invoice.autotask_paid_on = delivery.wish_paid_on
    db.session.flush()
    ledger.restate([invoice_id])
    db.session.commit()
    assert invoice.amount_due == Decimal("100.00")


PDF = b"%PDF-1.4\nprinted"


def stored_pdf(app: Flask, partner: Tenant, data: bytes) -> int:
    from portal import storage
    from portal.extensions import db
    from portal.models import InvoicePdf

    with app.app_context(), factories.inside(partner):
        invoice = factories.invoice(factories.customer(factories.integration(app)))
        storage.put(invoice.tenant_id, "invoices/1.pdf", data)
        db.session.add(
            InvoicePdf(
                tenant_id=invoice.tenant_id,
                invoice_id=invoice.id,
                state="here",
                name='März "1".pdf',
                storage_key="invoices/1.pdf",
            )
        )
        db.session.commit()
        return int(invoice.id)


def test_a_pdf_opens_in_the_browser_and_cannot_act_as_a_page(
    app: Flask, partner: Tenant, owner: FlaskClient
) -> None:
    """F31 of the list of faults."""
    answer = owner.get(f"/p/northwind/invoices/{stored_pdf(app, partner, PDF)}/pdf")
    assert answer.data == PDF
    assert answer.mimetype == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith('inline; filename="M_rz _1_.pdf"')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")


def test_bytes_that_are_no_pdf_are_never_served(app: Flask, partner: Tenant, owner: FlaskClient) -> None:
    """F31 of the list of faults."""
    answer = owner.get(f"/p/northwind/invoices/{stored_pdf(app, partner, b'<script>alert(1)</script>')}/pdf")
    assert answer.status_code == 303
    assert b"<script>alert" not in answer.data


def test_an_older_pdf_is_fetched_when_a_person_asks(app: Flask, partner: Tenant, owner: FlaskClient) -> None:
    """Rule 3, the table: PDFs of older invoices when a person opens them."""
    with app.app_context(), factories.inside(partner):
        invoice = factories.invoice(factories.customer(factories.integration(app)))
    assert "Get it from Autotask" in owner.get(f"/p/northwind/invoices/{invoice.id}").text
    answer = owner.post(f"/p/northwind/invoices/{invoice.id}/pdf")
    assert answer.status_code == 303
    page = owner.get(answer.location.partition("#")[0]).text
    assert "Being fetched from Autotask" in page
    assert "getting=pdf" in element(page, "main [hx-get]")["hx-get"]


def test_a_voided_invoice_says_so_and_not_that_nothing_is_owed(
    app: Flask, partner: Tenant, owner: FlaskClient
) -> None:
    """D22, with a slash at the end of the address."""
    with app.app_context(), factories.inside(partner):
        invoice = factories.invoice(factories.customer(), "100.00", is_voided=True).id
    page = words_of(owner.get(f"/p/northwind/invoices/{invoice}/").text)
    assert "Voided in Autotask. It takes no payment." in page
    assert "nothing is owed" not in page.lower()


def test_nothing_of_a_voided_invoice_is_outstanding_whatever_was_paid_on_it(
    app: Flask, partner: Tenant, owner: FlaskClient
) -> None:
    """One truth for the list, its sum, the invoice, its payment, the search and the file."""
    with app.app_context(), factories.inside(partner):
        invoice = factories.invoice(factories.customer(), "100.00", number="INV-9")
        payment = factories.payment((invoice, "10.00")).id
        row = factories.refreshed(invoice)
        number, row.is_voided = row.id, True
        db.session.commit()
    pages = (
        "invoices?show=voided", f"invoices/{number}", f"payments/{payment}", "search?q=INV-9",
        "invoices/export.csv?show=voided",
    )  # fmt: skip
    for page in pages:
        text = owner.get(f"/p/northwind/{page}").text
        assert "INV-9" in text
        assert "90.00" not in text, page


def test_a_history_of_any_length_is_read_to_its_end(app: Flask, partner: Tenant, owner: FlaskClient) -> None:
    """Events of people and changes of syncs, of which many share one moment."""
    with app.app_context(), factories.inside(partner):
        invoice = factories.invoice(factories.customer(factories.integration(app)))
        integration = db.session.query(Integration).one()
        runs = [
            SyncRun(tenant_id=partner.id, integration_id=integration.id, kind="new", trigger="schedule", state="completed")
            for _ in range(2)
        ]  # fmt: skip
        db.session.add_all(runs)
        db.session.flush()
        now = clock.now()
        for run in runs:
            for number in range(130):
                db.session.add(
                    SyncChange(
                        tenant_id=partner.id, run_id=run.id, subject_type="invoice", subject_id=invoice.id, label="",
                        field="Comments", old_value="", new_value=f"{run.id}-{number}",
                        at=now - timedelta(minutes=number // 2),
                    )
                )  # fmt: skip
        factories.payment((invoice, "100.00"))
        wanted = {f"{run.id}-{number}" for run in runs for number in range(130)}
        path = f"/p/northwind/invoices/{invoice.id}"
    shown = owner.get(path).text
    assert "100 of 131 shown." in shown
    assert element(shown, f'a[href="{path}/history"]')["data-counts"] == "131"
    assert rows_behind(owner, f"{path}/history") == 131
    found, at = "", f"{path}/history"
    while at:
        page = Page(owner.get(at).text)
        found, at = found + page.html, page.following
    assert {one for one in wanted if f"→ {one}<" not in found} == set()
    assert "Payment recorded" in found


def test_voided_invoices_that_left_the_filters_or_autotask_are_counted_listed_and_told_so(
    app: Flask, log_in: Callable[..., FlaskClient]
) -> None:
    with app.app_context():
        partner = factories.tenant(slug="harbour")
        with factories.inside(partner):
            source = factories.integration(app)
            for number, mark in enumerate(("outside_filters_at", "missing_since")):
                for voided in (False, True):
                    invoice = factories.invoice(
                        factories.customer(source), number=f"{mark}-{number}", is_voided=voided
                    )
                    setattr(invoice, mark, clock.now())
                    ledger.restate([invoice.id])
                    db.session.commit()
                    source = db.session.query(Integration).one()
        owner = log_in(db.session.query(Tenant).filter_by(slug="harbour").one())
    home = owner.get("/p/harbour/").text
    for agreement, badge in (("outside_filters", "Outside filters"), ("missing", "No longer in Autotask")):
        address = f"/p/harbour/invoices?show=all&agreement={agreement}"
        assert element(home, f'[href="{address}"]')["data-counts"] == "2"
        page = owner.get(address).text
        assert [row.get_text().strip() for row in elements(page, "tbody td[data-label=Autotask]")] == [
            badge
        ] * 2
        assert "2 invoices" in words_of(page)
