"""Every form carries a token of the session that drew it; a request without it changes nothing (ASVS 3.5.1)."""

from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from flask import Flask, Response, current_app, g, has_app_context, request
from flask_wtf.csrf import CSRFError, generate_csrf
from sqlalchemy import event

from portal import crypto
from portal.extensions import csrf, db
from portal.web import htmx

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
View = TypeVar("View", bound=Callable[..., Any])
log = structlog.get_logger()


def register(app: Flask) -> None:
    """Gives templates `csrf_token`. After Flask-WTF, whose own token repeats itself from page to page."""
    app.jinja_env.globals["csrf_token"] = drawn


def drawn() -> str:
    """The session's token as the forms of this answer carry it: compressed pages must not repeat a secret."""
    if "form_token" not in g:
        g.form_token = crypto.masked(generate_csrf())
    return str(g.form_token)


def redraws_form(view: View) -> View:
    """Marks a view that answers an invalid form with the form and what was typed: a refused token does so too."""
    view.redraws_form = True  # type: ignore[attr-defined]
    return view


def check() -> None:
    """Raises CSRFError for a refused token, unless the view draws its form again."""
    try:
        csrf.protect(apply_exemptions=True)
    except CSRFError as refusal:
        log.info("form_token.refused", endpoint=request.endpoint, reason=refusal.description)
        if not _can_redraw():
            raise
        g.form_token_refused = True


def refused() -> bool:
    """Whether this request came without a valid token; every form then calls itself invalid."""
    return has_app_context() and bool(g.get("form_token_refused"))


def insist() -> None:
    """For a view whose form is not on its page any more, so that nothing can be drawn again. Raises CSRFError."""
    if refused():
        raise CSRFError("There is no form to draw again.")


def tell_status(answer: Response) -> Response:
    """A page drawn again because of its token is a 400; a fragment stays a 422, which htmx puts in its place."""
    if refused() and answer.status_code == 422 and not htmx.is_fragment():
        answer.status_code = 400
    return answer


def _can_redraw() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    signed_in = g.get("true_user") is not None
    return getattr(view, "redraws_form", False) and (signed_in or getattr(view, "access", "") == "public")


@event.listens_for(db.session, "before_commit")
def _write_nothing(_: Any) -> None:
    """A view that draws its form again may forget to ask whether it is valid."""
    if refused():
        raise CSRFError("Nothing is written without a form token.")
