"""What was I told, and of what do I want mails?"""

from typing import Any

from flask import Blueprint, abort, flash, g, render_template, request, url_for

from portal import clock
from portal.access.form_tokens import redraws_form
from portal.access.permissions import Permission, requires
from portal.extensions import db
from portal.formatters import plural
from portal.forms.notices import NoticesForm
from portal.models import Role
from portal.queries import notices
from portal.web import htmx

pages = Blueprint("notices", __name__, url_prefix="/p/<partner_slug>/notices")


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    chosen = notices.choice()
    wanted = [kind.value for kind in notices.KINDS if kind not in (chosen.no_mail if chosen else ())]
    return _page(NoticesForm(formdata=None, by_mail=wanted))


@pages.post("/seen")
@requires(Permission.VIEW)
def see() -> Any:
    if g.support_visit is not None:
        abort(403)  # what support saw is not what the person saw
    notices.keep(seen_at=clock.now())
    db.session.commit()
    return htmx.redirect(url_for("notices.index"))


@pages.post("/choices")
@requires(Permission.USERS)
@redraws_form
def choose() -> Any:
    form = NoticesForm()
    if not form.validate():
        return _page(form, 422)
    notices.keep(no_mail=[kind for kind in notices.KINDS if kind not in form.by_mail.data])
    db.session.commit()
    flash(
        f"You get mails about {plural(len(form.by_mail.data), 'thing')} of {len(notices.KINDS)}.", "success"
    )
    return htmx.redirect(url_for("notices.index"))


def _page(form: NoticesForm, status: int = 200) -> Any:
    page = render_template(
        "notices/index.html",
        listed=notices.page(request.args),
        new={one.id for one in notices.unseen()},
        form=form,
        words=notices.KINDS,
        gets_mails=g.role == Role.OWNER,
    )
    return page, status
