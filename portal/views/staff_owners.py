"""The first owner of a partner: invited again, invited under another address, or not at all."""

from typing import Any

from flask import Blueprint, flash, g, redirect, url_for

from portal.access import form_tokens
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import staff_only
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.forms.staff import OwnerForm
from portal.mail import on_its_way
from portal.models import Tenant
from portal.people import invitations, partners
from portal.queries.partner_health import partner_or_404
from portal.views import staff_partners
from portal.web import limits

pages = Blueprint("staff_owners", __name__, url_prefix="/staff/partners/<slug>/owner")
TOO_MANY = "Too many invitations were sent from here."


@pages.post("")
@staff_only
@redraws_form
@fresh
def invite(slug: str) -> Any:
    partner, form = partner_or_404(slug), OwnerForm()
    if not form.validate():
        return _again(partner, form)
    limits.take(limits.INVITATIONS, partner.id, what=TOO_MANY)
    try:
        partners.invite_owner(g.actor, partner, form.owner.data)
    except partners.HasOwner as refusal:
        return _refused(slug, refusal)
    except invitations.CannotInvite as refusal:
        db.session.rollback()
        form.owner.errors = [str(refusal)]
        return _again(partner, form)
    db.session.commit()
    flash(*on_its_way.told(f"An invitation is on its way to {form.owner.data}."))
    return _back(slug)


@pages.post("/<int:invitation_id>/send-again")
@staff_only
@fresh
def send_again(slug: str, invitation_id: int) -> Any:
    partner = partner_or_404(slug)
    limits.take(limits.INVITATIONS, partner.id, what=TOO_MANY)
    try:
        row = partners.invite_owner_again(g.actor, partner, invitation_id)
    except invitations.CannotInvite as refusal:
        return _refused(slug, refusal)
    db.session.commit()
    flash(
        *on_its_way.told(f"Another link is on its way to {row.email}. The one before opens nothing any more.")
    )
    return _back(slug)


@pages.post("/<int:invitation_id>/revoke")
@staff_only
@fresh
def revoke(slug: str, invitation_id: int) -> Any:
    try:
        row = partners.revoke_owner(g.actor, partner_or_404(slug), invitation_id)
    except invitations.CannotInvite as refusal:
        return _refused(slug, refusal)
    db.session.commit()
    flash(f"The invitation of {row.email} is revoked; its link opens nothing.", "success")
    return _back(slug)


def _again(partner: Tenant, form: OwnerForm) -> Any:
    """The partner's page with the form as it was typed, unless an owner came in meanwhile."""
    with tenant_scope(partner.id):
        if partners.has_owner():
            form_tokens.insist()
    return staff_partners.page(partner.slug, 422, owner_form=form)


def _refused(slug: str, refusal: invitations.CannotInvite) -> Any:
    db.session.rollback()
    flash(str(refusal), "warning")
    return _back(slug)


def _back(slug: str) -> Any:
    return redirect(url_for("staff_partners.show", slug=slug, _anchor="first-owner"), 303)
