"""What the storm did, as a short table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from storm.evidence import Evidence


@dataclass
class Figures:
    """Counts and seconds of one storm."""

    seed: int
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    weather: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    to_quiet: float = 0.0
    leases_ended: bool = False
    calls: int = 0

    def lines(self, evidence: Evidence) -> list[str]:
        asked = evidence.requests
        deletions = [one.deletion for one in asked if one.deletion]
        repeated = sum(one.tries > 1 for one in asked) + sum(one.tries > 1 for one in deletions)
        states = Counter(one.state for one in evidence.invoices.values() if one.state)
        return [
            _line("kills", sum(self.kills.values()), f"in {self.seconds:.0f} s, seed {self.seed}"),
            *(_line(f"  {name}", count) for name, count in self.kills.most_common()),
            _line("troubles of Autotask", sum(self.weather.values()), _listed(self.weather)),
            _line("payments asked for", len(asked), f"and {len(deletions)} deletions"),
            _line("  accepted", sum(one.accepted for one in asked)),
            _line("  refused", sum(400 <= one.status < 500 for one in asked)),
            _line("  had to be asked again", repeated),
            _line("payments in the portal", len(evidence.payments)),
            _line("deliveries", sum(states.values()), _listed(states)),
            _line("calls to Autotask", self.calls, f"{len(evidence.writes)} of them writes"),
            _line("most calls at a time", max(evidence.most_at_once.values(), default=0)),
            _line("longest until confirmed", f"{self.longest:.1f} s"),
            _line(
                "quiet after",
                f"{self.to_quiet:.1f} s",
                "dead workers' leases ended early" if self.leases_ended else "",
            ),
        ]


def _line(name: str, value: object, more: str = "") -> str:
    return f"{name:<26}{value:>9}  {more}".rstrip()


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
