"""What needs a person now, and what Autotask was not told: one reading for menu, banner and every page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import g
from sqlalchemy import func, null, select

from portal import clock, formatters
from portal.access.tenancy import current_tenant_id, scoped
from portal.extensions import db
from portal.ledger import unconfirmed
from portal.ledger.unconfirmed import Group, Why
from portal.models import (
    AUTOTASK,
    Delivery,
    DeliveryState,
    ExceptionItem,
    ExceptionState,
    Integration,
    SupportVisit,
)
from portal.queries import notices

BECAUSE = {
    Why.DISCONNECTED: "Autotask is disconnected; they go out by themselves once it is connected again",
    Why.REFUSED: "Autotask refuses the key and secret; they go out by themselves once new ones are entered",
    Why.IDLE: "the portal's own sender does not take them up; nothing is lost, and support should hear of it",
    Why.SENDING: "many were due at once; they are being sent one after the other",
    Why.TROUBLE: "Autotask did not take them",
}


@dataclass(frozen=True)
class Line:
    """One sentence about deliveries in three parts, the middle one a number of rows; `is_late` needs a person."""

    number: int
    before: str
    counted: str
    after: str
    is_late: bool
    why: Why
    error_kind: str = ""

    @property
    def is_stuck(self) -> bool:
        return self.why == Why.STUCK

    @property
    def words(self) -> str:
        return f"{self.before}{self.counted}{self.after}"


@dataclass(frozen=True)
class Needs:
    """The partner's open exceptions, connection, deliveries that are not confirmed and new notices, all read at once."""

    exceptions: int = 0
    integration_state: str | None = None
    reconnect_reason: str | None = None
    reconnect_since: datetime | None = None
    groups: Sequence[Group] = ()
    notices: Sequence[Mapping[str, str]] = ()
    support_is_here: bool = False

    @property
    def late(self) -> int:
        """Not confirmed for five minutes, and not given up either."""
        return sum(group.late for group in self.groups if group.why != Why.STUCK)

    @property
    def stuck(self) -> int:
        return sum(group.late for group in self.groups if group.why == Why.STUCK)

    @property
    def deliveries(self) -> int:
        """How many deliveries a person should look at: the rows of the list of the same name."""
        return self.late + self.stuck

    @property
    def on_the_way(self) -> int:
        return sum(group.number - group.late for group in self.groups)

    @property
    def nothing(self) -> bool:
        return not self.exceptions and not self.deliveries

    @property
    def login_refused(self) -> bool:
        return self.reconnect_since is not None

    @property
    def lines(self) -> list[Line]:
        """What is late or held up, a sentence each, with count, since when, and why; the stuck ones first."""
        merged: dict[tuple[str, str], list[Group]] = {}
        for group in self.groups:
            if group.late or group.why not in (Why.SENDING, Why.STUCK):
                merged.setdefault(
                    (group.why, group.error_kind if group.why == Why.TROUBLE else ""), []
                ).append(group)
        lines = [_line(groups) for groups in merged.values()]
        return sorted(lines, key=lambda line: (not line.is_late, line.why != Why.STUCK, -line.number))

    def told(self, delivery: Delivery | None) -> str:
        """Where one delivery stands, as the end of a headline: "Autotask is being told now." """
        if delivery is None or delivery.state in (DeliveryState.CONFIRMED, DeliveryState.CLOSED):
            return ""
        if delivery.state == DeliveryState.PARKED:
            return "Stuck: Autotask could not be told."
        why = self.why(delivery)
        if why == Why.SENDING:
            return "Autotask is being told now."
        return f"Autotask was not told yet, because {_because(why, delivery.error or '', one=True)}."

    def why(self, delivery: Delivery) -> Why:
        why = unconfirmed.why_of(delivery, self.integration_state, clock.now())
        return Why.SENDING if why == Why.IDLE and self.busy else why

    @property
    def busy(self) -> bool:
        """A worker has one of them in its hands."""
        return any(group.busy for group in self.groups)


def now() -> Needs:
    """The partner's reading, made once a request."""
    if "needs" not in g:
        g.needs = read()
    return g.needs


def read() -> Needs:
    """The same, made anew, with what is new in the bell of the person of this request: one statement."""
    mine = current_tenant_id()
    waiting = unconfirmed.groups().where(Delivery.tenant_id == mine).subquery()
    open_ones = (
        select(func.count().label("number"))
        .select_from(ExceptionItem)
        .where(ExceptionItem.tenant_id == mine, ExceptionItem.state == ExceptionState.OPEN)
        .subquery()
    )
    visits = scoped(SupportVisit).where(
        SupportVisit.ended_at.is_(None), SupportVisit.expires_at > clock.now()
    )
    ours = (Integration.tenant_id == mine) & (Integration.kind == AUTOTASK)
    rows = db.session.execute(
        select(
            open_ones.c.number.label("exceptions"),
            Integration.state,
            Integration.reconnect_reason,
            Integration.reconnect_since,
            (notices.bell() if _may_be_told() else null()).label("notices"),
            visits.exists().label("support_is_here"),
            *waiting.c,
        )
        .select_from(open_ones)
        .outerjoin(Integration, ours)
        .outerjoin(waiting, waiting.c.tenant_id == mine)
    ).all()
    first = rows[0]
    return Needs(
        exceptions=first[0],
        integration_state=first.state,
        reconnect_reason=first.reconnect_reason,
        reconnect_since=first.reconnect_since,
        groups=unconfirmed.groups_from(row for row in rows if row.why is not None),
        notices=first.notices or (),
        support_is_here=first.support_is_here,
    )


def _line(groups: Sequence[Group]) -> Line:
    why, error = groups[0].why, groups[0].error
    late = sum(group.late for group in groups)
    number = late or sum(group.number for group in groups)
    first = min((late and group.late_since) or group.since for group in groups)
    since, counted = formatters.since(first), formatters.plural(number, "invoice")
    if why == Why.STUCK:
        after = f", the first since {since}: tried, and given up until somebody looks."
        return Line(number, "Autotask could not be told about ", counted, after, True, why)
    one = number == 1
    after = (
        f" {'waits' if one else 'wait'} for Autotask since {since}, because {_because(why, error, one=one)}."
    )
    before = "The payment of " if one else "Payments of "
    kind = groups[0].error_kind if why == Why.TROUBLE else ""
    return Line(number, before, counted, after, bool(late), why, kind)


def _because(why: Why, error: str, *, one: bool) -> str:
    """The reason, ready to stand after "because"."""
    if why == Why.TROUBLE and error:
        words = error.rstrip(".")
        return words if words.startswith("Autotask") else words[:1].lower() + words[1:]
    return (
        BECAUSE[why]
        .replace("they go out by themselves", "it goes out by itself")
        .replace("take them", "take it")
        if one
        else BECAUSE[why]
    )


def _may_be_told() -> bool:
    """Whether a person of the partner asks: support sees no notice as new, and a command is nobody."""
    person = g.get("true_user")
    return person is not None and not person.is_staff
