"""How far a run has come, as its row keeps it for the next worker.

Stored as JSON under names that stay, because two releases can work on one run during a deploy.
"""

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

# Stored below "rest": the last release knows the others only.
IN_REST = ("gone", "checked", "counted", "ended", "judged", "doubted")


@dataclass
class Step:
    """How far one resource was read. `absent` are ids that are here but were not in the answer.

    `gone` are those of the ids up to `checked` that Autotask does not have; `counted` is its own count afterwards;
    `doubted` tells that too much was lacking to be believed.
    """

    last_id: int = -1
    rows: int = 0
    done: bool = False
    complete: bool = False
    absent: list[int] = field(default_factory=list)
    known: int = 0
    read_from: str = ""
    gone: list[int] = field(default_factory=list)
    checked: int = -1
    counted: int | None = None
    ended: bool = False
    judged: bool = False
    doubted: bool = False

    @property
    def started_at(self) -> datetime:
        """When its reading began, by the database's clock."""
        return datetime.fromisoformat(self.read_from)

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Step":
        return cls(**_known(cls, {**kept, **kept.get("rest", {})}))

    def as_json(self) -> dict[str, Any]:
        values = asdict(self)
        rest = {name: values.pop(name) for name in IN_REST}
        new = Step()
        return {
            **values,
            "rest": {name: value for name, value in rest.items() if value != getattr(new, name)},
        }


@dataclass
class Checkpoint:
    """What an interrupted run must know to go on.

    `counts` are Autotask's own, by entity; `all_lines` tells whether every line is read in one query; `everything`
    whether a run of new data reads all; `entered` are companies that came into the filters; `reread` records that a
    person wants to have read again, by subject; `tries` failures in a row;
    `address` where Autotask was read; `pdf` is the PDF row that is asked for now, `deaths` how many workers in a row
    died over a PDF row.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    counts: dict[str, int] | None = None
    all_lines: bool | None = None
    everything: bool | None = None
    entered: list[int] = field(default_factory=list)
    old_lines: bool = False
    asked_all: bool = False
    matched_to: int = 0
    reread: dict[str, list[int]] = field(default_factory=dict)
    tries: int = 0
    address: str = ""
    pdf: int = 0
    deaths: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Checkpoint":
        found = cls(**_known(cls, kept))
        found.steps = {name: Step.of(step) for name, step in kept.get("steps", {}).items()}
        return found

    def begin(self, name: str, now: datetime) -> Step:
        """The step of this name, begun now if it is new."""
        return self.steps.setdefault(name, Step(read_from=now.isoformat()))

    def begun_again(self) -> "Checkpoint":
        """Nothing was read yet; what people asked for and what entered is still known."""
        return Checkpoint(entered=self.entered, reread=self.reread, tries=self.tries)

    def as_json(self) -> dict[str, Any]:
        new = Checkpoint()
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "steps"}
        kept = {name: value for name, value in values.items() if value != getattr(new, name)}
        return {**kept, "steps": {name: step.as_json() for name, step in self.steps.items()}}


def _known(of: type, values: dict[str, Any]) -> dict[str, Any]:
    """What a newer release wrote besides is left out."""
    names = {one.name for one in fields(of)}
    return {name: value for name, value in values.items() if name in names}
