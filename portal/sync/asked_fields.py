"""Asks Autotask only for the fields that are needed, and for all where it does not know one of them."""

from collections.abc import Iterator, Sequence
from typing import Any

from portal.autotask.client import Client
from portal.autotask.errors import Rejected
from portal.autotask.filters import Condition


def pages(
    client: Client, entity: str, conditions: Sequence[Condition], fields: Sequence[str], after_id: int = 0
) -> Iterator[list[Any]]:
    """Pages of raw rows. No fields means all; user-defined ones come only with all."""
    wanted = list(conditions)
    if fields:
        few = client.pages(entity, wanted, include_fields=fields, after_id=after_id)
        try:
            first = next(few)
        except StopIteration:
            return
        except Rejected:
            pass
        else:
            yield first
            yield from few
            return
    yield from client.pages(entity, wanted, after_id=after_id)
