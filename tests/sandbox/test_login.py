"""Zone discovery and the three headers."""

import pytest
import requests

from sandbox import Sandbox
from tests.sandbox.conftest import Api


def test_zone_discovery_needs_no_keys_and_tells_the_zones_url(sb: Sandbox) -> None:
    answer = requests.get(sb.discovery_url, params={"user": sb.username}, timeout=5)

    assert answer.status_code == 200
    assert answer.json() == {
        "zoneName": "Zone 5",
        "url": f"{sb.url}/ATServicesRest/",
        "webUrl": f"{sb.url}/",
        "ci": 123456,
    }


@pytest.mark.parametrize("user", ["nobody@elsewhere.example", ""])
def test_an_unknown_user_has_no_zone(api: Api, user: str) -> None:
    answer = api.get("zoneInformation", params={"user": user})

    assert api.refusal(answer) == "Zone information could not be determined"


def test_zone_discovery_finds_a_user_in_any_letter_case(api: Api, sb: Sandbox) -> None:
    assert api.get("ZONEINFORMATION", params={"user": sb.username.upper()}).status_code == 200


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("ApiIntegrationCode", None),
        ("ApiIntegrationCode", ""),
        ("UserName", None),
        ("UserName", ""),
        ("UserName", "wrong"),
        ("Secret", None),
        ("Secret", ""),
        ("Secret", "wrong"),
    ],
)
def test_a_missing_or_wrong_header_gives_the_same_empty_401(api: Api, header: str, value: str | None) -> None:
    api.session.headers[header] = value  # type: ignore[assignment]

    answer = api.get("Version")

    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["Content-Length"] == "0"
    assert answer.headers["www-authenticate"] == 'Basic Realm="webservices5.autotask.net"'


def test_a_strict_sandbox_takes_its_own_integration_code_only(start: object) -> None:
    strict = start(strict_integration_code=True, integration_code="ABC")  # type: ignore[operator]
    api = Api(strict)
    assert api.get("Version").status_code == 200

    api.session.headers["ApiIntegrationCode"] = "OTHER"

    assert api.get("Version").status_code == 401
    strict.switches.wrong_integration_code = "500"
    assert api.refusal(api.get("Version")) == "IntegrationCode is invalid."


def test_a_user_is_locked_after_as_many_refusals_as_the_switch_says(api: Api, sb: Sandbox) -> None:
    sb.switches.lock_after = 3
    api.session.headers["Secret"] = "wrong"
    for _ in range(3):
        api.get("Version")
    api.session.headers["Secret"] = sb.secret

    assert sb.user.locked
    assert api.get("Version").status_code == 401
    sb.unlock_user()
    assert api.get("Version").status_code == 200


def test_a_right_login_forgets_earlier_refusals(api: Api, sb: Sandbox) -> None:
    sb.switches.lock_after = 3
    for secret in ("wrong", "wrong", sb.secret, "wrong", "wrong", sb.secret):
        api.session.headers["Secret"] = secret
        last = api.get("Version")

    assert last.status_code == 200


def test_an_unknown_user_locks_nobody(api: Api, sb: Sandbox) -> None:
    sb.switches.lock_after = 1
    api.session.headers["UserName"] = "somebody@else.example"
    api.get("Version")

    assert not sb.user.locked


def test_after_a_move_the_old_zone_refuses_and_discovery_names_the_new_one(api: Api, sb: Sandbox) -> None:
    old = f"{sb.api_url}V1.0/Version"
    new = sb.move_zone()

    assert api.get(old).status_code == 401
    assert not sb.user.refusals
    found = api.get("zoneInformation", params={"user": sb.username}).json()
    assert (found["url"], found["zoneName"]) == (new, "Zone 6")
    assert api.get(f"{new}V1.0/Version").status_code == 200


def test_a_wrong_zone_can_answer_emptily_instead(api: Api, sb: Sandbox) -> None:
    sb.switches.wrong_zone = "empty"
    old = f"{sb.api_url}V1.0/Currencies/query"
    sb.move_zone()

    assert api.post(old, {"filter": [{"op": "gte", "field": "id", "value": 0}]}).json()["items"] == []


@pytest.mark.parametrize(("switch", "status"), [("403", 403), ("500", 500)])
def test_a_user_without_a_right_is_refused_as_the_switch_says(
    api: Api, sb: Sandbox, switch: str, status: int
) -> None:
    sb.switches.forbidden = switch  # type: ignore[assignment]
    sb.forbid("Currencies")

    answer = api.get("Currencies/1")

    assert answer.status_code == status
    assert "does not have the adequate permissions" in answer.json()["errors"][0]
    assert api.get("TaxRegions/1").status_code == 200
    sb.allow()
    assert api.get("Currencies/1").status_code == 200


def test_the_right_to_pdfs_is_a_right_of_its_own(api: Api, sb: Sandbox) -> None:
    company = sb.add_company()
    invoice = sb.add_invoice(companyID=company, lines=[{"rate": "10"}])
    sb.forbid("InvoicePdf")

    assert api.get(f"Invoices/{invoice}").status_code == 200
    assert api.get(f"Invoices/{invoice}/InvoicePdf").status_code == 403


def test_versions_are_told(api: Api, sb: Sandbox) -> None:
    assert api.get("Version").json()["customerType"] == "Sandbox"
    api.judged = False
    assert api.get(f"{sb.api_url}VersionInformation").json() == {"apiVersions": ["V1.0", "V2.0"]}
    assert api.get(f"{sb.api_url}V2.0/zoneInformation").status_code == 404
