"""Rule 1.3: the test before anything is saved, each failure in its own words, a wrong login tried once."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from portal.connect import ConnectRefused, ConnectRequest
from portal.connect.verify import check
from sandbox import Sandbox

# Makes a server that answers paths ending in a word with (status, content type, body); its address.
Answering = Callable[[dict[str, tuple[int, str, str]]], str]


@pytest.fixture
def typed(sandbox: Sandbox) -> ConnectRequest:
    return ConnectRequest("dana@example.com", sandbox.username, sandbox.secret)


def refused(request: ConnectRequest, app: Flask) -> ConnectRefused:
    with pytest.raises(ConnectRefused) as caught:
        check(request, app.config)
    return caught.value


def test_a_good_login_is_verified_with_zone_budget_and_currencies(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest
) -> None:
    verified = check(typed, app.config)

    assert verified.zone.url == sandbox.api_url
    assert verified.threshold is not None
    assert verified.threshold.limit == 10_000
    assert verified.currencies is not None
    assert verified.currencies["internal"] in verified.currencies.values()
    assert verified.notes == []
    assert sandbox.calls("Invoices", "pdf") != []


def test_what_surrounds_a_pasted_key_and_secret_is_cut_off(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest
) -> None:
    check(replace(typed, username=f" {typed.username}\n", secret=f"\t{typed.secret} "), app.config)


def test_an_unknown_user_is_told_in_its_own_words(app: Flask, typed: ConnectRequest) -> None:
    refusal = refused(replace(typed, username="nobody@nowhere.example"), app)

    assert "does not know the username “nobody@nowhere.example”" in str(refusal)
    assert refusal.field == "username"


def test_a_wrong_secret_is_told_in_its_own_words_and_tried_exactly_once(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest
) -> None:
    refusal = refused(replace(typed, secret="not-the-secret"), app)

    assert "did not accept this key and secret" in str(refusal)
    assert "not-the-secret" not in str(refusal)
    assert (refusal.field, refusal.login) == ("secret", True)
    assert sandbox.user.refusals == 1


def test_a_locked_user_gets_the_same_words(app: Flask, sandbox: Sandbox, typed: ConnectRequest) -> None:
    sandbox.lock_user()

    assert "not locked" in str(refused(typed, app))


def test_a_secret_that_cannot_be_sent_is_not_sent(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest
) -> None:
    refusal = refused(replace(typed, secret="p\u00e4ssword"), app)

    assert "was not sent" in str(refusal)
    assert (refusal.field, refusal.login) == ("secret", False)
    assert sandbox.user.refusals == 0


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        ("Companies", "read companies"),
        ("Contacts", "read contacts"),
        ("Invoices", "read invoices"),
        ("BillingItems", "read billing items"),
        ("InvoicePdf", "read the PDFs of invoices"),
    ],
)
@pytest.mark.parametrize("answer", ["403", "500"])
def test_each_missing_right_is_named(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest, entity: str, words: str, answer: str
) -> None:
    sandbox.switches.forbidden = answer  # type: ignore[assignment]
    sandbox.forbid(entity)

    refusal = refused(typed, app)

    assert words in str(refusal)
    assert len(refusal.sentences) == 1
    assert sandbox.user.refusals == 0


def test_several_missing_rights_are_all_named_at_once(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest
) -> None:
    sandbox.forbid("Contacts", "BillingItems")

    assert len(refused(typed, app).sentences) == 2


def test_an_unreachable_autotask_is_told_as_such(app: Flask, sandbox: Sandbox, typed: ConnectRequest) -> None:
    sandbox.refuse_connections()

    assert str(refused(typed, app)).startswith("Autotask could not be reached: the portal got no answer.")


@pytest.mark.sandbox(customers=0, invoices=0)
def test_a_partner_without_invoices_is_asked_for_no_pdf(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest
) -> None:
    assert check(typed, app.config).samples == []
    assert sandbox.calls("Invoices", "pdf") == []


def test_hidden_companies_are_a_note(app: Flask, sandbox: Sandbox, typed: ConnectRequest) -> None:
    """Autotask hides rows from a restricted user without an error."""
    sandbox.restrict_line_of_business([row["id"] for row in sandbox.rows("Companies")])

    assert "no companies at all" in check(typed, app.config).notes[0]


def test_without_an_integration_code_nothing_is_sent(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest
) -> None:
    app.config["AUTOTASK_INTEGRATION_CODE"] = ""

    assert "AUTOTASK_INTEGRATION_CODE" in str(refused(typed, app))
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("status", "kind", "body", "words"),
    [
        (200, "text/html", "<html>Welcome</html>", "not Autotask's API"),
        (200, "application/json", "[1, 2]", "not Autotask's API"),
        (200, "application/json", "{}", "not Autotask's API"),
        (404, "text/html", "<h1>Not found</h1>", "not Autotask's API"),
        (200, "application/json", '{"url": "https://evil.example/"}', "does not trust"),
        (
            503,
            "text/html",
            "<h1>Maintenance</h1>",
            "not available at the moment (it answered with error 503)",
        ),
        (302, "text/html", "", "another address"),
    ],
)
def test_an_answer_that_is_not_autotasks_is_told_as_such(
    app: Flask, answering: Answering, status: int, kind: str, body: str, words: str
) -> None:
    app.config["AUTOTASK_DISCOVERY_URL"] = answering({"zoneInformation": (status, kind, body)})

    refusal = refused(ConnectRequest("dana@example.com", "key@example.com", "secret"), app)

    assert words in str(refusal)
    assert not refusal.login


def test_a_web_page_instead_of_the_api_behind_the_zone_is_told_as_such(
    app: Flask, answering: Answering
) -> None:
    zone = '{"url": "%s", "zoneName": "Zone", "webUrl": "", "ci": 1}'
    elsewhere = answering({"ThresholdInformation": (200, "text/html", "<html>")})
    app.config["AUTOTASK_DISCOVERY_URL"] = answering(
        {"zoneInformation": (200, "application/json", zone % elsewhere)}
    )

    refusal = refused(ConnectRequest("dana@example.com", "key@example.com", "secret"), app)

    assert "not Autotask's API" in str(refusal)


@pytest.mark.parametrize(
    ("entity", "verb", "words"),
    [
        ("ThresholdInformation", "threshold", "asked for how much of the hourly budget is used"),
        ("Companies", "query", "asked for companies, which are your customers here"),
        ("Contacts", "query", "asked for contacts"),
        ("Invoices", "query", "asked for invoices"),
        ("BillingItems", "query", "asked for billing items, which are the lines of invoices"),
    ],
)
def test_a_question_that_autotask_refuses_is_told_with_its_own_words(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest, entity: str, verb: str, words: str
) -> None:
    said = f"Unable to find id in the {entity} Entity."
    sandbox.faults.add("validation_error", entity, verb, text=said, times=0)

    refusal = refused(typed, app)

    assert "not Autotask's API" not in str(refusal)
    assert words in str(refusal)
    assert f"“{said.rstrip('.')}”" in str(refusal)
    assert not refusal.login


def test_a_refused_question_about_the_lines_of_samples_is_told_with_its_own_words(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest
) -> None:
    sandbox.switches.in_limit = 1

    refusal = refused(typed, app)

    assert "asked for a few invoices with their lines" in str(refusal)
    assert "500 or fewer 'OR' conditions" in str(refusal)


def test_a_refused_question_about_known_customers_is_told_with_its_own_words(
    app: Flask, sandbox: Sandbox, typed: ConnectRequest
) -> None:
    sandbox.switches.in_limit = 1

    with pytest.raises(ConnectRefused, match="asked for the customers that are known here"):
        check(typed, app.config, dict.fromkeys(range(5), "Name"))
