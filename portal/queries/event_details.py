"""The smaller lines below an event: why, and what stood there before and after."""

from collections.abc import Mapping
from typing import Any

from portal import formatters
from portal.access.permissions import shown
from portal.models import AuditEvent, Happened, ImportResult
from portal.queries.event_labels import BEFORE_AND_AFTER, LABELS, meaning
from portal.queries.event_records import Records

LONGEST = 120
MOST_LINES = 6
# Told in the sentence, or of no use to a person.
UNTOLD = {"api_key", "before", "after", "allocations", "ids", "state", "error_kind", "name", "email", "ok"}
IN_SENTENCE = {
    "payment.recorded": {"amount", "currency"},
    "payment.deleted": {"amount", "currency"},
    **{f"payment.{kind}": {"amount", "currency"} for kind in Happened},
    "credit.applied": {"amount", "currency", "credit_id", "application_id"},
    "credit.removed": {"amount", "currency", "credit_id", "application_id"},
    "import.done": {"kind", *ImportResult},
    "customer.created": {"currency"},
    "sync_run.started": {"kind"},
    "sync_run.cancelled": {"kind"},
    "delivery.took_over": {"paid_on"},
    "integration.connected": {"username", "role"},
    "integration.reconnected": {"username", "role"},
    "login.factors_reset": {"reason"},
    "file.downloaded": {"file"},
    "integration.disconnected": {"deliveries_owed"},
    "partner.disabled": {"deliveries_owed"},
    "invitation.sent": {"role"},
    "invitation.sent_again": {"role"},
    "invitation.accepted": {"role"},
    "user.added": {"role"},
    "user.removed": {"role"},
    "integration.identifier_set": {"invoices_renumbered"},
    "integration.totals_mode_set": {"invoices_changed"},
}


def lines(event: AuditEvent, records: Records) -> list[str]:
    """Short `name: value` and `name: before → after` lines."""
    details = shown(event.details)
    hidden = UNTOLD | IN_SENTENCE.get(event.event, set())
    found = _changes(event.event, details.get("before"), details.get("after"), records)
    for name, value in details.items():
        plain = isinstance(value, (str, int, float)) and value not in ("", False)
        if name in LABELS and name not in hidden and plain:
            found.append(f"{LABELS[name]}: {_short(meaning(name, value))}")
    found += [str(sentence)[:LONGEST] for sentence in details.get("sentences") or []]
    left_out = len(found) - MOST_LINES
    return (
        [*found[:MOST_LINES], f"and {formatters.count(left_out)} more in the CSV file"]
        if left_out > 0
        else found
    )


def _changes(event: str, before: Any, after: Any, records: Records) -> list[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [
            f"{LABELS[name]}: {_shown(name, before.get(name), records)} → {_shown(name, after.get(name), records)}"
            for name in {**before, **after}
            if name in LABELS and before.get(name) != after.get(name)
        ]
    name = BEFORE_AND_AFTER.get(event)
    return [f"{_shown(name, before, records)} → {_shown(name, after, records)}"] if name else []


def _shown(name: str, value: Any, records: Records) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        labels = records.picklists.get(name, {})
        return ", ".join(str(labels.get(str(one), one)) for one in value) or "any"
    return _short(meaning(name, value)) if value not in (None, "") else "–"


def _short(value: Any) -> str:
    text = "yes" if value is True else formatters.kept(str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
