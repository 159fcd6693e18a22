"""Settings, People: a person has lost all second factors, and an owner makes sure that it is them."""

from typing import Any

from flask import Blueprint, abort, g, render_template, request, url_for

from portal.access import form_tokens
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import Permission, requires
from portal.access.tenancy import find_or_404
from portal.forms.lost_factors import MADE_SURE, STOPPED, AgreementForm
from portal.models import Membership
from portal.people import lost_factors
from portal.queries import lost_factors as waiting
from portal.web import htmx, refusable

pages = Blueprint(
    "member_factors", __name__, url_prefix="/p/<partner_slug>/settings/people/<int:member_id>/factors"
)


@pages.get("")
@requires(Permission.USERS)
@fresh
def show(member_id: int) -> Any:
    return _page(member_id, AgreementForm(formdata=None))


@pages.post("/agree")
@requires(Permission.USERS)
@fresh
@redraws_form
def agree(member_id: int) -> Any:
    form = AgreementForm()
    if not form.validate():
        return _page(member_id, form, 422)

    def step() -> None:
        lost_factors.agree_as_owner(g.actor, member_id, _meant(), form.how.data)

    refusable.told(step, lost_factors.CannotAgree, MADE_SURE)
    return htmx.redirect(url_for("member_factors.show", member_id=member_id))


@pages.post("/stop")
@requires(Permission.USERS)
@fresh
def stop(member_id: int) -> Any:
    def step() -> None:
        lost_factors.stop_as_owner(g.actor, member_id, _meant())

    refusable.told(step, lost_factors.CannotAgree, STOPPED)
    return htmx.redirect(url_for("people.index"))


def _meant() -> int:
    """The request that the page showed: a newer one is looked at before anybody agrees to it."""
    written = request.form.get("reset", "")
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 19 else abort(404)


def _page(member_id: int, form: AgreementForm, status: int = 200) -> Any:
    member = find_or_404(Membership, member_id)
    one = waiting.of_member(member)
    if one is None or not one.asks_me:
        form_tokens.insist()
    return render_template("member_factors/show.html", member=member, one=one, form=form), status
