"""Fixtures of webhooks: the receiving server, and a partner that sends there."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import Event, Tenant, WebhookEndpoint, WebhookMessage
from portal.webhooks import endpoints, kinds, send, signing
from portal.webhooks.endpoints import Wanted
from tests import factories
from tests.webhooks.receiver import Receiver, listening, receiver

__all__ = ["Sender", "listening", "receiver", "sender"]


class Sender:
    """A partner with one endpoint at the receiver, inside its scope."""

    def __init__(self, partner: Tenant, receiver: Receiver) -> None:
        self.partner, self.receiver, self.secret = partner, receiver, signing.new_secret()
        wanted = Wanted(receiver.url, "ERP", kinds.OFFERED)
        self.endpoint_id = endpoints.create(factories.ACTOR, wanted, self.secret).id
        self.customer = factories.customer()
        db.session.commit()

    def bill(self, number: str) -> Any:
        return factories.invoice(db.session.merge(self.customer), "100.00", number=number)

    def drain(self) -> int:
        return send.drain(self.partner.id, self.endpoint_id)

    @property
    def endpoint(self) -> WebhookEndpoint:
        return db.session.scalars(scoped(WebhookEndpoint).execution_options(populate_existing=True)).one()

    @property
    def messages(self) -> list[WebhookMessage]:
        query = scoped(WebhookMessage).join(Event, Event.id == WebhookMessage.event_id).order_by(Event.id)
        return list(db.session.scalars(query.execution_options(populate_existing=True)))

    def run(self, statement: str, **values: Any) -> None:
        db.session.execute(db.text(statement), values)
        db.session.commit()

    def rested(self) -> None:
        """As when the endpoint's rest is over."""
        self.run("UPDATE webhook_endpoint SET rests_until = now() - interval '1 second'")

    def all_due(self) -> None:
        """As when every pause is over."""
        self.run("UPDATE webhook_message SET due_at = now() - interval '1 second' WHERE state = 'waiting'")
        self.rested()


@pytest.fixture
def sender(app: Flask, receiver: Receiver) -> Iterator[Sender]:
    with app.app_context():
        partner = factories.tenant("northwind")
        factories.member(partner, email="owner@northwind.example")
        with factories.inside(partner):
            yield Sender(partner, receiver)
