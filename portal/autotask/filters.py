"""What a partner wants to have synced: several values of one filter are OR, several filters AND (rule 2).

The conditions of Autotask's query language are here as well, for those who build queries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from portal.autotask.conditions import (
    Condition,
    Filter,
    all_of,
    any_of,
    any_value,
    created_since,
    equals,
    everything,
    has_user_defined,
    id_above,
    ids_in,
    listed,
    modified_since,
    nonzero_total,
    since,
    start_of,
    unpaid_invoices,
)

__all__ = [
    "Condition",
    "Filter",
    "SyncFilters",
    "all_of",
    "any_of",
    "any_value",
    "contact_conditions",
    "created_since",
    "customer_conditions",
    "equals",
    "everything",
    "has_user_defined",
    "id_above",
    "ids_in",
    "invoice_conditions",
    "listed",
    "matches_contact",
    "matches_customer",
    "matches_invoice",
    "modified_since",
    "nonzero_total",
    "since",
    "start_of",
    "unpaid_invoices",
]

# Together with what else a query carries this stays below Autotask's 500 OR conditions.
MOST_VALUES = 400
_LONGEST_TEXT = 255
_LISTS = {
    "company_types": ("companyType", "company_type"),
    "classifications": ("classification", "classification"),
    "territories": ("territoryID", "territory_id"),
    "market_segments": ("marketSegmentID", "market_segment_id"),
}


@dataclass(frozen=True, slots=True)
class SyncFilters:
    """Empty means everything. `contacts`: "all", "billing" or "field" (contact_field has contact_value)."""

    company_types: tuple[int, ...] = ()
    classifications: tuple[int, ...] = ()
    territories: tuple[int, ...] = ()
    market_segments: tuple[int, ...] = ()
    active_only: bool = False
    invoices_since: date | None = None
    skip_zero_totals: bool = False
    contacts: str = "all"
    contact_field: str = ""
    contact_value: str = ""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any] | None) -> "SyncFilters":
        """From JSON. Raises ValueError with a sentence for a person when it makes no sense."""
        stored = stored or {}
        unknown = set(stored) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"There is no filter named {sorted(map(str, unknown))[0]}.")
        made = cls(
            **{name: _whole_numbers(stored.get(name)) for name in _LISTS},
            active_only=_yes_or_no(stored.get("active_only")),
            invoices_since=_day(stored.get("invoices_since")),
            skip_zero_totals=_yes_or_no(stored.get("skip_zero_totals")),
            contacts=_choice(stored.get("contacts")),
            contact_field=_text(stored.get("contact_field")),
            contact_value=_text(stored.get("contact_value")),
        )
        return made._checked()

    def _checked(self) -> "SyncFilters":
        if sum(len(getattr(self, name)) for name in _LISTS) > MOST_VALUES:
            raise ValueError(f"Choose at most {MOST_VALUES} values in all filters together.")
        if self.contacts == "field" and not (self.contact_field and self.contact_value):
            raise ValueError("Name the user-defined field and the value that contacts must have.")
        return self

    def to_dict(self) -> dict[str, Any]:
        """JSON that from_dict reads back to an equal value."""
        stored: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        stored.update({name: list(stored[name]) for name in _LISTS})
        stored["invoices_since"] = self.invoices_since.isoformat() if self.invoices_since else None
        return stored

    @property
    def empty(self) -> bool:
        return self == SyncFilters()


def customer_conditions(chosen: SyncFilters) -> list[Condition]:
    """For queries on Companies."""
    found = [
        any_value(wire_name, getattr(chosen, name))
        for name, (wire_name, _) in _LISTS.items()
        if getattr(chosen, name)
    ]
    return [*found, equals("isActive", True)] if chosen.active_only else found


def contact_conditions(chosen: SyncFilters) -> list[Condition]:
    """For queries on Contacts."""
    if chosen.contacts == "billing":
        return [equals("billingContact", True)]
    if chosen.contacts == "field":
        return [has_user_defined(chosen.contact_field, chosen.contact_value)]
    return []


def invoice_conditions(chosen: SyncFilters, zone_name: str = "UTC") -> list[Condition]:
    """For queries on Invoices; the day begins at midnight in the partner's zone."""
    found = []
    if chosen.invoices_since:
        found.append(created_since(start_of(chosen.invoices_since, zone_name)))
    return [*found, nonzero_total()] if chosen.skip_zero_totals else found


def matches_customer(chosen: SyncFilters, record: Mapping[str, Any]) -> bool:
    """Whether a company of records.company() is inside the filters; one without the attribute is not."""
    for name, (_, ours) in _LISTS.items():
        wanted = getattr(chosen, name)
        if wanted and record.get(ours) not in wanted:
            return False
    return not chosen.active_only or record.get("active") is True


def matches_contact(chosen: SyncFilters, record: Mapping[str, Any]) -> bool:
    """Whether a contact of records.contact() is inside the  Autotask compares without regard to case."""
    if chosen.contacts == "billing":
        return record.get("billing") is True
    if chosen.contacts != "field":
        return True
    wanted = _folded(chosen.contact_value)
    own = (record.get("user_defined") or {}).items()
    return any(
        _folded(name) == _folded(chosen.contact_field) and _folded(value) == wanted for name, value in own
    )


def matches_invoice(chosen: SyncFilters, record: Mapping[str, Any], zone_name: str = "UTC") -> bool:
    """Whether an invoice of records.invoice() is inside the"""
    if chosen.invoices_since:
        created = record.get("created_at")
        if created is None or created < start_of(chosen.invoices_since, zone_name):
            return False
    return not chosen.skip_zero_totals or record.get("total_raw") not in (None, 0)


def _folded(text: str) -> str:
    return text.strip().casefold()


def _whole_numbers(value: Any) -> tuple[int, ...]:
    values = [] if value is None else value
    if not isinstance(values, (list, tuple)) or any(type(item) is not int for item in values):
        raise ValueError("Choose the filter's values from the list.")
    return tuple(sorted(set(values)))


def _yes_or_no(value: Any) -> bool:
    if value not in (None, True, False):
        raise ValueError("A filter must be on or off.")
    return bool(value)


def _day(value: Any) -> date | None:
    if value in (None, ""):
        return None
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("Enter a day for invoices created since.") from None


def _choice(value: Any) -> str:
    if value not in (None, "all", "billing", "field"):
        raise ValueError("Choose which contacts are synced.")
    return value or "all"


def _text(value: Any) -> str:
    text = "" if value is None else value
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT or not (text.isprintable() or not text):
        raise ValueError("Use plain text of at most 255 characters for the field and its value.")
    return text.strip()
