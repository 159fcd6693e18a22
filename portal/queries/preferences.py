"""The two manual syncs as the Preferences page shows them."""

from dataclasses import dataclass
from datetime import datetime

from portal.models import Integration, SyncKind, SyncRun
from portal.queries import cut, sync_runs
from portal.sync import manual, sentences

CHANGES_SHOWN = 25
WHAT = {
    SyncKind.NEW: (
        "All customers and invoices created or updated since the last completed read, and never less than the "
        "last hour. Autotask does not tell when an invoice was edited: amounts and due dates come with Fetch "
        "Unpaid Invoices."
    ),
    SyncKind.UNPAID: (
        "All unpaid invoices as they are in Autotask now. Every open invoice here that differs (amount, "
        "outstanding, due date and so on) is corrected."
    ),
}


@dataclass(frozen=True)
class Card:
    """One manual sync: may it be pressed now, and what the last one changed."""

    kind: str
    name: str
    what: str
    often: str
    refusal: str | None
    next_at: datetime | None
    running: SyncRun | None
    last: SyncRun | None
    told: sentences.Told | None
    changes: cut.Some


def cards(integration: Integration) -> list[Card]:
    """Fetch New Data and Fetch Unpaid Invoices; none where Autotask is not the primary integration."""
    return [_card(integration, kind) for kind in manual.LIMITS] if integration.is_primary else []


def _card(integration: Integration, kind: SyncKind) -> Card:
    last = manual.last_press(integration, kind)
    refusal = manual.refusal_after(last, integration, kind)
    return Card(
        kind=kind.value,
        name=manual.NAMES[kind],
        what=WHAT[kind],
        often=manual.HOW_OFTEN[kind],
        refusal=str(refusal) if refusal else None,
        next_at=refusal.next_at if refusal else None,
        running=manual.incomplete(integration, kind),
        last=last,
        told=sentences.of_run(last) if last else None,
        changes=sync_runs.newest_changes(last, CHANGES_SHOWN) if last else cut.Some((), 0),
    )
