"""The smaller lines below an event: why, and what stood there before and after."""

from collections.abc import Mapping
from typing import Any

from portal import formatters
from portal.access.permissions import shown
from portal.formatters import DATE_FORMATS, NUMBER_EXAMPLES
from portal.models import AuditEvent, ImportResult
from portal.queries.event_records import Records

LONGEST = 120
MOST_LINES = 6
# Told in the sentence, or of no use to a person.
UNTOLD = {"api_key", "before", "after", "allocations", "ids", "state", "error_kind", "name", "email", "ok"}
IN_SENTENCE = {
    "payment.recorded": {"amount", "currency"},
    "payment.deleted": {"amount", "currency"},
    "credit.applied": {"amount", "currency", "credit_id", "application_id"},
    "credit.removed": {"amount", "currency", "credit_id", "application_id"},
    "import.done": {"kind", *ImportResult},
    "customer.created": {"currency"},
    "sync_run.started": {"kind"},
    "sync_run.cancelled": {"kind"},
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
WORDS = {
    **DATE_FORMATS, **NUMBER_EXAMPLES, "date_format": "Dates", "number_format": "Amounts",
    "second_factor_for_all": "Second factor for everybody", "support_access": "Support",
    "company_types": "Company types", "classifications": "Classifications", "territories": "Territories",
    "market_segments": "Market segments", "active_only": "Only active customers", "invoices_since": "Invoices since",
    "skip_zero_totals": "Zero totals left out", "contacts": "Contacts", "contact_field": "Contacts' field",
    "contact_value": "Its value", "with_tax": "with tax", "without_tax": "without tax", "id": "Autotask ID",
}  # fmt: skip


def lines(event: AuditEvent, records: Records) -> list[str]:
    """Short `name: value` and `name: before → after` lines."""
    details = shown(event.details)
    hidden = UNTOLD | IN_SENTENCE.get(event.event, set())
    found = _changes(details.get("before"), details.get("after"), records)
    for name, value in details.items():
        plain = isinstance(value, (str, int, float)) and value not in ("", False)
        if name not in hidden and not name.endswith("_id") and plain:
            found.append(f"{_word(name)}: {_short(value)}")
    found += [str(sentence)[:LONGEST] for sentence in details.get("sentences") or []]
    left_out = len(found) - MOST_LINES
    return (
        [*found[:MOST_LINES], f"and {formatters.count(left_out)} more in the CSV file"]
        if left_out > 0
        else found
    )


def _changes(before: Any, after: Any, records: Records) -> list[str]:
    if before is None and after is None:
        return []
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return [f"{_shown('', before, records)} → {_shown('', after, records)}"]
    return [
        f"{_word(name)}: {_shown(name, before.get(name), records)} → {_shown(name, after.get(name), records)}"
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]


def _shown(name: str, value: Any, records: Records) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        labels = records.picklists.get(name, {})
        return ", ".join(str(labels.get(str(one), one)) for one in value) or "any"
    return _short(WORDS.get(value, value)) if value not in (None, "") else "–"


def _word(name: str) -> str:
    return WORDS.get(name) or name.replace("_", " ").capitalize()


def _short(value: Any) -> str:
    text = "yes" if value is True else formatters.kept(str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
