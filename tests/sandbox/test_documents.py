"""InvoicePdf, markup, and invoice settings."""

import base64
import io
from xml.etree import ElementTree

import pytest
from pypdf import PdfReader

from sandbox import Sandbox
from tests.sandbox.conftest import Api


@pytest.fixture
def invoice(sb: Sandbox) -> int:
    company = sb.add_company(companyName="Ünïque <b>Foods</b> & Co. 株", currencyID=2, address1="1 Mill Lane")
    lines = [{"itemName": "Remote support", "quantity": "1.5", "rate": "120.3333", "taxDollars": "37.905"}]
    return sb.add_invoice(companyID=company, invoiceNumber="INV-77", taxRegionName="VAT", lines=lines)


def pdf_of(api: Api, invoice: int) -> PdfReader:
    found = api.get(f"Invoices/{invoice}/InvoicePdf").json()
    found = found.get("item", found)
    data = base64.b64decode(found["data"])
    assert found["fileSize"] == len(data)
    assert found["contentType"] == "application/pdf"
    assert data.startswith(b"%PDF-")
    return PdfReader(io.BytesIO(data))


def test_the_pdf_shows_the_invoices_lines_and_totals(api: Api, invoice: int) -> None:
    text = pdf_of(api, invoice).pages[0].extract_text()

    for part in ("INV-77", "Remote support", "120.3333", "180.50", "37.91", "218.41", "Total EUR", "Ünïque"):
        assert part in text, part


def test_long_invoices_have_several_pages(api: Api, sb: Sandbox) -> None:
    company = sb.add_company()
    invoice = sb.add_invoice(
        companyID=company, lines=[{"itemName": f"Part {n}", "rate": "1"} for n in range(120)]
    )

    pages = pdf_of(api, invoice).pages

    assert len(pages) > 1
    assert "Part 119" in "".join(page.extract_text() for page in pages)


def test_the_same_invoice_gives_the_same_pdf(api: Api, invoice: int) -> None:
    first, second = (api.get(f"Invoices/{invoice}/invoicePDF").json() for _ in range(2))

    assert first == second


def test_the_pdf_can_come_wrapped_in_an_item(api: Api, sb: Sandbox, invoice: int) -> None:
    sb.switches.pdf_wrapped = True
    api.judged = False

    assert len(pdf_of(api, invoice).pages) == 1


def test_the_pdf_of_no_invoice_is_refused(api: Api) -> None:
    assert "No matching records found" in api.refusal(api.get("Invoices/99/InvoicePdf"))


def test_the_html_markup_escapes_what_stands_on_the_invoice(api: Api, invoice: int) -> None:
    markup = api.get(f"Invoices/{invoice}/InvoiceMarkupHtml").json()["invoiceMarkup"]

    assert "&lt;b&gt;Foods&lt;/b&gt; &amp; Co. 株" in markup
    assert "218.41" in markup


def test_the_xml_markup_has_autotasks_root(api: Api, invoice: int) -> None:
    root = ElementTree.fromstring(api.get(f"Invoices/{invoice}/InvoiceMarkupXml").json()["invoiceMarkup"])

    assert root.tag == "invoice_batch_generic"
    assert root.findtext("invoice_batch/invoice/invoice_number") == "INV-77"
    assert root.findtext("invoice_batch/invoice/invoice_item/rate") == "120.3333"


def test_totals_on_paper_do_not_depend_on_the_switch(api: Api, sb: Sandbox, invoice: int) -> None:
    sb.switches.totals = "with_tax"

    assert "218.41" in pdf_of(api, invoice).pages[0].extract_text()


def test_invoice_settings_are_read_and_replaced(api: Api, sb: Sandbox) -> None:
    company = sb.add_company(isTaxExempt=True, taxRegionID=4, taxID="NL1")
    assert api.get(f"Companies/{company}/invoiceSettings").json() == {
        "taxExempt": True,
        "taxRegionId": 4,
        "taxId": "NL1",
        "invoiceEmailingEnabled": True,
        "contactRecipients": [],
        "resourceRecipients": [],
        "otherEmails": "",
    }

    api.put(
        f"Companies/{company}/invoiceSettings",
        {"otherEmails": "a@x.example", "invoiceEmailingEnabled": False},
    )

    after = api.get(f"Companies/{company}/invoiceSettings").json()
    assert (after["otherEmails"], after["invoiceEmailingEnabled"], after["taxId"]) == (
        "a@x.example",
        False,
        None,
    )


def test_recipients_are_added_and_removed(api: Api, sb: Sandbox) -> None:
    company = sb.add_company()
    contact = sb.add_contact(companyID=company)
    path = f"Companies/{company}/invoiceSettings"

    assert api.post(f"{path}/contactRecipients", {"items": [contact]}).json() == {
        "contactRecipients": [contact]
    }
    assert api.post(f"{path}/resourceRecipients", {"items": [4, 4]}).json() == {"resourceRecipients": [4]}
    assert api.get(path).json()["contactRecipients"] == [contact]
    assert api.call("DELETE", f"{path}/contactRecipients/{contact}").json() == {"itemId": contact}
    assert api.get(path).json()["contactRecipients"] == []


def test_recipients_must_be_contacts_of_the_company(api: Api, sb: Sandbox) -> None:
    company, stranger = sb.add_company(), sb.add_contact(companyID=sb.add_company())
    path = f"Companies/{company}/invoiceSettings"

    assert "does not exist" in api.refusal(api.post(f"{path}/contactRecipients", {"items": [stranger]}))
    assert "items" in api.refusal(api.post(f"{path}/contactRecipients", {}))
    assert "No matching" in api.refusal(api.call("DELETE", f"{path}/contactRecipients/5"))
    assert "taxId" in api.refusal(api.put(path, {"taxId": 5}))
    assert "No matching" in api.refusal(api.get("Companies/99/invoiceSettings"))
