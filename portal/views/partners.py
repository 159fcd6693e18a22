"""Choosing a partner after login."""

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from portal.access.permissions import public, signed_in
from portal.queries import people

pages = Blueprint("partners", __name__)


@pages.get("/")
@public
def root() -> Any:
    return redirect(url_for("partners.index"))


@pages.get("/partners")
@signed_in
def index() -> Any:
    if g.true_user.is_staff:
        return redirect(url_for("staff_partners.index"))
    listed = people.partners_of(g.true_user.id, request.args)
    if len(listed) == 1 and not listed.newer:
        return redirect(url_for("home.show", partner_slug=listed.rows[0].slug))
    return render_template("partners/index.html", listed=listed)
