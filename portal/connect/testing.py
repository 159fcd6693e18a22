"""Test connection: the same questions as before saving, with the stored secret, asked by a person."""

from flask import current_app
from sqlalchemy import select

from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import current_tenant_id
from portal.connect import refused, tries
from portal.connect.calls import find
from portal.connect.errors import ConnectRefused, NotConnected
from portal.connect.opening import Connection, credentials
from portal.connect.usage import add_own_calls, remember
from portal.connect.verify import ConnectRequest, Verified
from portal.extensions import db
from portal.models import AuditEvent, Integration, IntegrationState

EVENT = "integration.tested"


def test_connection(actor: Actor, integration: Integration) -> Verified:
    """Commits, asks Autotask, and commits what came of it. Raises ConnectRefused, or NotConnected.

    One login try: refused, the integration needs reconnecting; accepted, it is connected again.
    """
    if integration.state == IntegrationState.DISCONNECTED:
        raise NotConnected("Autotask is disconnected. Connect it again to go on.")
    connection = Connection.to(integration, "payment")
    request = _request(integration, connection)
    db.session.commit()
    try:
        verified = tries.check(request, current_app.config)
    except ConnectRefused as refusal:
        if refusal.login or refusal.field == "username":
            refused.mark(connection, refusal.sentences[0], actor)
        _note(actor, integration, ok=False, sentences=refusal.sentences)
        raise
    _accepted(actor, connection, verified)
    _note(actor, integration, ok=True, sentences=verified.notes)
    return verified


def last_test(integration: Integration) -> AuditEvent | None:
    """The latest test's audit event: `at`, and details {ok, sentences}."""
    return db.session.scalar(
        select(AuditEvent)
        .where(
            AuditEvent.tenant_id == current_tenant_id(),
            AuditEvent.subject_type == "integration",
            AuditEvent.subject_id == integration.id,
            AuditEvent.event == EVENT,
        )
        .order_by(AuditEvent.position.desc())
        .limit(1)
    )


def _request(integration: Integration, connection: Connection) -> ConnectRequest:
    login = credentials(connection)
    return ConnectRequest(
        email=integration.email,
        username=login.username,
        secret=login.secret,
        identifier=integration.identifier,
        role=integration.role,
    )


def _accepted(actor: Actor, connection: Connection, verified: Verified) -> None:
    row = find(connection.integration_id)
    row.zone_url, row.zone_name = verified.zone.url, verified.zone.name
    row.web_url, row.database_number = verified.zone.web_url, verified.zone.ci
    refused.recover(row, actor)
    add_own_calls(row, verified.calls)
    if verified.currencies is not None:
        row.currencies = verified.currencies
    db.session.commit()
    if verified.threshold is not None:
        reading = verified.threshold
        remember(connection.tenant_id, connection.integration_id, reading, verified.read_at)


def _note(actor: Actor, integration: Integration, *, ok: bool, sentences: list[str]) -> None:
    audit.record(actor, EVENT, "integration", integration.id, ok=ok, sentences=sentences)
    db.session.commit()
