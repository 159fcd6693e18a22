"""What Autotask's entities look like: fields, types and flags.

`fields.json` holds the names and types of the vendor's Swagger file and the flags
(read-only, required, picklist, reference, queryable) of its developer help.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

Encoder = Callable[[Any], str]


@dataclass(frozen=True)
class Field:
    """One field of an entity. `type` is integer, long, double, boolean, string, datetime or udf."""

    name: str
    type: str
    max: int | None = None
    required: bool = False
    read_only: bool = False
    picklist: bool = False
    ref: str = ""
    queryable: bool = True


@dataclass(frozen=True)
class Entity:
    """One kind of record: `name` as in URLs ("Invoices"), `single` as in error texts ("Invoice")."""

    name: str
    single: str
    can: str
    has_udf: bool
    fields: dict[str, Field]
    by_lower: dict[str, Field] = field(repr=False)

    def find(self, name: str) -> Field | None:
        """The field of that name in any letter case, as Autotask finds it."""
        return self.by_lower.get(name.lower())

    @property
    def writable(self) -> list[Field]:
        return [one for one in self.fields.values() if not one.read_only]


def _field(raw: dict[str, Any]) -> Field:
    return Field(
        name=raw["name"],
        type=raw["type"],
        max=raw.get("max"),
        required=raw.get("required", False),
        read_only=raw.get("readOnly", False),
        picklist=raw.get("picklist", False),
        ref=raw.get("ref", ""),
        queryable=raw.get("queryable", True),
    )


def _entity(name: str, raw: dict[str, Any]) -> Entity:
    fields = [_field(one) for one in raw["fields"]]
    if raw["udf"]:
        fields.append(Field("userDefinedFields", "udf"))
    return Entity(
        name=name,
        single=raw["name"],
        can=raw["can"],
        has_udf=raw["udf"],
        fields={one.name: one for one in fields},
        by_lower={one.name.lower(): one for one in fields},
    )


def _load() -> dict[str, Entity]:
    raw = json.loads((Path(__file__).parent / "fields.json").read_text(encoding="utf-8"))
    return {name: _entity(name, one) for name, one in raw.items()}


ENTITIES: dict[str, Entity] = _load()
ENTITIES_BY_LOWER: dict[str, Entity] = {name.lower(): one for name, one in ENTITIES.items()}

MONEY_STEP = Decimal("0.0001")


def amount(value: Any) -> Decimal:
    """An exact Decimal with four decimals at most, as Autotask stores money.

    Takes Decimal, int, str or float (by its shortest text). Raises ValueError for what is no finite number.
    """
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except ArithmeticError as error:
        raise ValueError(f"not a number: {value!r}") from error
    if not number.is_finite():
        raise ValueError(f"not a finite number: {value!r}")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -4 <= exponent <= 0:
        return number
    return number.quantize(MONEY_STEP)
