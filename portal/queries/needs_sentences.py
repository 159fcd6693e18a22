"""Sentences about deliveries that Autotask was not told of yet."""

from collections.abc import Sequence
from dataclasses import dataclass

from portal import formatters
from portal.ledger.unconfirmed import Group, Why

BECAUSE = {
    Why.DISCONNECTED: "Autotask is disconnected; they go out by themselves once it is connected again",
    Why.REFUSED: "Autotask refuses the key and secret; they go out by themselves once it accepts a login again",
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


def line_of(groups: Sequence[Group]) -> Line:
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
        f" {'waits' if one else 'wait'} for Autotask since {since}, because {because(why, error, one=one)}."
    )
    before = "The payment of " if one else "Payments of "
    kind = groups[0].error_kind if why == Why.TROUBLE else ""
    return Line(number, before, counted, after, bool(late), why, kind)


def because(why: Why, error: str, *, one: bool) -> str:
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
