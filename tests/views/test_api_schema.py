"""All of the API by its own description, as schemathesis reads it: what fits it, what does not, and every answer.

No request makes a server error, every answer is one that the description knows, in status, kind and form, and what does
not fit it is refused. What fits and is refused all the same, such as a currency that there is not, is no fault.
"""

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from portal.access import api_keys
from portal.access.api_keys import Scope
from portal.extensions import db
from portal.web import limits
from portal.web.api_description import DESCRIPTION
from tests import factories
from tests.how_many import how_many

LABELS = [
    f"{method.upper()} {path}"
    for path, item in DESCRIPTION["paths"].items()
    for method in item
    if method != "parameters"
]

BY_ROW = ("PUT /customers", "PUT /invoices")  # answered with 200, each row with its own refusal


@pytest.fixture
def real(app: Flask, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Ids of a partner's records, and its `key`, which may do all that a key can, without a limit."""
    monkeypatch.setattr("portal.queue.bell", lambda *_: True)
    monkeypatch.setattr(limits, "take", lambda limit, *_, **__: limits.Room(limit.tries, limit.seconds))
    with app.app_context(), factories.inside(factories.tenant("northwind")):
        customer = factories.customer(factories.integration(app))
        invoice = factories.invoice(customer, "100.00", number="INV-1", autotask_id=777)
        payment = factories.payment((invoice, "10.00"))
        ids = {"customer_id": customer.id, "invoice_id": invoice.id, "payment_id": payment.id}
        _, key = api_keys.create(factories.ACTOR, "Checkout", list(Scope))
        db.session.commit()
    return {name: str(id) for name, id in ids.items()} | {"key": key}


@pytest.mark.parametrize("label", LABELS)
def test_no_request_makes_the_api_stumble_or_say_what_its_description_does_not_know(
    app: Flask, real: dict[str, str], label: str
) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    [operation] = [found.ok() for found in schema.get_all_operations() if found.ok().label == label]
    without = [checks.positive_data_acceptance]
    if label in BY_ROW:
        without.append(checks.negative_data_rejection)
    cases = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @settings(
        max_examples=how_many("API_CALLS"),
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(cases), st.booleans())
    def run(case: schemathesis.Case, of_real_ones: bool) -> None:
        if of_real_ones and case.meta.generation.mode is GenerationMode.POSITIVE:
            name_real_ones(case, real)
        headers = {"Authorization": f"Bearer {real['key']}", "Accept-Encoding": "identity"}
        case.call_and_validate(headers=headers, excluded_checks=without)

    run()


def name_real_ones(case: schemathesis.Case, real: dict[str, str]) -> None:
    """Else nearly every made-up id is of no record."""
    for name in case.path_parameters if case.method != "PUT" else ():
        case.path_parameters[name] = real[name]
    parts = case.body.get("allocations") if isinstance(case.body, dict) else None
    for one in parts if isinstance(parts, list) else []:
        if isinstance(one, dict) and isinstance(one.get("invoice_id"), int):
            one["invoice_id"] = int(real["invoice_id"])


def test_every_answer_to_what_is_done_as_it_should_be_fits_the_description(
    app: Flask, real: dict[str, str]
) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    payment, customer = f"/payments/{real['payment_id']}", f"/customers/{real['customer_id']}"
    given: dict[str, Any] = {"name": "Fabrikam", "currency": "USD"}
    bill = {"customer": "C-17", "number": "N-1", "currency": "USD", "issued_on": "2026-11-01"}
    lines = {"lines": [{"name": "Backup", "amount": "10.00", "tax": "1.90"}]}
    paid = {
        "allocations": [{"invoice_id": int(real["invoice_id"]), "amount": "5.00"}],
        "paid_on": "2026-11-19",
    }
    refund = {"kind": "refunded", "on": "2026-11-20", "amount": "1.00"}
    calls: list[tuple[str, str, Any, int]] = [
        ("PUT", "/customers/C-17", given, 201), ("PUT", "/customers/C-17", given, 200),
        ("PUT", "/customers", {"data": [{"external_id": "C-18", **given}, {"external_id": "C-19"}]}, 200),
        ("PUT", "/invoices/I-1", {**bill, **lines}, 201),
        ("PUT", "/invoices", {"data": [{"external_id": "I-2", **bill, "number": "N-2", "total": "5.00"}]}, 200),
        ("POST", "/payments", {**paid, "confirm_old_date": True}, 201), ("POST", f"{payment}/events", refund, 201),
        *[("GET", path, None, 200) for path in (
            "/customers", customer, f"{customer}/statement", f"{customer}/statement?from=2026-01-01",
            f"{customer}/statement.pdf", "/invoices", f"/invoices/{real['invoice_id']}",
            f"/invoices/{real['invoice_id']}/lines", "/payments", payment, "/events")],
        ("DELETE", payment, {"reason": "Typed twice"}, 200), ("DELETE", payment, {"reason": "Again"}, 409),
    ]  # fmt: skip
    headers = {"Authorization": f"Bearer {real['key']}", "Idempotency-Key": "k"}
    seen = set()
    for method, path, body, status in calls:
        answer = app.test_client().open(f"/api/v1{path}", method=method, json=body, headers=headers)
        assert answer.status_code == status, (method, path, answer.text)
        operation = schema.find_operation_by_path(method, path.partition("?")[0])
        assert operation is not None
        operation.validate_response(answer)
        seen.add(operation.label)
    assert seen == set(LABELS)
