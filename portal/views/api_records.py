"""The JSON API for a partner's own billing system: customers and invoices to put, one by one or in batches."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, g, jsonify
from werkzeug.exceptions import NotFound

from portal import queue
from portal.access.api_keys import Scope, opens
from portal.extensions import csrf, db
from portal.forms import api_records
from portal.forms.api_body import BadBody, Fault, Fields
from portal.imports import outcome, runs
from portal.imports.outcome import Outcome, Refusal
from portal.models import ImportKind
from portal.queries import api
from portal.web import api_requests
from portal.web.api_requests import sent_json

pages = Blueprint("api_records", __name__, url_prefix="/api/v1")
csrf.exempt(pages)  # keys travel in a header that no other site can make a browser send
api_requests.answer_in_words(pages)

READERS: dict[ImportKind, Callable[[str, Any], Any]] = {
    ImportKind.CUSTOMERS: api_records.customer,
    ImportKind.INVOICES: api_records.invoice,
}


@pages.put("/customers/<external_id>")
@opens(Scope.WRITE_INVOICES)
def put_customer(external_id: str) -> Any:
    return _put(ImportKind.CUSTOMERS, external_id, api.customer)


@pages.put("/invoices/<external_id>")
@opens(Scope.WRITE_INVOICES)
def put_invoice(external_id: str) -> Any:
    return _put(ImportKind.INVOICES, external_id, api.invoice)


@pages.put("/customers")
@opens(Scope.WRITE_INVOICES)
def put_customers() -> Any:
    return _put_batch(ImportKind.CUSTOMERS)


@pages.put("/invoices")
@opens(Scope.WRITE_INVOICES)
def put_invoices() -> Any:
    return _put_batch(ImportKind.INVOICES)


def _put(kind: ImportKind, external_id: str, tell: Callable[[int], dict[str, Any]]) -> Response:
    if api_records.external_id(external_id) is None:
        raise NotFound
    done = runs.put(g.actor, kind, READERS[kind](external_id, sent_json()))
    if done.is_refused:
        raise BadBody([_fault(one, "") for one in done.refusals])
    assert done.row_id is not None
    answer = jsonify(tell(done.row_id))
    db.session.commit()
    _ring(kind, [done])
    answer.status_code = 201 if done.is_created else 200
    return answer


def _put_batch(kind: ImportKind) -> Response:
    fields = Fields(sent_json(), ("data",))
    records = fields.several("data", runs.MOST_IN_A_BATCH, kind.value)
    if fields.faults:
        raise BadBody(fields.faults)
    given, unread = [], []
    for record in records:
        one = _read(kind, record)
        unread.append(one if isinstance(one, Outcome) else None)
        given += [] if isinstance(one, Outcome) else [one]
    run, outcomes = runs.put_batch(g.actor, kind, given, unread, g.api_key_id)
    body = {"import_id": run.id, "data": [_told(one, f"/data/{place}") for place, one in enumerate(outcomes)]}
    db.session.commit()
    _ring(kind, outcomes)
    return jsonify(body)


def _read(kind: ImportKind, record: Any) -> Any:
    """What one record of a batch gives, or why it cannot be read."""
    sent = dict(record) if isinstance(record, dict) else {}
    name = api_records.external_id(sent.pop("external_id", None))
    if name is None:
        sentence = f"Send a text of 1 to {api_records.LONGEST_NAME} characters without blanks around it."
        return outcome.refused("", [Refusal("external_id", sentence)])
    try:
        return READERS[kind](name, sent)
    except BadBody as error:
        return outcome.refused(
            name, [Refusal(one.pointer.removeprefix("/"), one.detail) for one in error.faults]
        )


def _told(done: Outcome, pointer: str) -> dict[str, Any]:
    return {
        "external_id": done.external_id,
        "result": done.result,
        "id": done.row_id,
        "errors": [vars(_fault(one, pointer)) for one in done.refusals],
    }


def _fault(refusal: Refusal, pointer: str) -> Fault:
    return Fault(f"{pointer}/{refusal.field}" if refusal.field else pointer, refusal.sentence)


def _ring(kind: ImportKind, outcomes: Sequence[Outcome]) -> None:
    """A matched invoice that changed may owe Autotask something."""
    if kind == ImportKind.INVOICES and any(one.changes for one in outcomes):
        queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
