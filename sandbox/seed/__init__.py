"""Data like a real managed service provider's, the same for the same seed."""

from __future__ import annotations

import random
from datetime import date

from sandbox.seed import companies, invoices, reference
from sandbox.world import World


def sow(world: World, seed: int, customers: int, invoice_count: int, today: date) -> None:
    """Fills an empty world. `customers=0` gives reference data only (currencies, tax regions, terms, picklists)."""
    reference.sow(world)
    if customers < 1:
        if invoice_count:
            raise ValueError("invoices need customers")
        return
    draw = random.Random(seed)
    made = companies.sow(world, draw, customers, today)
    invoices.sow(world, draw, made, invoice_count, today)
    for table in world.db.tables.values():
        table.touched.clear()
