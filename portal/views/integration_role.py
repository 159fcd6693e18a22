"""Should Autotask be primary or secondary? What the change does is shown before it is done."""

from typing import Any

from flask import Blueprint, abort, flash, g, render_template, request, url_for

from portal import connect
from portal.access.freshness import fresh
from portal.access.permissions import Permission, requires
from portal.extensions import db
from portal.models import Integration, IntegrationRole
from portal.sync import role_change, role_preview, runs
from portal.sync.role_change import CannotChange, Moved
from portal.web import htmx

pages = Blueprint("integration_role", __name__, url_prefix="/p/<partner_slug>/integrations/autotask/role")


@pages.get("")
@requires(Permission.CREDENTIALS)
@fresh
def ask() -> Any:
    integration = _found()
    return _page(integration, _other(integration))


@pages.post("")
@requires(Permission.CREDENTIALS)
@fresh
def change() -> Any:
    integration = _found()
    role = request.form.get("role", "")
    if role not in set(IntegrationRole):
        abort(422)
    try:
        run = role_change.change(g.actor, integration, role, request.form.get("seen", ""))
    except Moved as refusal:
        db.session.rollback()
        flash(str(refusal), "warning")
        return _page(_found(), role, 422)
    except CannotChange as refusal:
        db.session.rollback()
        flash(str(refusal), "warning")
        return htmx.redirect(url_for("integrations.show"))
    db.session.commit()
    if run is not None:
        runs.ring(run)
    then = " A sync has started." if run is not None else ""
    flash(f"Autotask is {role} now.{then}", "success")
    return htmx.redirect(url_for("integrations.show"))


def _page(integration: Integration, role: str, status: int = 200) -> Any:
    told = role_preview.preview(integration, role)
    return render_template("integrations/role.html", integration=integration, told=told), status


def _other(integration: Integration) -> str:
    return IntegrationRole.SECONDARY if integration.is_primary else IntegrationRole.PRIMARY


def _found() -> Integration:
    return connect.current() or abort(404, "Autotask was never connected here.")
