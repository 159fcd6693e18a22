"""Keys of payments are kept for 30 days: rule 5.2."""

from datetime import timedelta

from sqlalchemy import func, select

from portal import clock
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import IdempotencyKey
from portal.reconcile import idempotency
from tests import factories


def test_the_hourly_upkeep_forgets_keys_after_30_days_and_not_before(app):
    with app.app_context():
        for age in (29, 31):
            partner = factories.tenant()
            with tenant_scope(partner.id):
                key, _ = idempotency.claim("payment", f"k-{age}", {"amount": "1.00"})
                key.created_at = clock.now() - timedelta(days=age)
                db.session.commit()
        assert idempotency.forget_everywhere() == 1
        assert idempotency.forget_everywhere() == 0
        with tenant_scope(partner.id):
            assert db.session.scalar(select(func.count()).select_from(IdempotencyKey)) == 0
