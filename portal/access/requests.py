"""What happens before every request: who is it, which partner is meant, and may they come in."""

from typing import Any

import structlog
from flask import Flask, Response, g, request, session
from flask_login import current_user
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from portal import formatters
from portal.access import form_tokens, sessions, support_visits, visiting, who_needs_a_factor
from portal.access.actor import Actor, Source
from portal.access.disabled import PartnerDisabled
from portal.access.permissions import ROLE_PERMISSIONS
from portal.access.tenancy import show_what_is_in_scope, shown_by_its_statement, tenant_scope
from portal.extensions import db, login_manager
from portal.models import LoginSession, Tenant
from portal.web import htmx, incoming, outages, outermost


def register(app: Flask) -> None:
    app.url_value_preprocessor(_take_partner_slug)
    app.before_request(_identify)
    app.before_request(_enter_partner)
    app.before_request(incoming.let_large_files_in)
    app.before_request(form_tokens.check)
    app.before_request(_ask_to_log_in)
    app.after_request(form_tokens.tell_status)
    app.teardown_request(_leave_partner)
    app.url_defaults(_keep_partner_slug)


def _take_partner_slug(_: str | None, values: dict[str, Any] | None) -> None:
    g.partner_slug = (values or {}).pop("partner_slug", None)


def _keep_partner_slug(endpoint: str, values: dict[str, Any]) -> None:
    from flask import current_app

    if "partner_slug" not in values and current_app.url_map.is_endpoint_expecting(endpoint, "partner_slug"):
        values["partner_slug"] = g.get("partner_slug")


def _identify() -> None:
    g.request_id = outermost.request_id()
    g.pop("who", None)
    g.partner = g.true_user = g.login_session = g.support_visit = g.halfway = None
    g.permissions = set()
    if knows_nobody():
        return
    access = _access_mark()
    if access in ("public", "api"):
        g.actor = Actor(source=Source.WEB, request_id=g.request_id)
    if access == "api":
        return
    if _is_signed_in():
        _signed_in()


def _is_signed_in() -> bool:
    """Reads whose login it is, for a page in the transaction that reads all of it."""
    if "_user_id" not in session:
        return bool(current_user.is_authenticated)
    with shown_by_its_statement():
        if g.partner_slug is not None and request.method in visiting.SAFE_METHODS:
            _read_one_moment()
        found = bool(current_user.is_authenticated)
    if "who" not in g:  # the cookie was refused without asking for its login
        show_what_is_in_scope()
    return found


def _ask_to_log_in() -> Any:
    if g.true_user is not None or _access_mark() in ("public", "api"):
        return None
    return sessions.ask_for_the_second_step(g.halfway) if g.halfway else login_manager.unauthorized()


def knows_nobody() -> bool:
    """Whether it is the same to everybody, and needs no database: the page that says it is away needs its styles."""
    from flask import current_app

    view = current_app.view_functions.get(request.endpoint or "")
    return request.endpoint == "static" or getattr(view, "knows_nobody", False)


def _access_mark() -> str | None:
    from flask import current_app

    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "access", None) if view else "public"


def _signed_in() -> None:
    login = g.login_session = current_user.login
    g.halfway = who_needs_a_factor.wanted(login)
    if g.halfway and not _opens_half_way(login):
        return  # to everything else this browser is nobody's
    g.true_user = login.user
    g.actor = Actor(Source.WEB, login.user_id, login.user_id, None, g.request_id)
    structlog.contextvars.bind_contextvars(user_id=login.user_id)
    if not request.headers.get(htmx.POLL_HEADER) and sessions.is_due(login):
        db.session.commit()  # two requests at once may write the same: not from a page's one moment
        sessions.touch(login)
        outages.commit_unless_read_only()
    if login.user.is_staff:
        g.support_visit = visiting.running(login)


def _opens_half_way(login: LoginSession) -> bool:
    """Whether this view takes a person who still lacks a second factor; left there too long, they log in again."""
    from flask import current_app

    if who_needs_a_factor.too_old(login):
        db.session.commit()
        sessions.end_half_way(login)
        outages.commit_unless_read_only()
        g.halfway = g.login_session = None
        return False
    view = current_app.view_functions.get(request.endpoint or "")
    return g.halfway in getattr(view, "open_at", ())


def _enter_partner() -> None:
    if g.partner_slug is None or g.get("true_user") is None:
        return
    if request.method in visiting.SAFE_METHODS:
        _read_one_moment()
    if g.true_user.is_staff:
        _enter_as_staff()
    else:
        _enter_as_member()


def _read_one_moment() -> None:
    """All that a page reads is of one moment: what commits meanwhile cannot make two parts of it disagree."""
    if "moment" in g and g.moment is db.session().get_transaction():
        return
    db.session.commit()
    db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    g.moment = db.session().get_transaction()


def _enter_as_staff() -> None:
    tenant = db.session.scalar(select(Tenant).where(Tenant.slug == g.partner_slug))
    if tenant is None:
        raise NotFound
    if g.support_visit is None or g.support_visit.tenant_id != tenant.id:
        raise visiting.NotInside(tenant, visiting.last(g.login_session, tenant))
    _enter_as_support(tenant)


def _enter_as_member() -> None:
    mine = sessions.who(current_user.token).memberships
    tenant, role = next((one for one in mine if one[0].slug == g.partner_slug), (None, ""))
    if tenant is None:
        raise NotFound
    if tenant.disabled_at is not None:
        raise PartnerDisabled(tenant)
    _open(tenant)
    g.role, g.permissions = role, ROLE_PERMISSIONS[role]


def _enter_as_support(tenant: Tenant) -> None:
    _open(tenant)
    visit = g.support_visit
    g.actor = visiting.actor_of(visit, g.request_id)
    g.role, g.permissions = None, visiting.rights(visit, tenant)
    if not g.permissions:
        support_visits.stop(visit, visit.staff_user_id, g.request_id)
    visiting.log_request(visit, request.method, request.full_path.rstrip("?"), g.request_id)
    db.session.commit()
    structlog.contextvars.bind_contextvars(support_visit_id=visit.id)
    if not g.permissions:
        raise visiting.NotInside(tenant, visiting.last(g.login_session, tenant))
    visiting.refuse_change(g.permissions, request.method)


def _open(tenant: Tenant) -> None:
    g.tenant_scope = tenant_scope(tenant.id)
    g.tenant_scope.__enter__()
    g.partner = tenant
    formatters.choose_for(tenant)


def _leave_partner(error: BaseException | None) -> None:
    scope = g.pop("tenant_scope", None)
    if scope is not None:
        ids = structlog.contextvars.get_contextvars()
        db.session.rollback()
        scope.__exit__(None, None, None)
        structlog.contextvars.bind_contextvars(**ids)  # for the line of the answer, written after this


def no_store(response: Response) -> Response:
    """Signed-in pages, and what API keys open, are not kept by browsers or proxies."""
    if (
        g.get("true_user") is not None or _access_mark() == "api"
    ) and "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
