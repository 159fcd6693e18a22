"""Choosing a partner after login."""

from typing import Any

from flask import Blueprint, g, redirect, render_template, url_for

from portal.access.permissions import public, signed_in
from portal.web.page_context import partners_of

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
    partners = partners_of(g.true_user.id)
    if len(partners) == 1:
        return redirect(url_for("home.show", partner_slug=partners[0].slug))
    return render_template("partners/index.html", partners=partners)
