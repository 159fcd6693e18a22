"""What was tried to tell Autotask."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Delivery, DeliveryAttempt


def between(
    tries: Mapping[int, Sequence[DeliveryAttempt]],
    delivery: Delivery | None,
    start: datetime,
    end: datetime | None,
    *,
    paid: bool,
) -> list[DeliveryAttempt]:
    """Those that wished it paid, or unpaid, between two instants."""
    if delivery is None:
        return []
    return [
        row
        for row in tries.get(delivery.id, [])
        if (row.wish_paid_on is not None) == paid
        and (row.finished_at or row.started_at) >= start
        and (end is None or row.started_at < end)
    ]


def these(delivery_ids: Iterable[int]) -> Mapping[int, list[DeliveryAttempt]]:
    """The attempts of these deliveries by delivery, in one query."""
    found: dict[int, list[DeliveryAttempt]] = defaultdict(list)
    wanted = list(delivery_ids)
    if not wanted:
        return found
    statement = scoped(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_(wanted))
    for row in db.session.scalars(statement.order_by(DeliveryAttempt.id)):
        found[row.delivery_id].append(row)
    return found
