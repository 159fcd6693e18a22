"""What needs a person now, and what Autotask was not told: one reading for menu, banner and every page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from flask import g
from sqlalchemy import Row, Select, bindparam, func, null, select

from portal import clock
from portal.access.tenancy import current_tenant_id
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
from portal.queries.needs_sentences import Line, because, line_of


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
    def is_held_up(self) -> bool:
        """Whether something keeps those back that are not late yet: the connection, or Autotask itself."""
        held = (Why.DISCONNECTED, Why.REFUSED, Why.TROUBLE)
        return any(group.why in held and group.number > group.late for group in self.groups)

    @property
    def waits(self) -> str:
        """What the ones on the way do, for a sentence after their number."""
        one = self.on_the_way == 1
        if self.is_held_up:
            return "waits for Autotask" if one else "wait for Autotask"
        return "is on the way" if one else "are on the way"

    @property
    def nothing(self) -> bool:
        return not self.exceptions and not self.deliveries

    @property
    def login_refused(self) -> bool:
        return self.reconnect_since is not None

    @property
    def lines(self) -> list[Line]:
        """What is late or held up, a sentence each, with count, since when, and why; the stuck ones first.

        A sender that takes nothing up concerns a person only once something is late.
        """
        merged: dict[tuple[str, str], list[Group]] = {}
        for group in self.groups:
            if group.late or group.why not in (Why.SENDING, Why.STUCK, Why.IDLE):
                merged.setdefault(
                    (group.why, group.error_kind if group.why == Why.TROUBLE else ""), []
                ).append(group)
        lines = [line_of(groups) for groups in merged.values()]
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
        if why == Why.IDLE and not unconfirmed.is_late(delivery, clock.now()):
            return "Autotask was not told yet."
        return f"Autotask was not told yet, because {because(why, delivery.error or '', one=True)}."

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
    """The same, made anew."""
    rows = _rows()
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


def _rows() -> Sequence[Row[Any]]:
    """One statement, with what is new in the bell of the person of this request; a row for each group of deliveries."""
    told = _may_be_told()
    values = {"mine": current_tenant_id(), "now": clock.now(), **(notices.told_to() if told else {})}
    return db.session.execute(_statement(told), values).all()


@cache
def _statement(with_notices: bool) -> Select[Any]:
    """Every page asks it: it is put together once a process."""
    mine: Any = bindparam("mine")
    waiting = unconfirmed.groups().where(Delivery.tenant_id == mine).subquery()
    open_ones = (
        select(func.count().label("number"))
        .select_from(ExceptionItem)
        .where(ExceptionItem.tenant_id == mine, ExceptionItem.state == ExceptionState.OPEN)
        .subquery()
    )
    visits = select(SupportVisit).where(
        SupportVisit.tenant_id == mine,
        SupportVisit.ended_at.is_(None),
        SupportVisit.expires_at > bindparam("now"),
    )
    ours = (Integration.tenant_id == mine) & (Integration.kind == AUTOTASK)
    return (
        select(
            open_ones.c.number.label("exceptions"),
            Integration.state,
            Integration.reconnect_reason,
            Integration.reconnect_since,
            (notices.bell() if with_notices else null()).label("notices"),
            visits.exists().label("support_is_here"),
            *waiting.c,
        )
        .select_from(open_ones)
        .outerjoin(Integration, ours)
        .outerjoin(waiting, waiting.c.tenant_id == mine)
    )


def _may_be_told() -> bool:
    """Whether a person of the partner asks: support sees no notice as new, and a command is nobody."""
    person = g.get("true_user")
    return person is not None and not person.is_staff
