"""The JSON API for checkouts and processors: customers and invoices to read, payments and what becomes of them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, g, jsonify, render_template, request, url_for

from portal import queue
from portal.access.api_keys import Scope, opens
from portal.access.permissions import public
from portal.access.tenancy import find_or_404
from portal.extensions import csrf, db
from portal.forms import api_payment, api_payment_event
from portal.forms.api_body import BadBody, Fields
from portal.models import Payment
from portal.payments import by_api, recording
from portal.payments.by_api import Caller, RecordedByAnother
from portal.payments.idempotency import KeyReused
from portal.payments.recording import AlreadyDeleted, OldDay, PaymentRefused
from portal.queries import api
from portal.web import api_requests, problems
from portal.web.api_description import DESCRIPTION
from portal.web.api_operations import SHARED, operations
from portal.web.api_query import BadQuery
from portal.web.api_requests import sent_json

pages = Blueprint("api", __name__, url_prefix="/api/v1")
csrf.exempt(pages)  # keys travel in a header that no other site can make a browser send
api_requests.answer_in_words(pages)


@pages.get("/customers")
@opens(Scope.READ)
def customers() -> Any:
    return jsonify(api.customers(request.args))


@pages.get("/customers/<int:customer_id>")
@opens(Scope.READ)
def customer(customer_id: int) -> Any:
    return jsonify(api.customer(customer_id))


@pages.get("/invoices")
@opens(Scope.READ)
def invoices() -> Any:
    return jsonify(api.invoices(request.args))


@pages.get("/invoices/<int:invoice_id>")
@opens(Scope.READ)
def invoice(invoice_id: int) -> Any:
    return jsonify(api.invoice(invoice_id))


@pages.get("/invoices/<int:invoice_id>/lines")
@opens(Scope.READ)
def lines(invoice_id: int) -> Any:
    return jsonify(api.lines(invoice_id, request.args))


@pages.get("/payments")
@opens(Scope.READ)
def payments() -> Any:
    return jsonify(api.payments(request.args))


@pages.get("/payments/<int:payment_id>")
@opens(Scope.READ)
def payment(payment_id: int) -> Any:
    return jsonify(api.payment(find_or_404(Payment, payment_id)))


@pages.post("/payments")
@opens(Scope.WRITE_PAYMENTS)
def record_payment() -> Any:
    key = _key()
    raw = sent_json()
    new = api.new_payment(api_payment.read(raw))
    _note_places(new.allocations)
    return _made(*by_api.record(g.actor, new, raw, key, api.payment, _caller()))


@pages.post("/payments/<int:payment_id>/events")
@opens(Scope.WRITE_PAYMENTS)
def tell_of_payment(payment_id: int) -> Any:
    key = _key()
    raw = sent_json()
    new = api.new_event(api_payment_event.read(raw))
    _note_places(new.parts)
    return _made(*by_api.happen(g.actor, payment_id, new, raw, key, api.payment, _caller()))


@pages.delete("/payments/<int:payment_id>")
@opens(Scope.WRITE_PAYMENTS)
def delete_payment(payment_id: int) -> Any:
    row = find_or_404(Payment, payment_id)
    if row.deleted_at is not None:
        raise AlreadyDeleted("This payment was already deleted.")
    sent = Fields(sent_json() if request.content_length else {}, ("reason",))
    reason = sent.text("reason")
    if sent.faults:
        raise BadBody(sent.faults)
    recording.delete(g.actor, payment_id, reason)
    db.session.commit()
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
    return jsonify(api.payment(row))


@pages.get("/openapi.json")
@public
def description() -> Any:
    return jsonify(DESCRIPTION)


@pages.get("/docs")
@public
def docs() -> Any:
    return render_template(
        "api/docs.html", description=DESCRIPTION, operations=list(operations()), shared=SHARED
    )


@pages.errorhandler(AlreadyDeleted)
def _gone(error: AlreadyDeleted) -> Response:
    db.session.rollback()
    return problems.refused(409, str(error))


@pages.errorhandler(PaymentRefused)
def _refused(error: PaymentRefused) -> Response:
    db.session.rollback()
    hint = " Send confirm_old_date: true if that is right." if isinstance(error, OldDay) else ""
    detail = f"{error}{hint}"
    errors = [{"pointer": _pointer(error), "detail": detail}] if error.field else []
    return problems.refused(422, detail, errors=errors)


def _note_places(allocations: Sequence[tuple[int, Decimal]]) -> None:
    """For a refusal that names an invoice: where in the body that stands."""
    g.places = {invoice_id: place for place, (invoice_id, _) in enumerate(allocations)}


def _pointer(error: PaymentRefused) -> str:
    """To the allocation of the invoice at fault, where it is one of several that were sent."""
    place = g.get("places", {}).get(error.invoice_id)
    if place is None:
        return f"/{error.field}"
    return f"/allocations/{place}{'/amount' if error.field == 'amount' else ''}"


@pages.errorhandler(KeyReused)
def _key_reused(error: KeyReused) -> Response:
    db.session.rollback()
    return problems.refused(422, str(error), title="Idempotency-Key used before")


@pages.errorhandler(RecordedByAnother)
def _recorded_by_another(error: RecordedByAnother) -> Response:
    db.session.rollback()
    return problems.refused(
        403, str(error), title="Recorded before, with another key", payment_id=error.payment_id
    )


def _key() -> str:
    """Raises BadQuery."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if not 0 < len(key) <= by_api.LONGEST_KEY or not key.isprintable():
        raise BadQuery(f"Send an Idempotency-Key of at most {by_api.LONGEST_KEY} characters.")
    return key


def _made(answer: dict[str, Any], replayed: bool) -> Response:
    db.session.commit()
    queue.bell(queue.DELIVERIES, "jobs.deliver.deliver_due", g.partner.id)
    response = jsonify(answer)
    response.status_code = 201
    response.headers["Location"] = url_for("api.payment", payment_id=answer["id"])
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _caller() -> Caller:
    return Caller(g.api_key_id, Scope.READ in g.api_scopes)
