"""The one probe of a refused login after 15 minutes; after that only a person tries (rule 1.8)."""

from sqlalchemy import select

from portal import clock
from portal.access.actor import Actor, Source
from portal.access.tenancy import current_tenant_id, system_scope
from portal.autotask.errors import AutotaskError, Retryable, Unauthorized, UnknownUser, Untrusted
from portal.connect import moving, refused
from portal.connect.errors import NotConnected
from portal.connect.opening import Connection, open_client
from portal.connect.refused import PROBE_AFTER
from portal.extensions import db
from portal.models import Integration, IntegrationState, IntegrationStatus, Tenant

REFUSED = IntegrationState.NEEDS_RECONNECTING


def due_probes() -> list[tuple[int, int]]:
    """(tenant id, integration id) of the integrations whose one probe is due."""
    with system_scope():
        found = db.session.execute(
            select(IntegrationStatus.tenant_id, IntegrationStatus.integration_id)
            .join(Tenant, Tenant.id == IntegrationStatus.tenant_id)
            .where(
                IntegrationStatus.state == REFUSED,
                IntegrationStatus.probe_at <= clock.now(),
                Tenant.disabled_at.is_(None),
            )
        ).all()
        db.session.rollback()
    return [(row.tenant_id, row.integration_id) for row in found]


def probe(integration_id: int) -> bool:
    """Asks Autotask once whether it accepts the login again, and commits. True when it does.

    The zone is looked up first, which is no login. Claimed by emptying `probe_at`, so it happens once however
    many ask; only a probe that sent no login, or got no answer, is planned anew.
    """
    connection = _claim(integration_id)
    if connection is None:
        return False
    try:
        _log_in(moving.named_now(connection, REFUSED) or connection)
    except (Unauthorized, UnknownUser):
        return False
    except (Retryable, NotConnected, Untrusted):
        _plan_again(connection)
        return False
    return _recovered(connection)


def _log_in(connection: Connection) -> None:
    """Raises what says that it was not let in."""
    with open_client(connection) as client:
        try:
            client.threshold()
        except (Retryable, Unauthorized, Untrusted):
            raise
        except AutotaskError:
            pass  # it was let in, whatever else was said


def _recovered(connection: Connection) -> bool:
    integration = refused.locked(connection, REFUSED)
    if integration is not None:
        refused.recover(integration, Actor.system(Source.SCHEDULE))
    db.session.commit()
    return integration is not None


def _claim(integration_id: int) -> Connection | None:
    integration = db.session.scalar(
        select(Integration)
        .where(
            Integration.tenant_id == current_tenant_id(),
            Integration.id == integration_id,
            Integration.state == REFUSED,
            Integration.probe_at <= clock.now(),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    connection = Connection.to(integration, "payment") if integration else None
    if integration is not None:
        integration.probe_at = None
    db.session.commit()
    return connection


def _plan_again(connection: Connection) -> None:
    integration = refused.locked(connection, REFUSED)
    if integration is not None:
        integration.probe_at = clock.now() + PROBE_AFTER
    db.session.commit()
