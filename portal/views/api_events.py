"""The JSON API's events, for those who would rather ask than listen."""

from typing import Any

from flask import Blueprint, jsonify, request

from portal.access.api_keys import Scope, opens
from portal.extensions import csrf
from portal.queries import api_events
from portal.web import api_requests, outages

pages = Blueprint("api_events", __name__, url_prefix="/api/v1")
csrf.exempt(pages)  # keys travel in a header that no other site can make a browser send
api_requests.answer_in_words(pages)


@pages.get("/events")
@opens(Scope.READ_EVENTS)
def events() -> Any:
    asked = api_events.asked(request.args)
    more = bool(outages.unless_read_only(api_events.number_new))
    return jsonify(api_events.page(asked, more))
