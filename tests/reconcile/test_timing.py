"""When a delivery is due: the same for the query that finds it and for the rule that takes it."""

from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import DateTime, Integer, Text, column, literal, select, values

from portal.extensions import db
from portal.models import DeliveryState
from portal.reconcile import timing
from portal.reconcile.delivery_row import Row

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MOMENTS = [None, *(NOW + timedelta(seconds=seconds) for seconds in (-90, -1, 0, 1, 90))]


def test_sql_and_python_call_the_same_deliveries_due(app):
    dice = Random(7)
    rows = [
        Row(
            None,
            state=dice.choice(list(DeliveryState)),
            next_try_at=dice.choice(MOMENTS),
            lease_until=dice.choice(MOMENTS),
        )
        for _ in range(500)
    ]
    moment = DateTime(timezone=True)
    several = values(
        column("id", Integer), column("state", Text), column("next_try_at", moment), column("lease_until", moment),
        name="several",
    ).data([(number, str(row.state), row.next_try_at, row.lease_until) for number, row in enumerate(rows)])  # fmt: skip
    with app.app_context():
        query = select(several.c.id).where(timing.due(literal(NOW, moment), several.c))
        found = set(db.session.scalars(query))
    due = {number for number, row in enumerate(rows) if timing.is_due(row, NOW)}
    assert found == due
    assert 0 < len(due) < len(rows)
