"""Every refusal and fault in words (what happened, a reference, where to go): page, fragment or JSON."""

from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog
from flask import Flask, Response, current_app, g, make_response, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from portal.access import visiting
from portal.access.disabled import PartnerDisabled
from portal.web import htmx, outermost, problems
from portal.web.own_path import own_path

log = structlog.get_logger(__name__)


class Words(NamedTuple):
    title: str
    what: str
    next: str
    reopen: bool = False  # the way back asks the server for the page, instead of the browser's memory
    logs_in: bool = False  # the way back leads over logging in
    step_in: str = ""  # the partner whom support can step in to, by its slug


WORDS: dict[int, Words] = {
    400: Words(
        "This request could not be read",
        "Something in the address or the form was not as expected.",
        "Go back and try once more.",
    ),
    401: Words(
        "Log in to go on",
        "This page is for people who are logged in.",
        "Log in, then open it again.",
    ),
    403: Words(
        "You may not do this",
        "Your role does not include this page or action.",
        "Ask an owner of your company, or as support an administrator of staff, for the right to do it.",
    ),
    404: Words(
        "There is no such page",
        "The address is wrong, the item was removed, or it is not yours to see.",
        "Check the address, or start from the home page.",
    ),
    405: Words(
        "That does not work here",
        "This address exists, but not for what was just tried.",
        "Go back and use the buttons on the page.",
    ),
    409: Words(
        "Someone was faster",
        "What you were looking at has changed in the meantime.",
        "Open the page again to see how it stands now.",
    ),
    413: Words(
        "That is too large",
        "The form or file is larger than this page accepts. Nothing was saved.",
        "Send less at once.",
    ),
    422: Words(
        "Something in the form needs a second look",
        "One of the values could not be accepted.",
        "Go back and check what you typed.",
    ),
    429: Words(
        "Too many tries",
        "There were too many requests from here in a short time.",
        "Nothing was saved. Wait, then try once more.",
    ),
    500: Words(
        "This page failed",
        "The fault is ours. It was recorded with the reference below.",
        "Try again. If it fails again, give the reference to support.",
    ),
    503: Words(
        "Not available at the moment",
        "A part of this service does not answer right now. Nothing was lost.",
        "Try again in a minute.",
    ),
}
STEP_IN = "Step in again, with the reason for it."
INSIDE_A_VISIT = Words(
    "A support visit does not include this",
    "Support looks at a partner's pages; it does not open this one, and it changes nothing.",
    "Ask somebody of the partner to do it. What they may do depends on their role.",
)
INSIDE_AN_ACTING_VISIT = Words(
    "A support visit does not include this",
    "Support never does this, whatever a partner agrees to, or the person in whose name you act may not do it.",
    "Ask somebody of the partner to do it. What they may do depends on their role.",
)
FORM_EXPIRED = Words(
    "This form was open too long",
    "Somebody logged in or out in this browser since the page was opened. Nothing was saved.",
    "Open the page again and send it once more.",
    reopen=True,
)


LOGGED_OUT = Words(
    "You are not logged in any more",
    "You were logged out since this page was opened, here or in another tab. Nothing was saved.",
    "Log in, then send it once more.",
    logs_in=True,
)


def register(app: Flask) -> None:
    """Answer every HTTP error and every unforeseen fault in words; each writes one log line."""
    app.log_exception = log_fault  # type: ignore[method-assign]
    app.register_error_handler(CSRFError, form_expired)
    app.register_error_handler(HTTPException, http_error)


def form_expired(error: CSRFError) -> Response:
    """A form whose token is missing, wrong or old: 400."""
    access = getattr(current_app.view_functions.get(request.endpoint or ""), "access", "public")
    gone = g.get("true_user") is None and access not in ("public", "api")
    return answer(400, LOGGED_OUT if gone else FORM_EXPIRED)


def log_fault(exc_info: Any) -> None:
    """Flask asks for this with an unforeseen fault, before its page is drawn."""
    request.environ[outermost.FAULT_WRITTEN] = True
    log.error("request.failed", method=request.method, endpoint=request.endpoint, exc_info=exc_info)


