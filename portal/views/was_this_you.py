"""The link in a mail about one's login: “this was not me” logs out everywhere. Opening the page changes nothing."""

from typing import Any

from flask import Blueprint, render_template
from sqlalchemy import select

from portal import clock
from portal.access import factor_resets, security_events, sessions
from portal.access.actor import Actor, Source
from portal.access.permissions import public
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.models import ResetOutcome, SecurityEvent, User
from portal.people import links
from portal.web import device_words

pages = Blueprint("was_this_you", __name__, url_prefix="/links/was-this-you")


@pages.get("/<token>")
@public
def show(token: str) -> Any:
    return _page("was_this_you/show.html", _event(token), token)


@pages.post("/<token>")
@public
def update(token: str) -> Any:
    with people_scope():
        event = _event(token, lock=True)
        if event is None:
            return _page("was_this_you/show.html", None, token)
        found = factor_resets.end_open(event.user_id, ResetOutcome.WITHDRAWN)
        event.answered_at = clock.now()
        user = db.session.get_one(User, event.user_id)
        sessions.end_all(user.id)
        links.end_all(user.id)
    if found:
        security_events.note_kept(user, "answer “This was not me”")
    actor = Actor(Source.WEB, user.id, user.id)
    security_events.record(user, security_events.SIGNED_OUT, actor, because="This was not me")
    db.session.commit()
    return _page("was_this_you/done.html", event, token)


def _event(token: str, *, lock: bool = False) -> SecurityEvent | None:
    """The event of an unused link."""
    unused = (
        SecurityEvent.token_hash == security_events.token_hash(token),
        SecurityEvent.answered_at.is_(None),
    )
    query = select(SecurityEvent).where(*unused)
    with people_scope():
        return db.session.scalar(query.with_for_update() if lock else query)


def _page(template: str, event: SecurityEvent | None, token: str) -> Any:
    sentences, status = security_events.SENTENCES, 200 if event else 404
    return render_template(
        template, event=event, token=token, sentences=sentences, more=security_events.more, words=device_words
    ), status
