"""Tables of rows, ascending by id, with the few indexes that Autotask's readers need."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Any

from sandbox.schema import ENTITIES, Entity
from sandbox.store.rows import Row

INDEXED = {
    "Contacts": ("companyID",),
    "Invoices": ("companyID", "paidDate"),
    "BillingItems": ("companyID", "invoiceID"),
    "CompanyLocations": ("companyID",),
}


class Table:
    """The rows of one entity. Not locked by itself: hold `Database.lock`."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.rows: dict[int, Row] = {}
        self.ids: list[int] = []
        self.touched: set[int] = set()
        self.indexes: dict[str, dict[Any, list[int]]] = {name: {} for name in INDEXED.get(entity.name, ())}
        self.highest_id = 0

    def load(self, rows: Iterable[Row]) -> None:
        """Adds many rows whose ids ascend and lie above all there are."""
        fresh = list(rows)
        keys = [row.values[0] for row in fresh]
        self.ids += keys
        self.rows.update(zip(keys, fresh, strict=True))
        for name, index in self.indexes.items():
            for key, row in zip(keys, fresh, strict=True):
                value = row.values[row.shape.index[name]]
                held = index.get(value)
                if held is None:
                    index[value] = [key]
                else:
                    held.append(key)
        if keys:
            self.highest_id = max(self.highest_id, keys[-1])

    def unload(self, keys: range) -> None:
        """Takes out many rows at once, as `load` added them."""
        self.ids = [key for key in self.ids if key not in keys]
        self.rows = {key: row for key, row in self.rows.items() if key not in keys}
        self.touched -= set(keys)
        for index in self.indexes.values():
            for value, held in index.items():
                index[value] = [key for key in held if key not in keys]

    def next_id(self) -> int:
        """An id that was never used."""
        self.highest_id += 1
        return self.highest_id

    def put(self, row: Row) -> Row | None:
        """Adds or replaces one row; gives the one that was there."""
        key = row.id
        before = self.rows.get(key)
        if before is None:
            insort(self.ids, key)
            self.highest_id = max(self.highest_id, key)
        self.rows[key] = row
        self._reindex(key, before, row)
        self.touched.add(key)
        return before

    def remove(self, key: int) -> Row | None:
        """Takes one row out; gives it, or None if there was none."""
        before = self.rows.pop(key, None)
        if before is not None:
            del self.ids[bisect_left(self.ids, key)]
            self._reindex(key, before, None)
            self.touched.add(key)
        return before

    def _reindex(self, key: int, before: Row | None, after: Row | None) -> None:
        for name, index in self.indexes.items():
            old = before.get(name) if before is not None else _ABSENT
            new = after.get(name) if after is not None else _ABSENT
            if old == new:
                continue
            if old is not _ABSENT:
                held = index[old]
                del held[bisect_left(held, key)]
            if new is not _ABSENT:
                insort(index.setdefault(new, []), key)

    def ids_where(self, name: str, value: Any) -> list[int]:
        """Ids of the rows whose indexed field has this value (None: is null), ascending."""
        return self.indexes[name].get(value, [])


_ABSENT = object()


class Database:
    """All tables of one Autotask, and the lock under which they are read and changed."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.tables = {name: Table(entity) for name, entity in ENTITIES.items()}
        self.invoice_settings: dict[int, dict[str, Any]] = {}
        self.settings_touched: set[int] = set()
        self.picklists: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self.udf_definitions: dict[str, list[dict[str, Any]]] = {name: [] for name in ENTITIES}

    def __getitem__(self, name: str) -> Table:
        return self.tables[name]
