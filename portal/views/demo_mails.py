"""bin/demo only: every mail as it would arrive, with links that work, for whoever sits at this machine."""

from typing import Any

from flask import Blueprint, Response, abort, current_app, render_template, request, url_for

from portal.access.permissions import public
from portal.queries import mails

pages = Blueprint("demo_mails", __name__, url_prefix="/mails")
# Links lead out of the frame, when a person presses them.
ALLOWS = "allow-top-navigation-by-user-activation"
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; "
    f"sandbox allow-same-origin {ALLOWS}"
)


@pages.before_request
def only_in_the_demo() -> None:
    if not current_app.config["DEMO_MAILS"]:
        abort(404)


@pages.get("")
@public
def index() -> Any:
    listed = mails.listed(request.args)
    return render_template(
        "demo_mails/index.html", listed=listed, words=mails, url_for_html=_html_url, allows=ALLOWS
    )


@pages.get("/<int:mail_id>/html")
@public
def html(mail_id: int) -> Any:
    page = mails.drawn(mails.one(mail_id).mail, with_link=True).html
    answer = Response(page.replace("<head>", '<head><base target="_top">', 1))
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


def _html_url(mail_id: int) -> str:
    return url_for("demo_mails.html", mail_id=mail_id)
