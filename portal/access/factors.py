"""The second factors of a person: which they have, one more, one less."""

from collections.abc import Sequence

from sqlalchemy import delete, select

from portal import clock
from portal.access import factor_resets, security_events, sessions, who_needs_a_factor
from portal.access.actor import Actor
from portal.access.tenancy import people_scope
from portal.extensions import db
from portal.models import Factor, FactorKind, LoginSession, RecoveryCode, ResetOutcome, User

KINDS = {FactorKind.TOTP: "Authenticator app", FactorKind.PASSKEY: "Passkey"}
LONGEST_NAME = 60
MOST = 10


class CannotRemove(ValueError):
    """The factor stays; the message says why."""


def of(user: User) -> Sequence[Factor]:
    """Their factors, the oldest first."""
    with people_scope():
        return db.session.scalars(select(Factor).where(Factor.user_id == user.id).order_by(Factor.id)).all()


def locked(user_id: int) -> User:
    """The person's row, so that two changes of their factors follow each other; its transaction holds it.

    Others may write rows meanwhile that name the person, such as events of a log.
    """
    query = select(User).where(User.id == user_id).with_for_update(of=User, key_share=True)
    with people_scope():
        return db.session.scalars(query.execution_options(populate_existing=True)).one()


def added(login: LoginSession, factor: Factor) -> None:
    """A factor that was just proved counts from now on, and signs out other browsers. The caller commits."""
    user = locked(login.user_id)
    user.second_factor_at = user.second_factor_at or clock.now()
    _changed(login, security_events.FACTOR_ADDED, factor)


def remove(login: LoginSession, factor: Factor) -> None:
    """Takes a factor away, and signs out other browsers. Raises CannotRemove. The caller commits."""
    locked(login.user_id)
    others = [one for one in of(login.user) if one.id != factor.id]
    if not others and who_needs_a_factor.must_have(login.user):
        raise CannotRemove("You need a second factor. Add another one first; then this one can go.")
    with people_scope():
        db.session.delete(factor)
        if not others:
            db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == login.user_id))
            login.user.second_factor_at = None
        db.session.flush()
    _changed(login, security_events.FACTOR_REMOVED, factor)


def take_all(user: User, actor: Actor | None = None, **details: str) -> None:
    """Takes all factors and recovery codes away, and signs the person out everywhere. The caller commits."""
    factor_resets.end_open(user.id, ResetOutcome.DONE)
    with people_scope():
        for table in (Factor, RecoveryCode):
            db.session.execute(delete(table).where(table.user_id == user.id))
        user.second_factor_at = None
        user.refused_codes = []
        db.session.flush()
    sessions.end_all(user.id)
    security_events.record(user, security_events.FACTORS_RESET, actor, **details)


def _changed(login: LoginSession, event: str, factor: Factor) -> None:
    sessions.end_all(login.user_id, but=login)
    security_events.record(login.user, event, kind=KINDS[FactorKind(factor.kind)], factor=factor.name)
