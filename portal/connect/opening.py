"""A client for an integration: secret decrypted, every call in its place, counted, and within the budget."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from flask import current_app

from portal import clock, crypto
from portal.autotask import addresses
from portal.autotask.budget import Purpose, Threshold
from portal.autotask.client import Client, Credentials
from portal.autotask.errors import Untrusted
from portal.connect import sentences
from portal.connect.errors import NotConnected, Paused, Unusable
from portal.connect.slots import Slots
from portal.connect.usage import Budget, remembered
from portal.database.outside_transaction import TransactionOpen, in_transaction
from portal.extensions import db
from portal.models import Integration, IntegrationState, Tenant

THRESHOLD = "ThresholdInformation"


class PartnerClient(Client):
    """A client whose calls take places; `slots.held(client, endpoint)` keeps one for a whole read.

    `another()` opens one beside it, for a thread of its own: with places of its own, and the same budget.
    """

    slots: Slots
    another: Callable[[], "PartnerClient"]


@dataclass(frozen=True)
class Connection:
    """What one use of an integration needs. Values, because reading a row may open a transaction."""

    tenant_id: int
    integration_id: int
    username: str
    sealed: bytes = field(repr=False)
    zone_url: str
    purpose: Purpose
    reading: Threshold | None
    read_at: datetime | None

    @classmethod
    def to(cls, integration: Integration, purpose: Purpose) -> "Connection":
        return cls(
            tenant_id=integration.tenant_id,
            integration_id=integration.id,
            username=integration.username,
            sealed=bytes(integration.secret),
            zone_url=integration.zone_url,
            purpose=purpose,
            reading=remembered(integration),
            read_at=integration.usage_read_at,
        )

    def at(self, zone_url: str) -> "Connection":
        return replace(self, zone_url=zone_url)


def client_for(integration: Integration, *, purpose: Purpose = "read") -> PartnerClient:
    """A client that obeys places and budget. Raises NotConnected, or Paused for reading while it waits.

    Nothing happens to the integration when Autotask refuses; that is what `calling` is for.
    """
    return open_client(connection_of(integration, purpose))


def connection_of(integration: Integration, purpose: Purpose) -> Connection:
    """The integration's connection, if it may be used now. Raises NotConnected or Paused."""
    refuse_unusable(integration)
    if purpose == "read" and integration.paused_until and integration.paused_until > clock.now():
        seconds = (integration.paused_until - clock.now()).total_seconds()
        message = f"Reading waits: {integration.pause_reason or 'Autotask limits requests.'}"
        raise Paused(message, retry_after=max(seconds, 1.0), until=integration.paused_until)
    return Connection.to(integration, purpose)


def refuse_unusable(integration: Integration) -> None:
    """Raises NotConnected with the sentence that fits, unless the integration is connected."""
    if db.session.get_one(Tenant, integration.tenant_id).disabled_at is not None:
        raise NotConnected("This partner is disabled, so nothing is asked of Autotask. What is owed stays.")
    if integration.state == IntegrationState.NEEDS_RECONNECTING:
        raise NotConnected(f"Autotask needs reconnecting. {integration.reconnect_reason or ''}".strip())
    if integration.state != IntegrationState.CONNECTED:
        raise NotConnected("Autotask is disconnected. Connect it again to go on.")


def unusable(integration: Integration) -> str:
    """Why no call can be made for a connected integration, as a sentence; "" when one can."""
    if not integration.is_connected:
        return ""
    connection = Connection.to(integration, "payment")
    try:
        address(connection)
        credentials(connection)
    except Unusable as reason:
        return str(reason)
    return ""


def open_client(
    connection: Connection, *, sleep: Callable[[float], None] = time.sleep, budget: Budget | None = None
) -> PartnerClient:
    """The client of a connection; the caller closes it. Unusable when it lacks what every call needs."""
    slots = Slots(connection.tenant_id, connection.integration_id, connection.purpose, sleep)
    shared = budget or _budget(connection, sleep)

    @contextmanager
    def gate(endpoint: str) -> Iterator[None]:
        refuse_open_transaction()
        if endpoint != THRESHOLD:
            shared.before_call(client.threshold)
        with slots.place(endpoint):
            yield

    client = PartnerClient(
        address(connection),
        credentials(connection),
        trusted_hosts=current_app.config["AUTOTASK_TRUSTED_HOSTS"],
        gate=gate,
        sleep=sleep,
    )
    client.slots = slots
    client.another = lambda: open_client(connection, sleep=sleep, budget=shared)
    return client


def _budget(connection: Connection, sleep: Callable[[float], None]) -> Budget:
    return Budget(
        connection.tenant_id,
        connection.integration_id,
        connection.purpose,
        reading=connection.reading,
        read_at=connection.read_at,
        sleep=sleep,
    )


def address(connection: Connection) -> str:
    """Where the integration's calls go. Raises Unusable for what is not trusted (any more)."""
    try:
        return addresses.base_address(connection.zone_url, current_app.config["AUTOTASK_TRUSTED_HOSTS"]).url
    except Untrusted as error:
        raise Unusable(sentences.not_trusted(connection.zone_url)) from error


def credentials(connection: Connection) -> Credentials:
    """Username, secret and this portal's integration code. Raises Unusable when one cannot be had."""
    if not current_app.config["AUTOTASK_INTEGRATION_CODE"]:
        raise Unusable(sentences.NO_CODE)
    where = crypto.place(connection.tenant_id, "integration", "secret", connection.integration_id)
    try:
        secret = crypto.decrypt(current_app.config["ENCRYPTION_KEYS"], where, connection.sealed)
    except crypto.DecryptionError as error:
        raise Unusable(sentences.NO_SECRET) from error
    return Credentials(connection.username, secret, current_app.config["AUTOTASK_INTEGRATION_CODE"])


def refuse_open_transaction() -> None:
    """No transaction stays open while Autotask is asked: commit first."""
    if in_transaction():
        raise TransactionOpen("Commit before calling Autotask; no transaction may be open meanwhile.")
