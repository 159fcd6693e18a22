"""The outbox of mails: what went out, what was refused and why, and what it says."""

from typing import Any

import structlog
from flask import Blueprint, Response, flash, g, make_response, render_template, request, url_for

from portal.access import staff_log
from portal.access.permissions import staff_only
from portal.extensions import db
from portal.formatters import plural
from portal.mail import send
from portal.models import Mail, MailState
from portal.queries import mails
from portal.queries.paging import kept
from portal.web import htmx

pages = Blueprint("staff_mails", __name__, url_prefix="/staff/mails")
log = structlog.get_logger(__name__)
# A mail brings its own look, runs nothing and fetches nothing; the page around it may measure how high it is.
MAIL_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox allow-same-origin"
NOT_AGAIN = (
    "This mail cannot be sent again: it was sent, its link is gone, or there is no mail server. Whoever waits for it "
    "can ask for a new one."
)


@pages.get("")
@staff_only
def index() -> Any:
    return render_template(
        "staff_mails/index.html",
        listed=mails.listed(request.args),
        chosen=kept(request.args, "state", "kind"),
        sentence=_sentence(mails.counts()),
        words=mails,
    )


@pages.get("/<int:mail_id>")
@staff_only
def show(mail_id: int) -> Any:
    found = mails.one(mail_id)
    return render_template("staff_mails/show.html", found=found, drawn=mails.drawn(found.mail))


@pages.get("/<int:mail_id>/html")
@staff_only
def html(mail_id: int) -> Any:
    return as_it_looks(mails.drawn(mails.one(mail_id).mail).html)


@pages.post("/<int:mail_id>/again")
@staff_only
def again(mail_id: int) -> Any:
    found = mails.one(mail_id)
    with send.scope_of(found.mail.tenant_id):
        sent = send.again(db.session.get_one(Mail, mail_id, with_for_update=True, populate_existing=True))
        if sent:
            staff_log.record(g.actor, "mail.sent_again", partner_id=found.mail.tenant_id, mail_id=mail_id)
        db.session.commit()
    if sent:
        log.info("mail.sent_again", mail_id=mail_id)
    flash("It goes out within seconds." if sent else NOT_AGAIN, "success" if sent else "warning")
    return htmx.redirect(url_for("staff_mails.show", mail_id=mail_id))


def as_it_looks(page: str) -> Response:
    """A mail's HTML for a frame of its own, which can do nothing."""
    answer = make_response(page)
    answer.headers["Content-Security-Policy"] = MAIL_POLICY
    return answer


def _sentence(counts: dict[str, int]) -> str:
    troubles = [
        (MailState.WAITING, "waiting"),
        (MailState.REFUSED, "refused"),
        (MailState.GIVEN_UP, "given up"),
        (MailState.KEPT, "kept, because there is no mail server"),
    ]
    said = [f"{counts[state]:,} {words}" for state, words in troubles if counts.get(state)]
    return f"{plural(sum(counts.values()), 'mail')}. {', '.join(said).capitalize() or 'None waits or was refused'}."
