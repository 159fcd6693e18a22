"""Support steps into a partner, and out again; either side can end it."""

from typing import Any

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from sqlalchemy import select

from portal.access import support_visits, visiting
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import Permission, requires, staff_only
from portal.access.tenancy import find_or_404, tenant_scope
from portal.extensions import db
from portal.forms.support_visit import SupportVisitForm
from portal.models import SupportVisit, Tenant
from portal.notices import visits
from portal.people import invitations
from portal.web import htmx

pages = Blueprint("support_visits", __name__)
# What the numbers on the list of partners count.
PLACES: dict[str, tuple[str, dict[str, Any]]] = {
    "on-the-way": ("deliveries.index", {"show": "waiting"}),
    "late": ("deliveries.index", {"show": "late"}),
    "stuck": ("deliveries.index", {"show": "stuck"}),
    "exceptions": ("exceptions.index", {}),
}


@pages.get("/staff/partners/<slug>/visit")
@staff_only
@fresh
def new(slug: str) -> Any:
    partner, to = _partner(slug), request.args.get("to", "")
    if g.support_visit is not None and g.support_visit.tenant_id == partner.id:
        return redirect(_place(partner, to), 303)
    return _page(partner, SupportVisitForm(formdata=None, data={"to": to}))


@pages.post("/staff/partners/<slug>/visit")
@staff_only
@redraws_form
@fresh
def create(slug: str) -> Any:
    partner = _partner(slug)
    form = SupportVisitForm().with_people(support_visits.people_of(partner))
    if not form.validate():
        return _page(partner, form, 422)
    try:
        visits.tell_now(support_visits.begin(g.login_session, partner, form.wish(), g.request_id))
    except support_visits.CannotVisit as refusal:
        form.form_errors.append(str(refusal))
        return _page(partner, form, 422)
    db.session.commit()
    return redirect(_place(partner, form.to.data or ""), 303)


def _page(partner: Tenant, form: SupportVisitForm, status: int = 200) -> Any:
    agreed = visiting.agreed(partner) and partner.disabled_at is None
    people = support_visits.people_of(partner)
    with tenant_scope(partner.id):
        waiting = [] if people else invitations.waiting()
    page = render_template(
        "support_visits/new.html",
        form=form.with_people(people),
        people=people,
        waiting=waiting,
        partner=partner,
        agreed=agreed,
    )
    return page, status


@pages.post("/staff/visit/stop")
@staff_only
def destroy() -> Any:
    if g.support_visit is not None:
        support_visits.stop(g.support_visit, g.true_user.id, g.request_id)
        visits.tell_now(g.support_visit)
        db.session.commit()
        flash("The visit has ended.", "success")
    return htmx.redirect(url_for("staff_partners.index"))


@pages.post("/p/<partner_slug>/support-visits/<int:visit_id>/stop")
@requires(Permission.USERS)
def end(visit_id: int) -> Any:
    visit = find_or_404(SupportVisit, visit_id)
    support_visits.stop(visit, g.true_user.id, g.request_id)
    visits.tell_now(visit)
    db.session.commit()
    flash("Support no longer has access.", "success")
    return htmx.redirect(url_for("home.show"))


def _place(partner: Tenant, to: str) -> str:
    """What support came to look at; the home page where nothing was named."""
    endpoint, values = PLACES.get(to, ("home.show", {}))
    return url_for(endpoint, partner_slug=partner.slug, **values)


def _partner(slug: str) -> Tenant:
    return db.session.scalar(select(Tenant).where(Tenant.slug == slug)) or abort(404)
