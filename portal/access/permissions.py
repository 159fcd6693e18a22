"""What each role may do, and the marks that open a view."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, g
from werkzeug.exceptions import Forbidden, NotFound

from portal.models import Role, VisitMode

View = TypeVar("View", bound=Callable[..., Any])


class Permission(StrEnum):
    VIEW = "view"
    EXPORT = "export"
    RECORD_PAYMENTS = "payments.record"
    DELETE_PAYMENTS = "payments.delete"
    EDIT_RECORDS = "records.edit"
    UNDO_UPLOADS = "uploads.undo"
    ARCHIVE = "records.archive"
    DECIDE_EXCEPTIONS = "exceptions.decide"
    RETRY_DELIVERIES = "deliveries.retry"
    RUN_SYNCS = "syncs.run"
    SET_FILTERS = "filters.set"
    CREDENTIALS = "integrations.credentials"
    USERS = "users.manage"
    SETTINGS = "settings.change"
    API_KEYS = "api_keys.manage"
    WEBHOOKS = "webhooks.manage"


WORDS = {
    Permission.VIEW: "See customers, invoices and payments",
    Permission.EXPORT: "Export lists as files",
    Permission.RECORD_PAYMENTS: "Record payments and apply credits",
    Permission.DELETE_PAYMENTS: "Delete payments, and record that they failed, were refunded or charged back",
    Permission.EDIT_RECORDS: "Add and change customers and invoices",
    Permission.UNDO_UPLOADS: "Undo uploads of customers and invoices",
    Permission.DECIDE_EXCEPTIONS: "Decide exceptions",
    Permission.ARCHIVE: "Archive customers and invoices",
    Permission.RETRY_DELIVERIES: "Resend to Autotask",
    Permission.RUN_SYNCS: "Fetch data from Autotask",
    Permission.SET_FILTERS: "Choose what comes in from Autotask",
    Permission.CREDENTIALS: "Connect and disconnect Autotask",
    Permission.USERS: "Invite people, change roles, remove people",
    Permission.SETTINGS: "Change the partner's settings",
    Permission.API_KEYS: "Make and revoke API keys",
    Permission.WEBHOOKS: "Choose which systems hear of events, and send them again",
}

READER = {Permission.VIEW, Permission.EXPORT}
CLERK = READER | {
    Permission.RECORD_PAYMENTS,
    Permission.DELETE_PAYMENTS,
    Permission.EDIT_RECORDS,
    Permission.UNDO_UPLOADS,
    Permission.DECIDE_EXCEPTIONS,
}
MANAGER = CLERK | {
    Permission.ARCHIVE,
    Permission.RETRY_DELIVERIES,
    Permission.RUN_SYNCS,
    Permission.SET_FILTERS,
}
OWNER = set(Permission)
# Support does none of these, whatever a partner agrees to (rule 7.2); settings hold the agreement itself.
NEVER_BY_SUPPORT = {
    Permission.EXPORT,
    Permission.DELETE_PAYMENTS,
    Permission.UNDO_UPLOADS,
    Permission.ARCHIVE,
    Permission.SET_FILTERS,
    Permission.CREDENTIALS,
    Permission.USERS,
    Permission.SETTINGS,
    Permission.API_KEYS,
    Permission.WEBHOOKS,
}

ROLE_PERMISSIONS: dict[str, set[Permission]] = {
    Role.READER: READER,
    Role.CLERK: CLERK,
    Role.MANAGER: MANAGER,
    Role.OWNER: OWNER,
}


def of_support(mode: VisitMode, role: str) -> set[Permission]:
    """What a visit may do: it looks, or it acts as a person of this role, without what support never does."""
    held = {Permission.VIEW} if mode == VisitMode.VIEW else ROLE_PERMISSIONS[role]
    return held - NEVER_BY_SUPPORT


# What each role is for, in a few words.
ROLE_WORDS = {
    Role.OWNER: "Everything, people and the connection to Autotask too",
    Role.MANAGER: "Daily work, syncs and filters; no people, no connection",
    Role.CLERK: "Payments, customers and invoices",
    Role.READER: "Looks, and exports lists",
}


def may(permission: Permission) -> bool:
    """True when the person of this request holds the permission at the current partner."""
    return permission in g.get("permissions", set())


# Of people and keys a person sees what their role works with: rule 7.1.
CONFIDENTIAL = {
    "email": Permission.USERS,
    "username": Permission.CREDENTIALS,
    "prefix": Permission.API_KEYS,
    "api_key": Permission.API_KEYS,
}


def shown(details: Mapping[str, Any]) -> dict[str, Any]:
    """An event's details as far as the person of this request may see them; the start of a key's secret is cut."""
    kept: dict[str, Any] = {}
    for name, value in details.items():
        needed = CONFIDENTIAL.get(name)
        if needed is None or may(needed):
            kept[name] = shown(value) if isinstance(value, Mapping) else value
        elif name == "api_key":
            kept[name] = str(value).partition(" (")[0]
    return kept


def requires(permission: Permission) -> Callable[[View], View]:
    """Opens a partner's page to those who hold the permission: strangers get 404, members without it 403."""

    def mark(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if g.get("partner") is None:
                raise NotFound
            if not may(permission):
                raise Forbidden
            return view(*args, **kwargs)

        guarded.access = permission.value  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return mark


def public(view: View) -> View:
    """Opens a view to everybody, signed in or not."""
    view.access = "public"  # type: ignore[attr-defined]
    return view


def of_the_process(view: View) -> View:
    """Opens a view to everybody without asking who it is: no session is read, and no database."""
    view.knows_nobody = True  # type: ignore[attr-defined]
    return public(view)


def signed_in(view: View) -> View:
    """Opens a view to every signed-in person, outside any partner."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    guarded.access = "signed_in"  # type: ignore[attr-defined]
    return guarded  # type: ignore[return-value]


def staff_only(view: View) -> View:
    """Opens a view to support staff; everybody else gets 404."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        user = g.get("true_user")
        if user is None or not user.is_staff:
            raise NotFound
        return view(*args, **kwargs)

    guarded.access = "staff"  # type: ignore[attr-defined]
    return guarded  # type: ignore[return-value]


def staff_administrators_only(view: View) -> View:
    """Opens a view to those of support staff who look after staff; the other ones get 403."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not g.true_user.staff_admin:
            raise Forbidden
        return view(*args, **kwargs)

    return staff_only(guarded)  # type: ignore[return-value]


def refuse_unmarked_views(app: Flask) -> None:
    """Stops the start when a view carries no access mark: access is closed by default."""
    unmarked = sorted(
        endpoint for endpoint, view in app.view_functions.items() if not hasattr(view, "access")
    )
    if unmarked:
        raise RuntimeError(f"These views carry no access mark: {', '.join(unmarked)}")
