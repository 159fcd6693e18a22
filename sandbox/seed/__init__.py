"""Data like a real managed service provider's, the same for the same seed."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from sandbox.seed import companies, invoices, reference
from sandbox.world import World

BIG = 20_000


def sow(world: World, seed: int, customers: int, invoice_count: int, today: date) -> None:
    """Fills an empty world. `customers=0` gives reference data only."""
    reference.sow(world)
    if customers < 1:
        if invoice_count:
            raise ValueError("invoices need customers")
        return
    draw = random.Random(seed)
    with _undisturbed(invoice_count >= BIG):
        made = companies.sow(world, draw, customers, today)
        invoices.sow(world, draw, made, invoice_count, today)
    for name in ("Companies", "Contacts"):  # wide rows: the first reader should not wait for their text
        for row in world.db[name].rows.values():
            row.json(world.switches.dates_z)
    for table in world.db.tables.values():
        table.touched.clear()


@contextmanager
def _undisturbed(big: bool) -> Iterator[None]:
    """Keeps the garbage collector from walking over half a million rows again and again, now and later."""
    if not big or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
