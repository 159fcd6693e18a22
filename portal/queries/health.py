"""How does the portal do? The checks as they were found a moment ago, each with its last hour, and the alarms of a month."""

from collections.abc import Sequence
from dataclasses import dataclass

from portal import clock, formatters
from portal.extensions import db
from portal.formatters import plural
from portal.models import Alarm, HealthState
from portal.operating import alarms, history
from portal.operating.check import Result
from portal.operating.history import Minute
from portal.operating.latest import looked

# State: badge, words, and the class of a minute's bar.
LOOKS = {
    HealthState.OK: ("up_to_date", "Well", "good"),
    HealthState.LOOK: ("late", "Worth a look", "attention"),
    HealthState.WRONG: ("failed", "Wrong", "risk"),
    HealthState.UNKNOWN: ("unknown", "Not known", "attention"),
}
# A minute in which the poller, which does the looking, was away.
UNWATCHED = "risk"
# Check: endpoint, what it shows there, and the words of the link.
LEADS_TO = {
    "deliveries": ("staff_partners.index", {"show": "trouble"}, "Partners in trouble"),
    "syncs": ("staff_partners.index", {"show": "trouble"}, "Partners in trouble"),
    "mails": ("staff_mails.index", {"state": "waiting"}, "Mails that wait"),
}


@dataclass(frozen=True)
class Bar:
    """One minute of the hour: where it begins, in percent, and how it was."""

    x: str
    tone: str


@dataclass(frozen=True)
class Shown:
    """One check on the page."""

    result: Result
    minutes: Sequence[Minute]

    @property
    def badge(self) -> tuple[str, str]:
        return LOOKS[self.result.finding.state][:2]

    @property
    def link(self) -> tuple[str, dict[str, str], str] | None:
        return LEADS_TO.get(self.result.check.name)

    @property
    def bars(self) -> list[Bar]:
        return [
            Bar(f"{100 * number / 60:.3f}%", LOOKS[minute.state][2] if minute.state else UNWATCHED)
            for number, minute in enumerate(self.minutes)
            if minute.state is not None or minute.is_unwatched
        ]

    @property
    def hour(self) -> str:
        """The same in words."""
        known = [minute for minute in self.minutes if minute.state is not None]
        bad = [minute for minute in known if minute.state not in (HealthState.OK, HealthState.LOOK)]
        if not known:
            return "Nobody looked in the last hour."
        told = f"Well in all of {plural(known, 'look')} of the last hour"
        if bad:
            last = formatters.clock_time(bad[-1].at)
            told = f"Not well in {len(bad)} of {plural(known, 'look')} of the last hour, last at {last}"
        return f"{told}.{self._silence}"

    @property
    def _silence(self) -> str:
        silent = [minute for minute in self.minutes if minute.is_unwatched]
        if not silent:
            return ""
        last = formatters.clock_time(silent[-1].at)
        return f" In {plural(silent, 'minute')} nobody looked, last at {last}: that is not well either."


@dataclass(frozen=True)
class Health:
    checks: Sequence[Shown]
    alarms: Sequence[Alarm]

    @property
    def sentence(self) -> str:
        bad = [shown for shown in self.checks if shown.result.is_wrong]
        if not bad:
            return f"All {len(self.checks)} promises are kept."
        return f"{len(bad)} of {len(self.checks)} promises are not kept. What was recorded is safe."


def open_alarms() -> Sequence[Alarm]:
    """Those that are not over, oldest first."""
    return alarms.open_ones()


def now() -> Health:
    """What is wrong comes first."""
    results = looked()
    hours = history.last_hour(clock.now(), [result.check.name for result in results])
    shown = [Shown(result, hours[result.check.name]) for result in results]
    found = Health(sorted(shown, key=lambda one: not one.result.is_wrong), alarms.lately())
    db.session.commit()
    return found
