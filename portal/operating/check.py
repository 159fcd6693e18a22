"""A check is looked at by a function that answers with a finding; whatever it runs into is a finding too."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
import structlog
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portal.extensions import db
from portal.logs import tracebacks
from portal.models import HealthState

log = structlog.get_logger(__name__)
DATABASE, QUEUE = "database", "queue"


@dataclass(frozen=True)
class Finding:
    """`mend` says what to do about it. `number` is what the sentence counts, in the check's unit."""

    state: HealthState
    sentence: str
    mend: str = ""
    number: int | None = None


@dataclass(frozen=True)
class Check:
    """One thing that has to hold. `needs` names checks without which it cannot be asked."""

    name: str
    title: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True)
class Result:
    check: Check
    finding: Finding

    @property
    def is_wrong(self) -> bool:
        return self.finding.state in (HealthState.WRONG, HealthState.UNKNOWN)

    def told(self) -> dict[str, object]:
        found = self.finding
        return {
            "name": self.check.name,
            "title": self.check.title,
            "state": found.state.value,
            "sentence": found.sentence,
            "mend": found.mend,
            "number": found.number,
            "unit": self.check.unit,
        }


def ok(sentence: str, number: int | None = None) -> Finding:
    return Finding(HealthState.OK, sentence, number=number)


def wrong(sentence: str, mend: str, number: int | None = None) -> Finding:
    return Finding(HealthState.WRONG, sentence, mend, number)


def worth_a_look(sentence: str, mend: str, number: int | None = None) -> Finding:
    return Finding(HealthState.LOOK, sentence, mend, number)


def look_at(checks: Sequence[Check], seconds: int | None = None) -> list[Result]:
    """Looks at all in their order, each in a transaction of its own, whose statements may take so long."""
    return list(looking(checks, seconds))


def looking(checks: Sequence[Check], seconds: int | None = None) -> Iterator[Result]:
    """The same, one after the other as they are found."""
    away: dict[str, Check] = {}
    for check in checks:
        missing = next((away[name] for name in check.needs if name in away), None)
        result = Result(check, _not_asked(missing) if missing else _look(check, seconds))
        if result.is_wrong:
            away[check.name] = check
        yield result


def _not_asked(missing: Check) -> Finding:
    said = f"Not known while this is wrong: {missing.title}."
    return Finding(HealthState.UNKNOWN, said, f"Mend that first: {missing.title}.")


def _look(check: Check, seconds: int | None) -> Finding:
    try:
        if seconds and DATABASE in check.needs:
            db.session.execute(
                text("SELECT set_config('statement_timeout', :most, true)"), {"most": f"{seconds}s"}
            )
        return check.look()
    except (SQLAlchemyError, psycopg.Error) as error:
        return wrong(
            f"PostgreSQL did not answer this: {tracebacks.said(error)}", "Look at PostgreSQL and its log."
        )
    except RedisError as error:
        return wrong(f"Redis did not answer this ({type(error).__name__}).", "Look at Redis and its log.")
    except Exception as error:
        log.exception("check.failed", check=check.name)
        return wrong(
            f"It could not be looked at: {type(error).__name__}.",
            "The line check.failed in the log says why.",
        )
    finally:
        let_go()


def let_go() -> None:
    """Ends the transaction, whatever became of it."""
    try:
        db.session.rollback()
    except (SQLAlchemyError, psycopg.Error):
        db.session().invalidate()
