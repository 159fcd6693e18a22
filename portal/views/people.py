"""Settings, People: who belongs here and as what, invited, given another role, removed."""

from typing import Any

from flask import Blueprint, flash, g, render_template, request, url_for

from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import ROLE_WORDS, Permission, may, requires
from portal.access.tenancy import find_or_404
from portal.access.who_needs_a_factor import asked_of
from portal.extensions import db
from portal.forms.people import InvitationForm, RoleForm
from portal.mail import on_its_way
from portal.models import Membership
from portal.people import invitations, links, team
from portal.queries import lost_factors, people
from portal.web import htmx, limits

pages = Blueprint("people", __name__, url_prefix="/p/<partner_slug>/settings/people")
TOO_MANY = "Too many invitations were sent from here."


@pages.get("")
@requires(Permission.VIEW)
def index() -> Any:
    return _page(InvitationForm(formdata=None))


@pages.post("/invitations")
@requires(Permission.USERS)
@redraws_form
@fresh
def invite() -> Any:
    form = InvitationForm()
    if not form.validate():
        return _page(form, 422)
    limits.take(limits.INVITATIONS, g.partner.id, what=TOO_MANY)
    try:
        row, _ = invitations.invite(g.actor, form.email.data, form.role.data)
    except invitations.CannotInvite as refusal:
        db.session.rollback()
        form.email.errors = [str(refusal)]
        return _page(form, 422)
    db.session.commit()
    flash(*on_its_way.told(f"An invitation is on its way to {row.email}. Its link works once, for 24 hours."))
    return htmx.redirect(url_for("people.index"))


@pages.post("/invitations/<int:invitation_id>/send-again")
@requires(Permission.USERS)
@fresh
def send_again(invitation_id: int) -> Any:
    limits.take(limits.INVITATIONS, g.partner.id, what=TOO_MANY)
    try:
        row, _ = invitations.send_again(g.actor, invitation_id)
    except invitations.CannotInvite as refusal:
        db.session.rollback()
        flash(str(refusal), "warning")
        return htmx.redirect(url_for("people.index"))
    db.session.commit()
    flash(
        *on_its_way.told(f"Another link is on its way to {row.email}. The one before opens nothing any more.")
    )
    return htmx.redirect(url_for("people.index"))


@pages.post("/invitations/<int:invitation_id>/revoke")
@requires(Permission.USERS)
def revoke(invitation_id: int) -> Any:
    row = invitations.revoke(g.actor, invitation_id)
    db.session.commit()
    said = "was accepted before it could be revoked" if row.used_at else "is revoked; its link opens nothing"
    flash(f"The invitation of {row.email} {said}.", "warning" if row.used_at else "success")
    return htmx.redirect(url_for("people.index"))


@pages.get("/<int:member_id>/role")
@requires(Permission.USERS)
@fresh
def edit_role(member_id: int) -> Any:
    member = find_or_404(Membership, member_id)
    return _role(member, RoleForm(formdata=None, role=member.role))


@pages.post("/<int:member_id>/role")
@requires(Permission.USERS)
@fresh
def set_role(member_id: int) -> Any:
    member, form = find_or_404(Membership, member_id), RoleForm()
    if not form.validate():
        return _role(member, form, 422)
    try:
        member = team.set_role(g.actor, member_id, form.role.data)
    except team.CannotChange as refusal:
        db.session.rollback()
        form.role.errors = [str(refusal)]
        return _role(find_or_404(Membership, member_id), form, 422)
    db.session.commit()
    flash(f"{member.user.label} is {member.role} now, and has to log in again.", "success")
    return htmx.redirect(url_for("people.index"))


@pages.get("/<int:member_id>/remove")
@requires(Permission.USERS)
@fresh
def confirm_removing(member_id: int) -> Any:
    return _removing(find_or_404(Membership, member_id))


@pages.post("/<int:member_id>/remove")
@requires(Permission.USERS)
@fresh
def remove(member_id: int) -> Any:
    member = find_or_404(Membership, member_id)
    was_told = request.form.get("told") or ""
    if was_told != team.told(member):
        return _removing(member, 422)
    revoked = {
        int(value) for value in request.form.getlist("revoke") if value.isdecimal() and len(value) < 19
    }
    try:
        user = team.remove(g.actor, member_id, revoked, was_told)
    except team.Untold:
        db.session.rollback()
        return _removing(find_or_404(Membership, member_id), 422)
    except team.CannotChange as refusal:
        db.session.rollback()
        return _removing(find_or_404(Membership, member_id), 422, str(refusal))
    db.session.commit()
    flash(f"{user.label} is removed and logged out. What they did stays, with their name.", "success")
    return htmx.redirect(url_for("people.index"))


def _removing(member: Membership, status: int = 200, refused: str = "") -> Any:
    return htmx.render(
        "people/remove.html",
        "people/_remove.html",
        status=status,
        member=member,
        told=team.told(member),
        keys=team.keys_made_by(member.user_id),
        waiting=invitations.tied_to(member.user),
        refused=refused
        or (team.LAST_OWNER.format(who=member.user.label) if team.is_last_owner(member) else ""),
    )


def _role(member: Membership, form: RoleForm, status: int = 200) -> Any:
    return htmx.render("people/role.html", "people/_role.html", status=status, member=member, form=form)


def _page(form: InvitationForm, status: int = 200) -> Any:
    listed = people.page(request.args)
    owner = may(Permission.USERS)
    return render_template(
        "people/index.html",
        form=form,
        listed=listed,
        found=people.how_many(),
        lost=lost_factors.waiting_among([one.member.user_id for one in listed.rows]) if owner else (),
        waiting=invitations.waiting(),
        roles=people.ROLES,
        role_words=ROLE_WORDS,
        table=people.roles_table(),
        lives=links.lives,
        asked_of=asked_of,
    ), status
