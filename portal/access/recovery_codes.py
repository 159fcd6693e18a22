"""Codes for when the phone is lost: shown once, kept as argon2id hashes, each good for one time."""

import re
import secrets

from sqlalchemy import delete, func, select, update

from portal import clock
from portal.access import factors, passwords
from portal.extensions import db, rows_written
from portal.models import RecoveryCode, User

HOW_MANY = 8
# No I, L, O, U, 0, 1: what is read aloud or copied from paper stays what it was. 16 of 30 signs are 78 bits.
SIGNS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
GROUPS, GROUP = 4, 4


def make_anew(user: User) -> list[str]:
    """New codes, told here and never again; those before open nothing any more. The caller commits."""
    factors.locked(user.id)
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes: dict[str, str] = {}
    while len(codes) < HOW_MANY:
        whole = "".join(secrets.choice(SIGNS) for _ in range(GROUPS * GROUP))
        codes[whole[:GROUP]] = whole
    for beginning, whole in codes.items():
        db.session.add(
            RecoveryCode(user_id=user.id, beginning=beginning, code_hash=passwords.hashed_code(whole))
        )
    db.session.flush()
    return [shown(whole) for whole in codes.values()]


def shown(whole: str) -> str:
    return "-".join(whole[at : at + GROUP] for at in range(0, len(whole), GROUP))


def left(user: User) -> int:
    """How many were not used yet."""
    unused = RecoveryCode.used_at.is_(None)
    count = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user.id, unused)
    return db.session.scalar(count) or 0


def looks_like_one(typed: str) -> bool:
    """Whether it has the length and the signs of such a code, which nobody guesses."""
    whole = _whole(typed)
    return len(whole) == GROUPS * GROUP and set(whole) <= set(SIGNS)


def opens(user: User, typed: str) -> bool:
    """Whether this is an unused code of theirs; it is used up then. One hash is compared, also for no code of theirs.

    The caller commits.
    """
    whole = _whole(typed)
    row = db.session.scalar(
        select(RecoveryCode).where(
            RecoveryCode.user_id == user.id,
            RecoveryCode.beginning == whole[:GROUP],
            RecoveryCode.used_at.is_(None),
        )
    )
    if not passwords.matches(row.code_hash if row else None, whole) or row is None:
        return False
    unused = RecoveryCode.id == row.id, RecoveryCode.used_at.is_(None)
    return rows_written(update(RecoveryCode).where(*unused).values(used_at=clock.now())) == 1


def _whole(typed: str) -> str:
    return re.sub(r"[\s-]", "", typed).upper()
