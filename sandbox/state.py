"""Remembers across restarts what differs from the seeded data, in one JSON file."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from sandbox.schema import ENTITIES, Entity, amount
from sandbox.store.rows import Row, whole_row
from sandbox.world import World

EVERY_SECONDS = 2.0


def snapshot(world: World, made: dict[str, Any]) -> dict[str, Any]:
    """The differences to the seeded data. `made` says how that was made. Secrets are not in it."""
    with world.db.lock:
        rows = {name: _touched(world, name) for name, table in world.db.tables.items() if table.touched}
        settings = {str(key): world.db.invoice_settings[key] for key in sorted(world.db.settings_touched)}
        highest = {name: table.highest_id for name, table in world.db.tables.items()}
    return {
        "made": made,
        "rows": rows,
        "highest": highest,
        "invoice_settings": settings,
        "switches": world.switches.as_dict(),
        "zone": world.zone,
        "hidden_companies": sorted(world.hidden_companies),
        "users": {user.username: _user(user) for user in world.users.by_name.values()},
    }


def _user(user: Any) -> dict[str, Any]:
    return {
        "active": user.active,
        "locked": user.locked,
        "refusals": user.refusals,
        "forbidden": sorted(user.forbidden),
    }


def _touched(world: World, name: str) -> dict[str, Any]:
    table = world.db[name]
    return {str(key): _plain(table.rows.get(key)) for key in sorted(table.touched)}


def _plain(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    values = {name: value for name, value in row.as_dict().items() if value is not None}
    types = row.shape.entity.fields
    return {name: str(value) if types[name].type == "double" else value for name, value in values.items()}


def restore(world: World, state: dict[str, Any]) -> None:
    """Puts the differences onto freshly seeded data. Switches that another version had are left out."""
    known = world.switches.as_dict()
    world.switches.update({name: value for name, value in state["switches"].items() if name in known})
    with world.db.lock:
        for name, rows in state["rows"].items():
            for key, values in rows.items():
                if values is None:
                    world.db[name].remove(int(key))
                    world.db[name].touched.add(int(key))
                else:
                    world.db[name].put(_row(ENTITIES[name], values))
        for name, highest in state["highest"].items():
            world.db[name].highest_id = highest
        for key, settings in state["invoice_settings"].items():
            world.db.invoice_settings[int(key)] = settings
            world.db.settings_touched.add(int(key))
    world.zone = state["zone"]
    world.hidden_companies = set(state["hidden_companies"])
    for username, held in state["users"].items():
        user = world.users.find(username)
        if user is not None:
            user.locked, user.refusals = held["locked"], held["refusals"]
            user.active = held.get("active", True)
            user.forbidden = set(held["forbidden"])


def _row(entity: Entity, values: dict[str, Any]) -> Row:
    typed: dict[str, Any] = {}
    for name, value in values.items():
        kind = entity.fields[name].type
        if kind == "double":
            value = amount(value)
        elif kind == "udf":
            value = [tuple(one) for one in value]
        typed[name] = value
    return whole_row(entity, typed)


def read(path: Path) -> dict[str, Any] | None:
    """The file's content, or None if there is none yet."""
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


class Saver:
    """Writes the file every few seconds when something changed, and once more at the end."""

    def __init__(self, world: World, path: Path, made: dict[str, Any]) -> None:
        self.world = world
        self.path = path
        self.made = made
        self._written = ""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True, name="sandbox-state")

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self.world.stopped.wait(EVERY_SECONDS):
            self.save()

    def save(self) -> None:
        """Writes the file whole or not at all; one at a time."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        text = json.dumps(snapshot(self.world, self.made), indent=1, default=str)
        if text == self._written:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.path)
        self._written = text
