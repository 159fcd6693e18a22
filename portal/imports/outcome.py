"""What one given record led to, and what speaks against it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import insert

from portal import serializers
from portal.extensions import db
from portal.models import ImportResult
from portal.money import plain


@dataclass(frozen=True)
class Refusal:
    """Why a record is not taken: the field to look at, and a sentence."""

    field: str
    sentence: str


TWICE = Refusal("external_id", "This external_id stands more than once in what was sent.")


def owned(noun: str) -> Refusal:
    return Refusal("", f"Autotask owns this {noun}. Change it there; the next sync brings it here.")


@dataclass(frozen=True)
class Outcome:
    """`changes` is {field: (old, new)} as text, in the order of the fields."""

    external_id: str
    result: ImportResult
    row_id: int | None = None
    label: str = ""
    refusals: Sequence[Refusal] = ()
    changes: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def is_created(self) -> bool:
        return self.result == ImportResult.CREATED

    @property
    def is_refused(self) -> bool:
        return self.result == ImportResult.REFUSED


def refused(external_id: str, refusals: Sequence[Refusal]) -> Outcome:
    return Outcome(external_id, ImportResult.REFUSED, refusals=refusals)


def taken(external_id: str, row_id: int, label: str, changes: Mapping[str, tuple[str, str]]) -> Outcome:
    """A record that was here before: changed, or as it was."""
    result = ImportResult.CHANGED if changes else ImportResult.UNCHANGED
    return Outcome(external_id, result, row_id, label, changes=changes)


def compared(row: Any, values: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The fields of a row that differ from the values, each as (old, new) in words."""
    currency = getattr(row, "currency", "")
    return {
        name: (shown(getattr(row, name), currency), shown(value, currency))
        for name, value in values.items()
        if getattr(row, name) != value
    }


def shown(value: Any, currency: str = "") -> str:
    """An amount has its currency's decimals, or more where it has more."""
    if isinstance(value, Decimal):
        text = plain(value, currency) if currency else ""
        return text if text and Decimal(text) == value else serializers.number(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else str(value)


def made(model: Any, found: Sequence["Outcome | dict[str, Any]"]) -> list[Outcome]:
    """Adds the rows of those that are new, in one statement; the outcomes of all."""
    new = [one for one in found if isinstance(one, dict)]
    rows = db.session.execute(insert(model).returning(model.external_id, model.id), new) if new else ()
    ids = {row.external_id: row.id for row in rows}
    return [
        one
        if isinstance(one, Outcome)
        else Outcome(
            one["external_id"],
            ImportResult.CREATED,
            ids[one["external_id"]],
            one.get("name") or one["number"],
        )
        for one in found
    ]


def seen(found: Sequence["Outcome | dict[str, Any]"]) -> list[Outcome]:
    """The outcomes that taking them would have: those to add have no row yet."""
    return [
        one
        if isinstance(one, Outcome)
        else Outcome(one["external_id"], ImportResult.CREATED, label=one.get("name") or one["number"])
        for one in found
    ]


def repeated(external_ids: Iterable[str]) -> set[str]:
    """Those that stand more than once."""
    seen: set[str] = set()
    return {one for one in external_ids if one in seen or seen.add(one)}  # type: ignore[func-returns-value]
