"""Runs and filters in words for a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal import formatters
from portal.autotask.filters import SyncFilters
from portal.models import Integration, RunState, SyncRun
from portal.sync import counts
from portal.sync.filter_preview_here import Preview

NOTHING = "nothing new"

LISTS = {
    "company_types": "company type",
    "classifications": "classification",
    "territories": "territory",
    "market_segments": "market segment",
}


@dataclass(frozen=True)
class Part:
    """One number of a run, its word, and which of the run's rows it counts (none where they are not kept)."""

    number: int
    word: str
    what: str = ""

    def __str__(self) -> str:
        return f"{self.number:,} {self.word}"


@dataclass(frozen=True)
class Told:
    """A run in one sentence: what stands before its numbers, the numbers, and what stands after them."""

    before: str
    parts: Sequence[Part] = ()
    after: str = ""

    def __str__(self) -> str:
        return self.before + ", ".join(map(str, self.parts)) + self.after


def of_run(run: SyncRun) -> Told:
    """The sentence of a run, such as "Completed in 41 s: 12 new, 3 changed, 1 failed"."""
    if run.state == RunState.WAITING:
        return Told(f"Waits to go on. {run.error}" if run.error else "Waits for its turn.")
    parts = results(run.items)
    if run.state == RunState.RUNNING:
        return _told("Running: ", parts, " so far.", ".")
    took = (run.finished_at - run.started_at) if run.finished_at and run.started_at else None
    after = f" after {formatters.duration(took)}" if took is not None else ""
    if run.state == RunState.COMPLETED:
        return _told(f"Completed in {formatters.duration(took)}: ", parts)
    if run.state == RunState.CANCELLED:
        return _told(f"Cancelled{after}: ", parts)
    return Told(f"Failed{after}. {run.error or ''}".strip())


def _told(before: str, parts: Sequence[Part], end_of_nothing: str = ".", end: str = ".") -> Told:
    return Told(before, parts, end) if parts else Told(f"{before}{NOTHING}{end_of_nothing}")


def results(items: Mapping[str, Any]) -> list[Part]:
    """ "12 new", "3 changed", "1 failed": as far as there are any."""
    whole: counts.Items = {**counts.none_yet(), **items}
    parts = [
        Part(counts.total(whole, "created"), "new"),
        Part(counts.total(whole, "changed"), "changed", "changed"),
        Part(counts.total(whole, "removed"), "removed", "removed"),
        Part(counts.total(whole, "skipped"), "left out"),
        Part(counts.total(whole, "failed"), "failed", "failed"),
    ]
    return [part for part in parts if part.number]


def of_filters(stored: Mapping[str, Any], integration: Integration | None = None) -> list[str]:
    """Each filter as a sentence; "Everything comes in." where there are none."""
    chosen = SyncFilters.from_dict(stored)
    if chosen.empty:
        return ["No filters: everything comes in."]
    labels = stored_labels(integration)
    found = [
        _listed(word, [labels.get(name, {}).get(str(value), str(value)) for value in getattr(chosen, name)])
        for name, word in LISTS.items()
        if getattr(chosen, name)
    ]
    if chosen.active_only:
        found.append("Only active customers.")
    if chosen.contacts == "billing":
        found.append("Only contacts that Autotask marks as billing contacts.")
    if chosen.contacts == "field":
        found.append(
            f"Only contacts whose field {chosen.contact_field} has the value {chosen.contact_value}."
        )
    if chosen.invoices_since:
        found.append(f"Only invoices created since {formatters.day(chosen.invoices_since)}.")
    if chosen.skip_zero_totals:
        found.append("No invoices with a total of zero.")
    return found


def of_preview(found: Preview) -> str:
    """The headline: how much of what Autotask has would be inside."""
    invoices = (
        f" and {found.invoices.inside_then:,} of {formatters.plural(found.all_invoices, 'invoice')}"
        if found.invoices.enter.counted
        else ""
    )
    customers = f"{found.customers.inside_then:,} of {formatters.plural(found.all_customers, 'customer')}"
    return f"{customers}{invoices} in Autotask would be here."


def notes_of_preview(found: Preview) -> list[str]:
    """What the table of a preview leaves out, and why."""
    notes = []
    if not found.invoices.enter.counted:
        notes.append(
            "So many customers fit that counting their contacts and invoices would take too many requests to "
            "Autotask. What comes in is counted by the next sync; what leaves and stays is complete."
        )
    elif found.invoices.enter.number and not found.invoices.enter.added_up:
        notes.append(
            "The amounts of the invoices that come in are not added up, because reading that many would take too "
            "many requests to Autotask. Their number is complete."
        )
    changes = (("customer", found.customers), ("contact", found.contacts), ("invoice", found.invoices))
    unseen = [formatters.plural(change.unseen, word) for word, change in changes if change.unseen]
    if unseen:
        notes.append(
            f"Autotask's count lacks {' and '.join(unseen)} of those that stay: deleted or changed there since the "
            "last sync. The next sync looks at each."
        )
    return notes


def _listed(word: str, values: list[str]) -> str:
    if len(values) == 1:
        return f"Only customers with the {word} {values[0]}; those without a {word} stay out."
    return (
        f"Only customers with one of these {word}s: {', '.join(values)}; those without a {word} stay out."
        if not word.endswith("y")
        else f"Only customers with one of these {word[:-1]}ies: {', '.join(values)}; those without one stay out."
    )


def stored_labels(integration: Integration | None) -> dict[str, dict[str, str]]:
    """Names of picklist values as they were when the filters were saved: {filter: {value: label}}."""
    held = (integration.picklists if integration is not None else None) or {}
    return {name: dict(held[name]) for name in LISTS if name in held}
