"""What is worth a second look: after 15 minutes a person proves again that it is them, and comes back."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from flask import g

from portal import clock
from portal.models import LoginSession

View = TypeVar("View", bound=Callable[..., Any])
FRESH = timedelta(minutes=15)


class NotFresh(Exception):
    """The last proof is too old for this view; answered by the page that asks for one."""


def fresh(view: View) -> View:
    """Opens a view only to a login whose last proof is fresh. Stands under the view's access mark."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not is_fresh(g.login_session):
            raise NotFresh
        return view(*args, **kwargs)

    guarded.fresh = True  # type: ignore[attr-defined]
    return guarded  # type: ignore[return-value]


def is_fresh(login: LoginSession) -> bool:
    return login.proved_at is not None and clock.now() - login.proved_at <= FRESH
