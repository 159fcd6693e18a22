"""How often a partner's key and secret may be refused: counted in PostgreSQL, because Autotask locks API users."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from portal import clock
from portal.access.tenancy import current_tenant_id
from portal.connect import verify
from portal.connect.errors import ConnectRefused
from portal.connect.verify import ConnectRequest, Verified
from portal.extensions import db
from portal.formatters import plural
from portal.models import Tenant

MOST, WITHIN = 3, timedelta(hours=1)


def check(
    request: ConnectRequest, config: Mapping[str, Any], known: Mapping[int, str] | None = None
) -> Verified:
    """`verify.check`, unless Autotask refused this partner three times within an hour. Commits the count.

    The try is counted before Autotask is asked, and taken back unless it was the login that was refused: many
    tries at once, and a process that dies, count as refused.
    """
    begun = _begin()
    try:
        verified = verify.check(request, config, known)
    except ConnectRefused as refusal:
        if not refusal.login:
            _take_back(begun)
        raise
    except Exception:
        _take_back(begun)
        raise
    _take_back(begun)
    return verified


def _begin() -> datetime:
    now = clock.now()
    tenant = _locked()
    recent = [at for at in tenant.refused_logins if at > now - WITHIN]
    if len(recent) >= MOST:
        db.session.rollback()
        raise ConnectRefused([_sentence(min(recent) + WITHIN - now)])
    tenant.refused_logins = [*recent, now]
    db.session.commit()
    return now


def _take_back(begun: datetime) -> None:
    tenant = _locked()
    tenant.refused_logins = [at for at in tenant.refused_logins if at != begun]
    db.session.commit()


def _locked() -> Tenant:
    return db.session.execute(
        select(Tenant)
        .where(Tenant.id == current_tenant_id())
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()


def _sentence(wait: timedelta) -> str:
    minutes = plural(max(1, round(wait.total_seconds() / 60)), "minute")
    return (
        f"Autotask refused the key and secret {MOST} times within an hour, so nothing was sent to it now: Autotask "
        f"locks an API user after more refusals. Check both in Autotask; the next test is possible in {minutes}."
    )
