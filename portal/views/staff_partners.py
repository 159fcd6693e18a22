"""Who is in trouble? The partners as support staff see them, made, disabled and enabled."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from flask import Blueprint, flash, g, render_template, request, url_for

from portal import connect, formatters
from portal.access import visiting
from portal.access.form_tokens import redraws_form
from portal.access.freshness import fresh
from portal.access.permissions import staff_only
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.forms.staff import DisablingForm, OwnerForm, PartnerForm
from portal.mail import on_its_way
from portal.models import Role
from portal.people import disabling, invitations, links, partners
from portal.queries import cut, partner_health
from portal.queries.paging import kept
from portal.queries.partner_health import partner_or_404
from portal.web import htmx

pages = Blueprint("staff_partners", __name__, url_prefix="/staff/partners")
MOST_SHOWN = 200
SHOW = [
    ("", "All"), ("trouble", "In trouble"), ("exceptions", "With exceptions"), ("unconnected", "Not connected"),
    ("visited", "Support is inside"), ("disabled", "Disabled"),
]  # fmt: skip


@pages.get("")
@staff_only
def index() -> Any:
    everybody = partner_health.all_partners()
    chosen = kept(request.args, "q", "show")
    found = partner_health.chosen(everybody, chosen.get("show", ""), chosen.get("q", ""))
    return render_template(
        "staff_partners/index.html",
        partners=cut.Some(list(islice(found, MOST_SHOWN)), len(found)),
        sentence=_sentence(everybody),
        chosen=chosen,
        show=SHOW,
    )


@pages.get("/new")
@staff_only
@fresh
def new() -> Any:
    return render_template("staff_partners/new.html", form=PartnerForm(formdata=None))


@pages.post("/new")
@staff_only
@redraws_form
@fresh
def create() -> Any:
    form = PartnerForm()
    if not form.validate():
        return render_template("staff_partners/new.html", form=form), 422
    values = [form[name].data for name in ("name", "slug", "time_zone", "currency", "owner")]
    try:
        partner = partners.make(g.actor, *values)
    except partners.CannotMake as refusal:
        db.session.rollback()
        form[refusal.field].errors = [str(refusal)]
        return render_template("staff_partners/new.html", form=form), 422
    db.session.commit()
    flash(
        *on_its_way.told(f"{partner.name} is created, and an invitation is on its way to {form.owner.data}.")
    )
    return htmx.redirect(url_for("staff_partners.show", slug=partner.slug))


@pages.get("/<slug>")
@staff_only
def show(slug: str) -> Any:
    return page(slug)


@pages.post("/<slug>/disable")
@staff_only
@redraws_form
@fresh
def disable(slug: str) -> Any:
    form, partner = DisablingForm(), partner_or_404(slug)
    if not form.validate():
        return page(slug, 422, form=form)
    with tenant_scope(partner.id):
        disabling.disable_partner(g.actor, partner, form.reason.data)
        db.session.commit()
    flash(f"{partner.name} is disabled. Nothing is lost; what is owed to Autotask waits.", "success")
    return htmx.redirect(url_for("staff_partners.show", slug=slug))


@pages.post("/<slug>/enable")
@staff_only
@fresh
def enable(slug: str) -> Any:
    partner = partner_or_404(slug)
    with tenant_scope(partner.id):
        disabling.enable_partner(g.actor, partner)
        db.session.commit()
    flash(f"{partner.name} is enabled again. What waited goes on by itself.", "success")
    return htmx.redirect(url_for("staff_partners.show", slug=slug))


def page(
    slug: str, status: int = 200, *, form: DisablingForm | None = None, owner_form: OwnerForm | None = None
) -> Any:
    """The partner's page, with what was typed into one of its forms."""
    partner = partner_or_404(slug)
    with tenant_scope(partner.id):
        owed, has_owner, waiting = connect.owed_deliveries(), partners.has_owner(), invitations.waiting()
    return render_template(
        "staff_partners/show.html",
        agreed=visiting.agreed(partner),
        health=partner_health.one(slug),
        row=partner,
        owed=owed,
        form=form or DisablingForm(formdata=None),
        owner_form=owner_form or OwnerForm(formdata=None),
        has_owner=has_owner,
        waiting=[one for one in waiting if one.role == Role.OWNER],
        lives=links.lives,
    ), status


def _sentence(everybody: Sequence[partner_health.Health]) -> str:
    """How many there are, and how many are in trouble of each kind."""
    troubles = [
        (sum(one.needs_reconnecting for one in everybody), "needs reconnecting", "need reconnecting"),
        (sum(bool(one.needs.late) for one in everybody), "has late payments", "have late payments"),
        (sum(bool(one.late_syncs) for one in everybody), "has a late sync", "have a late sync"),
        (sum(bool(one.needs.stuck) for one in everybody), "has stuck payments", "have stuck payments"),
    ]
    said = [f"{number:,} {one if number == 1 else many}" for number, one, many in troubles if number]
    return f"{formatters.plural(everybody, 'partner')}. {', '.join(said) or 'None is in trouble'}."