def http_error(error: HTTPException) -> Response:
    """Any refusal or fault; a description given to `abort` replaces the standing sentence."""
    if error.response is not None or (error.code or 500) < 400:
        return make_response(error.get_response())
    if _asks_for_what_is_only_put(error):
        error = NotFound()
    status = error.code or 500
    words = _in_own_words(error) or WORDS.get(status) or WORDS[500 if status >= 500 else 400]
    own = error.description if error.description and error.description != type(error).description else None
    words = words._replace(what=own) if own else words
    _log_answer(status, words, error)
    response = answer(status, words)
    for name, value in error.get_headers():
        if name.lower() in ("retry-after", "allow", "www-authenticate"):
            response.headers[name] = value
    return response


def _asks_for_what_is_only_put(error: HTTPException) -> bool:
    """A record is put by its outside system's name and read by its number: what is no number names none."""
    return (
        isinstance(error, MethodNotAllowed)
        and request.method == "GET"
        and "PUT" in (error.valid_methods or ())
    )


def _in_own_words(error: HTTPException) -> Words | None:
    """A partner that is disabled; and to somebody of support, a visit that ended or does not go so far."""
    if isinstance(error, PartnerDisabled):
        return _disabled(error)
    if isinstance(error, visiting.NotInside):
        return _not_inside(error)
    inside = g.get("support_visit") is not None and g.get("partner") is not None
    if error.code != 403 or not inside:
        return None
    return INSIDE_AN_ACTING_VISIT if len(g.permissions) > 1 else INSIDE_A_VISIT


def _disabled(error: PartnerDisabled) -> Words:
    reason = (error.reason or "").rstrip(" .")
    what = (
        f"Nobody can open its pages, and nothing is read from Autotask or sent there. The reason: {reason}. "
        "Nothing is lost: what Autotask was not told yet is told once it is enabled again."
    )
    return Words(f"{error.tenant_name} is disabled", what, "Ask whoever runs the portal for you.")


def _not_inside(error: visiting.NotInside) -> Words:
    visit, name = error.visit, error.tenant_name
    if visit is None:
        return Words(
            f"You are not inside {name}",
            "Support sees a partner's pages only during a visit.",
            STEP_IN,
            step_in=error.slug,
        )
    at = (visit.ended_at or visit.expires_at).astimezone(ZoneInfo(error.zone))
    by_them = visit.ended_at is not None and visit.ended_by_id != visit.staff_user_id
    how = "the partner ended it" if by_them else "you stopped it" if visit.ended_at else "its time ran out"
    what = f"{how[0].upper()}{how[1:]} at {at:%H:%M} {at:%Z}. Nothing more can be looked at."
    return Words(f"Your visit to {name} has ended", what, STEP_IN, step_in=error.slug)


def _log_answer(status: int, words: Words, error: HTTPException) -> None:
    if status < 500:
        log.info("request.refused", status=status, method=request.method, reason=words.what)
    elif getattr(error, "original_exception", None) is None:  # else it is written already
        log_fault(error)


def answer(status: int, words: Words) -> Response:
    """A page, a message for the page or a problem document, whichever was asked for."""
    if request.path.startswith("/api/"):
        standing = status in WORDS and words.what == WORDS[status].what
        what = problems.SENTENCES.get(status, words.what) if standing else words.what
        return problems.document(status, problems.TITLES.get(status, words.title), what)
    context: dict[str, Any] = {"status": status, "words": words, "reference": problems.reference()}
    if htmx.is_fragment():
        return htmx.into_messages(make_response(_bare("errors/_message.html", context), status))
    return htmx.vary(make_response(_page(context), status))


def _page(context: dict[str, Any]) -> str:
    """The page in its frame; where the frame may be what fails, a page that needs nothing."""
    if context["status"] < 500:
        try:
            return render_template("errors/page.html", log_in=_way_to_log_in(), **context)
        except Exception:
            log.exception("error_page.failed")
    return _bare("errors/bare.html", context)


def _way_to_log_in() -> str:
    """Where somebody who is not logged in does so, and comes back to the page they were at; else nothing."""
    if g.get("true_user") is not None:
        return ""
    here = request.full_path.rstrip("?") if request.method == "GET" else ""
    sent_from = urlsplit(request.referrer or "")
    if sent_from.netloc == request.host:
        here = here or sent_from.path
    return url_for("sessions.new", next=own_path(here))


def _bare(template: str, context: dict[str, Any]) -> str:
    """Drawn without what the frame asks the database for."""
    return current_app.jinja_env.get_template(template).render(request=request, **context)
