"""How often a key and secret may be refused: counted in PostgreSQL for each API user, which Autotask locks after more."""

import hashlib
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

WITHIN = timedelta(hours=1)
MOST = 3
# Of all API users of one partner together: generous, so that nobody tries out users by the hundred.
MOST_OF_PARTNER = 20


def check(
    request: ConnectRequest, config: Mapping[str, Any], known: Mapping[int, str] | None = None
) -> Verified:
    """`verify.check`, unless Autotask refused this API user three times within an hour. Commits the count.

    The try is counted before Autotask is asked, and taken back unless it was the login that was refused: many
    tries at once, and a process that dies, count as refused.
    """
    begun = _begin(request.username)
    try:
        verified = verify.check(request, config, known)
    except ConnectRefused as refusal:
        if not refusal.login:
            _take_back(request.username, begun)
        raise
    except Exception:
        _take_back(request.username, begun)
        raise
    _take_back(request.username, begun)
    return verified


def _begin(username: str) -> datetime:
    now, user = clock.now(), _hash(username)
    tenant = _locked()
    since = now - WITHIN
    recent = {
        one: kept
        for one, each in tenant.refused_users.items()
        if (kept := [at for at in each if _at(at) > since])
    }
    mine, everybodys = recent.get(user, []), [at for each in recent.values() for at in each]
    for tries, most, sentence in (
        (mine, MOST, _of_user(username)), (everybodys, MOST_OF_PARTNER, OF_PARTNER)
    ):  # fmt: skip
        if len(tries) >= most:
            db.session.rollback()
            wait = _at(sorted(tries)[-most]) + WITHIN - now
            minutes = plural(max(1, round(wait.total_seconds() / 60)), "minute")
            raise ConnectRefused([sentence.format(minutes=minutes)])
    tenant.refused_users = {**recent, user: [*mine, now.isoformat()]}
    db.session.commit()
    return now


def _take_back(username: str, begun: datetime) -> None:
    tenant, user = _locked(), _hash(username)
    left = [at for at in tenant.refused_users.get(user, []) if _at(at) != begun]
    tenant.refused_users = {**tenant.refused_users, user: left}
    db.session.commit()


def _locked() -> Tenant:
    return db.session.execute(
        select(Tenant)
        .where(Tenant.id == current_tenant_id())
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one()


def _hash(username: str) -> str:
    """Autotask does not tell capitals apart; the name itself need not stand here."""
    return hashlib.sha256(username.strip().casefold().encode()).hexdigest()[:32]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _of_user(username: str) -> str:
    shown = username.strip().replace("{", "{{").replace("}", "}}")
    return (
        f"Autotask refused the key and secret of {shown} {MOST} times within an hour, so nothing was sent to it now: "
        "Autotask locks an API user after more refusals. Check both in Autotask; the next test of this API user is "
        "possible in {minutes}, of another one now."
    )


OF_PARTNER = (
    f"Autotask refused {MOST_OF_PARTNER} tests of your company's API users within an hour, so nothing was sent to it "
    "now. Check the API user, its key and its secret in Autotask; the next test is possible in {minutes}."
)
