"""The JSON API's statements: what a customer owes or what happened in a period, as rows and as a PDF."""

from typing import Any

from flask import Blueprint, g, jsonify, request

from portal import clock
from portal.access.api_keys import Scope, opens
from portal.access.tenancy import find_or_404
from portal.extensions import csrf
from portal.models import Customer
from portal.paper import making
from portal.queries import statement_json, statement_period
from portal.queries.statement import Statement
from portal.web import api_requests, downloads, problems
from portal.web.api_query import BadQuery

pages = Blueprint("api_statements", __name__, url_prefix="/api/v1")
csrf.exempt(pages)  # keys travel in a header that no other site can make a browser send
api_requests.answer_in_words(pages)


@pages.get("/customers/<int:customer_id>/statement")
@opens(Scope.READ)
def statement(customer_id: int) -> Any:
    customer, asked = _asked(customer_id)
    return jsonify(statement_json.told(customer, asked, request.args))


@pages.get("/customers/<int:customer_id>/statement.pdf")
@opens(Scope.READ)
def statement_pdf(customer_id: int) -> Any:
    customer, asked = _asked(customer_id)
    try:
        data = making.statement_pdf(g.partner, customer, asked)
    except making.CannotMake as refusal:
        return problems.refused(422, str(refusal))
    return downloads.pdf(making.file_name(customer, asked), data)


def _asked(customer_id: int) -> tuple[Customer, Statement]:
    """Raises NotFound, and BadQuery for days that cannot be read."""
    customer = find_or_404(Customer, customer_id)
    today = clock.today(g.partner.time_zone)
    asked = statement_period.asked(request.args, today)
    if asked.fault:
        raise BadQuery(asked.fault)
    return customer, Statement(customer_id, asked.span, today, g.partner.time_zone)
