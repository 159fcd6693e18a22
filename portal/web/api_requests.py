"""What every address of the API shares: its JSON body, the answers to what cannot be read, and how much a key may ask."""

from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import TooManyRequests, UnsupportedMediaType

from portal.extensions import db
from portal.forms.api_body import BadBody
from portal.web import limits, problems
from portal.web.api_query import BadQuery


def sent_json() -> Any:
    """The request's body. Raises UnsupportedMediaType for another kind, BadRequest for what is no JSON."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")
    return request.get_json()


def answer_in_words(pages: Blueprint) -> None:
    """Bodies, parameters and rates that are refused are told as problems."""
    pages.register_error_handler(BadBody, _bad_body)
    pages.register_error_handler(BadQuery, _bad_query)
    pages.register_error_handler(429, _too_many)
    pages.after_request(_say_what_is_left)


def _say_what_is_left(answer: Response) -> Response:
    """How many requests the key has left (IETF draft-ietf-httpapi-ratelimit-headers)."""
    if room := g.get("api_room"):
        answer.headers["RateLimit-Policy"] = f'"key";q={limits.API_KEY.tries};w={limits.API_KEY.seconds}'
        seconds = answer.headers.get("Retry-After", room.seconds)
        answer.headers["RateLimit"] = f'"key";r={room.tries};t={seconds}'
    return answer


def _bad_body(error: Exception) -> Response:
    assert isinstance(error, BadBody)
    db.session.rollback()
    faults = [{"pointer": fault.pointer, "detail": fault.detail} for fault in error.faults]
    return problems.refused(422, str(error), errors=faults)


def _bad_query(error: Exception) -> Response:
    return problems.refused(400, str(error))


def _too_many(wait: Exception) -> Response:
    assert isinstance(wait, TooManyRequests)
    answer = problems.refused(429, wait.description or "")
    answer.headers["Retry-After"] = str(wait.retry_after)
    return answer
