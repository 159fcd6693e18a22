"""The Swagger subset against the sandbox, by schemathesis; and the judge of the other tests, judged."""

import copy
import json
import re
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from sandbox import Sandbox
from sandbox.api.filters import OPERATORS
from tests.sandbox import swagger
from tests.sandbox.conftest import TODAY, Api, where

SAID = {"", "validation", "not-modelled", "not-found-page", "wrong-verb"}
REFUSED = (
    "Alerts",
    "Attachments",
    "Notes",
    "SiteConfigurations",
    "Teams",
    "ToDos",
    "BillingProductAssociations",
)


def _refused(path: str) -> bool:
    return any(f"/{name}" in path for name in REFUSED)


def _modelled() -> schemathesis.BaseSchema:
    """The file without what the sandbox refuses, and without the login headers, which the test sends itself.

    Fields beyond the models are not made up, and filters nest once: the rest of that is in test_query.
    """
    made = copy.deepcopy(swagger.SWAGGER)
    made["paths"] = {path: one for path, one in made["paths"].items() if not _refused(path)}
    for operations in made["paths"].values():
        for operation in operations.values():
            operation["parameters"] = [one for one in operation["parameters"] if one["in"] != "header"]
    for definition in made["definitions"].values():
        definition["additionalProperties"] = False
    leaf = copy.deepcopy(made["definitions"]["Filter"])
    del leaf["properties"]["items"]
    leaf["properties"]["op"] = {"type": "string", "enum": [*OPERATORS.values(), "like"]}
    leaf["properties"]["field"] = {"type": "string", "enum": ["id", "companyID", "isActive", "name", "nope"]}
    leaf["properties"]["value"] = {}
    made["definitions"]["LeafFilter"] = leaf
    made["definitions"]["Filter"]["properties"]["items"]["items"] = {"$ref": "#/definitions/LeafFilter"}
    return schemathesis.openapi.from_dict(made)


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


OPERATIONS = {one.label: one for one in (found.ok() for found in _modelled().get_all_operations())}


@pytest.fixture(scope="module")
def target() -> Any:
    """A small Autotask without limits, which the machine may change as it likes."""
    with Sandbox(
        seed=7, customers=3, invoices=6, today=TODAY, threshold=10**9, lock_after=0, threads=0
    ) as made:
        yield made


def judge(case: schemathesis.Case, target: Sandbox) -> None:
    """Sends a case; every answer must be a modelled one and fit the Swagger file."""
    answer = case.call(base_url=f"{target.url}/ATServicesRest", headers=target.headers, timeout=10)

    said = answer.headers.get("sandbox-says", [""])[0]
    assert said in SAID, (said, answer.text)
    assert answer.status_code in (200, 404, 405) or said in ("validation", "not-modelled"), answer.text
    path = answer.request.path_url.partition("?")[0].removeprefix("/ATServicesRest")
    if swagger.template_of(path) is not None:
        swagger.check(case.method, path, answer.status_code, answer.content)


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_call_of_the_swagger_file_makes_the_sandbox_stumble(label: str, target: Sandbox) -> None:
    @_settings(10 if "/Invoices" in label else 3)
    @given(OPERATIONS[label].as_strategy())
    def run(case: schemathesis.Case) -> None:
        judge(case, target)

    run()


@pytest.mark.parametrize("path", [path for path in swagger.SWAGGER["paths"] if _refused(path)])
def test_what_the_sandbox_does_not_model_it_refuses(api: Api, path: str) -> None:
    for method in swagger.SWAGGER["paths"][path]:
        answer = api.call(method.upper(), re.sub(r"\{\w+\}", "1", path).removeprefix("/V1.0/"), json={})

        assert answer.status_code == 501
        assert "The sandbox does not model" in answer.json()["errors"][0]


GOOD = {"id": 1, "invoiceTotal": 1.5, "dueDate": "2026-01-01T00:00:00Z", "isVoided": False, "paidDate": None}


@pytest.mark.parametrize(
    "spoilt",
    [
        {"colour": "red"},
        {"invoiceTotal": "1.5"},
        {"isVoided": 0},
        {"id": 2**63},
        {"companyID": 2**31},
        {"dueDate": "2026-01-01"},
        {"dueDate": "2026-01-01T00:00:00+01:00"},
    ],
)
def test_the_judge_finds_a_field_that_does_not_fit_the_model(spoilt: dict[str, Any]) -> None:
    def body(item: dict[str, Any]) -> bytes:
        return json.dumps({"item": item}).encode()

    swagger.check("GET", "/V1.0/Invoices/1", 200, body(GOOD))
    with pytest.raises(jsonschema.ValidationError):
        swagger.check("GET", "/V1.0/Invoices/1", 200, body({**GOOD, **spoilt}))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b"x"),
        (405, b'{"errors": ["x"]}'),
        (500, b'{"errors": []}'),
        (500, b'{"Message": "x"}'),
        (404, b"{}"),
    ],
)
def test_the_judge_finds_an_error_of_another_shape(status: int, body: bytes) -> None:
    with pytest.raises((jsonschema.ValidationError, AssertionError)):
        swagger.check("GET", "/V1.0/Invoices/1", status, body)


def test_the_judge_sits_behind_every_call_of_the_tests(api: Api, sb: Sandbox) -> None:
    sb.add_invoice(companyID=sb.add_company())
    sb.faults.add("F24", entity="Invoices")

    with pytest.raises(jsonschema.ValidationError):
        api.query("Invoices", where("id", "gt", 0))


def test_a_mistake_of_the_sandbox_is_told_as_its_own(
    raw: Api, sb: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sb.world.usage, "over", lambda: 1 / 0)

    answer = raw.get("Version")

    assert (answer.status_code, answer.headers["Sandbox-Says"]) == (500, "mistake")
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert sb.requests[-1].says == "mistake"
