"""How fast the portal may go on. All tools of a partner share Autotask's 10,000 requests an hour."""

from dataclasses import dataclass
from typing import Literal

Purpose = Literal["read", "payment"]
Action = Literal["go", "slow", "stop"]

SLOW_FROM = 0.50
READING_STOPS_AT = 0.75
PAYMENTS_STOP_AT = 0.95
SHORTEST_PAUSE = 0.5
LONGEST_PAUSE = 3.0
LOOK_AGAIN_AFTER = 300.0
USUAL_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Threshold:
    """Autotask's own count: `used` of `limit` requests in the last `minutes`."""

    limit: int
    minutes: int
    used: int

    @property
    def share(self) -> float:
        """The used part, 0.0 and up; a limit that makes no sense counts as the usual 10,000."""
        limit = self.limit if self.limit > 0 else USUAL_LIMIT
        return max(self.used, 0) / limit


@dataclass(frozen=True, slots=True)
class Pace:
    """`seconds` to pause before each call (slow) or until the next look (stop); `reason` is for a person."""

    action: Action
    seconds: float
    reason: str


def pace(threshold: Threshold, purpose: Purpose) -> Pace:
    """Rule 3.6: reading slows down from 50 % and stops at 75 %, payments go on until 95 %."""
    share = threshold.share
    if share >= (PAYMENTS_STOP_AT if purpose == "payment" else READING_STOPS_AT):
        return Pace("stop", LOOK_AGAIN_AFTER, _reason(threshold))
    if purpose == "read" and share >= SLOW_FROM:
        return Pace("slow", _pause(share), _reason(threshold))
    return Pace("go", 0.0, "")


def _pause(share: float) -> float:
    """Grows evenly from half a second at 50 % to three seconds at 75 %."""
    part = (share - SLOW_FROM) / (READING_STOPS_AT - SLOW_FROM)
    return SHORTEST_PAUSE + part * (LONGEST_PAUSE - SHORTEST_PAUSE)


def _reason(threshold: Threshold) -> str:
    limit = threshold.limit if threshold.limit > 0 else USUAL_LIMIT
    return (
        f"{threshold.used:,} of {limit:,} Autotask requests of the last {threshold.minutes} minutes are "
        "used, by this portal and your other tools together."
    )
