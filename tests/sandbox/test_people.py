"""What people do in Autotask, in the process of the test and by HTTP."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from sandbox import Sandbox
from tests.sandbox.conftest import EVERYTHING, Api, where


@pytest.fixture
def company(sb: Sandbox) -> int:
    return sb.add_company(companyName="Harbor Foods", currencyID=2)


def held(sb: Sandbox, key: int) -> dict[str, Any]:
    found = sb.invoice(key)
    assert found is not None
    return found


LINES = [
    {"itemName": "Support", "quantity": "1.5", "rate": "100", "taxDollars": "31.5"},
    {"itemName": "Disk", "extendedPrice": "80.1234"},
]


def test_an_invoice_sums_up_its_lines(sb: Sandbox, company: int) -> None:
    key = sb.add_invoice(companyID=company, lines=LINES)

    assert held(sb, key)["invoiceTotal"] == Decimal("230.1234")
    assert held(sb, key)["totalTaxValue"] == Decimal("31.5")
    first, second = sb.lines(key)
    assert (first["extendedPrice"], first["totalAmount"], first["companyID"]) == (
        150,
        Decimal("181.5"),
        company,
    )
    assert (second["quantity"], second["rate"], second["invoiceID"]) == (1, Decimal("80.1234"), key)


def test_the_switch_of_totals_changes_every_invoice_there_is_and_will_be(sb: Sandbox, company: int) -> None:
    key = sb.add_invoice(companyID=company, lines=LINES)
    sb.switches.totals = "with_tax"
    assert held(sb, key)["invoiceTotal"] == Decimal("261.6234")

    other = sb.add_invoice(companyID=company, lines=LINES)
    assert held(sb, other)["invoiceTotal"] == Decimal("261.6234")
    sb.switches.totals = "without_tax"

    assert held(sb, key)["invoiceTotal"] == held(sb, other)["invoiceTotal"] == Decimal("230.1234")


def test_named_totals_win_over_the_lines(sb: Sandbox, company: int) -> None:
    key = sb.add_invoice(companyID=company, lines=LINES, invoiceTotal="1")

    assert (held(sb, key)["invoiceTotal"], held(sb, key)["totalTaxValue"]) == (1, Decimal("31.5"))


def test_un_posting_a_line_lowers_the_total(sb: Sandbox, company: int) -> None:
    key = sb.add_invoice(companyID=company, lines=LINES)
    sb.remove_line(sb.lines(key)[0]["id"])
    assert held(sb, key)["invoiceTotal"] == Decimal("80.1234")
    sb.add_line(invoiceID=key, itemName="More", rate="20")

    assert held(sb, key)["invoiceTotal"] == Decimal("100.1234")


def test_a_voided_invoice_releases_its_lines(sb: Sandbox, company: int) -> None:
    key = sb.add_invoice(companyID=company, lines=LINES)
    sb.void_invoice(key)

    assert held(sb, key)["isVoided"] is True
    assert held(sb, key)["voidedDate"]
    assert held(sb, key)["invoiceTotal"] == Decimal("230.1234")
    assert sb.lines(key) == []
    assert sb.count("BillingItems") == 2


def test_a_voided_invoice_can_keep_its_lines_and_lose_its_total(sb: Sandbox, company: int) -> None:
    sb.switches.update({"void_lines": "keep", "void_total": "zero"})
    key = sb.add_invoice(companyID=company, lines=LINES)
    sb.void_invoice(key)

    assert (len(sb.lines(key)), held(sb, key)["invoiceTotal"]) == (2, 0)


def test_a_removed_invoice_leaves_no_trace(sb: Sandbox, company: int) -> None:
    key = sb.add_invoice(companyID=company, lines=LINES)
    sb.remove_invoice(key)

    assert sb.invoice(key) is None
    assert sb.count("BillingItems") == 0
    assert sb.add_invoice(companyID=company) > key


def test_merging_moves_all_that_belonged_to_a_company(sb: Sandbox, company: int) -> None:
    other = sb.add_company()
    contact = sb.add_contact(companyID=company)
    key = sb.add_invoice(companyID=company, lines=LINES)
    sb.merge_companies(company, other)

    assert sb.company(company) is None
    assert held(sb, key)["companyID"] == other
    assert {line["companyID"] for line in sb.lines(key)} == {other}
    found = sb.contact(contact)
    assert found is not None
    assert found["companyID"] == other
    with pytest.raises(KeyError):
        sb.merge_companies(other, other)


def test_a_change_to_a_company_or_contact_moves_its_stamp(sb: Sandbox, company: int) -> None:
    contact = sb.add_contact(companyID=company)
    sb.clock.set("2027-01-02T03:04:05+00:00", frozen=True)
    sb.change_company(company, companyName="Harbour")
    sb.change_contact(contact, lastName="Miller")

    assert (sb.company(company) or {})["lastTrackedModifiedDateTime"] == "2027-01-02T03:04:05Z"
    assert (sb.contact(contact) or {})["lastModifiedDate"] == "2027-01-02T03:04:05Z"


def test_an_invoice_gets_its_number_later(sb: Sandbox, company: int) -> None:
    key = sb.add_invoice(companyID=company)
    assert held(sb, key)["invoiceNumber"] is None
    sb.change_invoice(key, invoiceNumber="INV-9")

    assert held(sb, key)["invoiceNumber"] == "INV-9"


@pytest.mark.parametrize(
    "mistake",
    [
        {"colour": 1},
        {"invoiceTotal": "much"},
        {"invoiceTotal": "NaN"},
        {"dueDate": "soon"},
        {"companyID": "x"},
    ],
)
def test_a_field_that_is_none_is_refused_in_the_test(
    sb: Sandbox, company: int, mistake: dict[str, Any]
) -> None:
    with pytest.raises(ValueError):
        sb.add_invoice(**{"companyID": company, **mistake})

    assert sb.count("Invoices") == 0


class Control:
    """The same by HTTP."""

    def __init__(self, sb: Sandbox) -> None:
        self.url = f"{sb.url}/_sandbox/"

    def get(self, name: str, **given: Any) -> Any:
        answer = requests.get(self.url + name, params=given, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, name: str, **given: Any) -> Any:
        answer = requests.post(self.url + name, json=given, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def control(sb: Sandbox) -> Control:
    return Control(sb)


def test_everything_can_be_done_by_http(sb: Sandbox, control: Control) -> None:
    company = control.post("add_company", companyName="Acme")["id"]
    contact = control.post("add_contact", companyID=company)["id"]
    key = control.post("add_invoice", companyID=company, lines=[{"rate": "52.7775"}])["id"]
    line = control.post("add_line", invoiceID=key, rate=1.5)["id"]

    assert control.get("company", id=company)["item"]["companyName"] == "Acme"
    assert control.get("contact", id=contact)["item"]["companyID"] == company
    assert control.get("invoice", id=key)["item"]["invoiceTotal"] == 54.2775
    assert [one["id"] for one in control.get("lines", id=key)["items"]][1] == line
    assert [one["id"] for one in control.get("rows", entity="Invoices")["items"]] == [key]
    control.post("remove_line", id=line)
    changed = control.post("change_invoice", id=key, paidDate="2026-11-18")["changed"]
    assert changed[0]["fields"] == {"paidDate": [None, "2026-11-18T00:00:00"]}
    assert control.post("change_invoice", id=key, paidDate="2026-11-18") == []
    control.post("void_invoice", id=key)
    assert control.get("invoice", id=key)["item"]["isVoided"] is True
    control.post("set_invoice_settings", id=company, otherEmails="a@b.example")
    other = control.post("add_company", companyName="Other")["id"]
    control.post("merge_companies", gone=company, into=other)
    assert control.get("company", id=company) == {"item": None}
    control.post("remove_invoice", id=key)
    assert control.get("invoice", id=key) == {"item": None}


def test_behaviour_is_driven_by_http(sb: Sandbox, control: Control, raw: Api) -> None:
    assert control.get("")["discovery_url"] == sb.discovery_url
    assert control.post("switches", totals="with_tax")["switches"]["totals"] == "with_tax"
    assert sb.switches.totals == "with_tax"
    control.post("reset_switches")
    assert control.get("switches")["switches"]["totals"] == "without_tax"
    assert control.post("clock", set="2026-01-02T00:00:00", frozen=True, advance=60) == {
        "now": "2026-01-02T00:01:00+00:00"
    }
    control.post("clock", reset=True)
    fault = control.post("add_fault", kind="F11", entity="Currencies", status=502)["fault"]
    assert raw.get("Currencies/1").status_code == 502
    assert control.get("faults")["faults"][0]["hits"] == 1
    control.post("remove_fault", id=fault["id"])
    assert control.get("faults") == {"faults": []}
    assert len(control.get("fault_kinds")["kinds"]) >= 31
    control.post("add_other_usage", calls=500)
    assert control.get("stats")["usage"] == 500
    control.post("clear_usage")
    control.post("lock_user")
    assert raw.get("Version").status_code == 401
    assert control.get("user")["locked"] is True
    control.post("unlock_user")
    control.post("forbid", entities=["Currencies"])
    assert raw.get("Currencies/1").status_code == 403
    control.post("allow")
    control.post("add_user", username="second@msp.example", secret="s2")
    assert (
        raw.get("Currencies/1", headers={"UserName": "second@msp.example", "Secret": "s2"}).status_code == 200
    )
    control.post("change_secret", secret="new")
    assert raw.get("Currencies/1").status_code == 401
    assert control.post("move_zone")["api_url"] == f"{sb.url}/zone6/ATServicesRest/"


def test_requests_and_figures_are_read_by_http(sb: Sandbox, control: Control, api: Api) -> None:
    api.get("Currencies/1")
    api.post("Invoices/query", EVERYTHING)
    found = control.get("requests")["requests"]
    assert [(one["entity"], one["verb"], one["status"]) for one in found] == [
        ("Currencies", "get", 200),
        ("Invoices", "query", 200),
    ]
    assert control.get("requests", after=found[0]["number"], entity="Invoices")["requests"] == found[1:]
    assert control.get("stats")["calls"] == {"Currencies get": 1, "Invoices query": 1}
    assert control.get("stats")["max_parallel"]["Invoices"] == 1
    control.post("clear_requests")
    control.post("clear_stats")
    assert control.get("requests") == {"requests": []}


def test_a_line_of_business_is_restricted_by_http(
    sb: Sandbox, control: Control, api: Api, company: int
) -> None:
    control.post("restrict_line_of_business", companies=[company])
    assert api.ids("Companies", where("id", "gt", 0)) == []
    control.post("restrict_line_of_business")
    assert api.ids("Companies", where("id", "gt", 0)) == [company]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("POST", "nothing", b"{}", 404, "there is no POST /_sandbox/nothing"),
        ("GET", "nothing", b"", 404, "there is no GET /_sandbox/nothing"),
        ("DELETE", "faults", b"", 404, "there is no DELETE"),
        ("POST", "add_company", b"[]", 400, "must be a JSON object"),
        ("POST", "add_company", b"{", 400, "Expecting"),
        ("POST", "add_company", b'{"colour": 1}', 400, "Companies has no field colour"),
        ("POST", "change_invoice", b'{"id": 99}', 400, "there is no 99"),
        ("POST", "change_invoice", b"{}", 400, "there is no 'id', or it was not given"),
        ("POST", "switches", b'{"patch_null": "x"}', 400, "clears, ignored, error"),
        ("POST", "add_fault", b'{"kind": "F1"}', 400, "give seconds"),
        ("POST", "add_fault", b'{"kind": "F77"}', 400, "there is no fault"),
        ("GET", "rows?entity=Tickets", b"", 400, "entity can be"),
    ],
)
def test_a_mistake_is_told(
    sb: Sandbox, method: str, path: str, body: bytes, status: int, reason: str
) -> None:
    answer = requests.request(method, f"{sb.url}/_sandbox/{path}", data=body, timeout=5)

    assert answer.status_code == status
    assert reason in answer.json()["error"]


@pytest.mark.parametrize("path", ["/_sandbox/lock_user", "/lock", "/"])
@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
def test_web_sites_in_the_same_browser_cannot_drive_it(
    sb: Sandbox, path: str, headers: dict[str, str]
) -> None:
    answer = requests.post(f"{sb.url}{path}", headers=headers, timeout=5)

    assert answer.status_code == 403
    assert not sb.user.locked


class Page:
    """The page for people, its forms sent as a browser does."""

    def __init__(self, sb: Sandbox) -> None:
        self.sb = sb
        self.session = requests.Session()

    def see(self, path: str) -> str:
        answer = self.session.get(self.sb.url + path, timeout=5)
        assert answer.status_code == 200, answer.text
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        return answer.text

    def send(self, action: str, **fields: Any) -> str:
        answer = self.session.post(self.sb.url + action, data=fields, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
def page(sb: Sandbox) -> Iterator[Page]:
    made = Page(sb)
    yield made
    made.session.close()


def test_people_mark_an_invoice_paid_and_unpaid(page: Page, sb: Sandbox, company: int) -> None:
    key = sb.add_invoice(companyID=company, invoiceNumber="INV-5", lines=LINES)

    assert "Marked as paid." in page.send("/pay", id=key, date="2026-11-18")
    assert held(sb, key)["paidDate"] == "2026-11-18T00:00:00Z"
    assert "paid date is empty" in page.send("/unpay", id=key)
    assert held(sb, key)["paidDate"] is None
    assert [(one.entity, one.verb) for one in sb.requests] == [("People", "pay"), ("People", "unpay")]


def test_people_change_void_and_un_post(page: Page, sb: Sandbox, company: int) -> None:
    key = sb.add_invoice(companyID=company, lines=LINES)
    page.send("/change", id=key, number="N-1", due="2027-01-31", total="99.5", tax="1")
    after = held(sb, key)
    assert (after["invoiceNumber"], after["dueDate"][:10], after["invoiceTotal"]) == (
        "N-1",
        "2027-01-31",
        99.5,
    )
    page.send("/unpost-line", id=key, line=sb.lines(key)[0]["id"])
    page.send("/add-line", id=key, item="Cable", quantity="2", rate="4.5", tax="")
    assert [line["itemName"] for line in sb.lines(key)] == ["Disk", "Cable"]
    page.send("/void", id=key)
    assert held(sb, key)["isVoided"] is True


def test_people_create_and_merge_companies_and_invoices(page: Page, sb: Sandbox, company: int) -> None:
    assert "Company created." in page.send("/create-company", name="New <b>Ltd.</b>", type=1, currency=3)
    new = sb.rows("Companies")[-1]
    assert (new["companyName"], new["currencyID"]) == ("New <b>Ltd.</b>", 3)
    page.send(
        "/create-invoice",
        company=new["id"],
        item="Setup",
        quantity="2",
        rate="50",
        tax="10",
        due="2027-01-01",
    )
    (invoice,) = sb.rows("Invoices")
    assert (invoice["invoiceTotal"], invoice["totalTaxValue"]) == (100, 10)
    page.send("/merge", gone=new["id"], into=company)
    assert held(sb, invoice["id"])["companyID"] == company


def test_people_change_how_autotask_behaves(page: Page, sb: Sandbox, company: int, api: Api) -> None:
    page.send("/lock")
    assert sb.user.locked
    assert "API user locked" in page.see("/")
    page.send("/unlock")
    page.send("/hide", id=company)
    assert sb.world.hidden_companies == {company}
    assert "hidden" in page.see(f"/companies/{company}")
    page.send("/show", id=company)
    page.send("/move-zone")
    assert "Zone 6" in page.see("/")
    page.send("/use", calls="700")
    assert sb.world.usage.current() == 700
    page.send("/clear-usage")
    before = sb.clock.now()
    page.send("/advance", hours="2")
    assert (sb.clock.now() - before).total_seconds() >= 7200
    page.send("/switches", totals="with_tax", dates_z="false")
    assert (sb.switches.totals, sb.switches.dates_z) == ("with_tax", False)
    page.send("/add-fault", kind="server_error", entity="Invoices", verb="", times="3")
    assert "F11 server_error" in page.see("/behaviour")
    page.send("/clear-faults")
    assert sb.faults.all() == []
    page.send("/clear-requests")


def test_the_pages_show_what_there_is_and_escape_it(start: Callable[..., Sandbox]) -> None:
    sb = start(customers=20, invoices=60)
    page, api = Page(sb), Api(sb)
    hostile = sb.add_company(companyName="<script>alert(1)</script>")
    key = sb.add_invoice(companyID=hostile, invoiceNumber="<i>7</i>", lines=LINES)
    api.patch("Invoices", {"id": key, "paidDate": "2026-11-18"})
    assert "2026-11-18" in page.see("/requests")

    for path in (
        "/",
        "/invoices",
        f"/invoices/{key}",
        "/companies?q=script",
        f"/companies/{hostile}",
        "/requests",
    ):
        text = page.see(path)
        assert "<script>" not in text
        assert "<i>7" not in text
    assert "INV-41" in page.see("/invoices?q=inv-41")
    assert f"ID {key}" in page.see(f"/invoices?q={key}")
    assert page.see("/invoices?unpaid=1").count('class="badge paid"') == 0
    assert "Every field" in page.see("/companies/0")
    assert page.session.get(f"{sb.url}/style.css", timeout=5).headers["Content-Type"].startswith("text/css")
    assert page.session.get(f"{sb.url}/invoices/{key}/pdf", timeout=5).content.startswith(b"%PDF-")
    page.session.close()
    api.session.close()


@pytest.mark.parametrize(
    "path", ["/nothing", "/invoices/99", "/companies/99", "/invoices/99/pdf", "/invoices/x"]
)
def test_a_page_that_is_not_there_says_so(page: Page, path: str) -> None:
    answer = page.session.get(page.sb.url + path, timeout=5)

    assert answer.status_code == 404
    assert "is not here" in answer.text


@pytest.mark.parametrize(
    ("action", "fields", "reason"),
    [
        ("/pay", {"id": "99"}, "There is no 99"),
        ("/pay", {}, "There is no id, or it was not given."),
        ("/pay", {"id": "x"}, "invalid literal"),
        ("/create-company", {"name": " "}, "A company needs a name."),
        ("/create-invoice", {"company": "99"}, "There is no company 99"),
        ("/switches", {"totals": "x"}, "totals can be"),
        ("/merge", {"gone": "1", "into": "1"}, "There is no 1"),
    ],
)
def test_what_people_cannot_do_is_told_and_nothing_changes(
    page: Page, action: str, fields: dict[str, str], reason: str
) -> None:
    answer = page.session.post(page.sb.url + action, data=fields, timeout=5)

    assert answer.status_code == 422
    assert reason in answer.text
    assert page.sb.requests == []
