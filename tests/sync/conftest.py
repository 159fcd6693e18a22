"""A partner connected to a sandbox, and runs carried out in the test's own process."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from portal.access.actor import Actor, Source
from portal.extensions import db
from portal.models import Integration, SyncRun, Tenant
from portal.sync import runs, work
from sandbox import Sandbox
from tests import factories

ACTOR = Actor(source=Source.COMMAND)


@pytest.fixture
def partner(app: Flask) -> Iterator[Tenant]:
    """A partner, in scope for the test."""
    with app.app_context():
        tenant = factories.tenant()
        with factories.inside(tenant):
            yield tenant


@pytest.fixture
def autotask(sandbox: Sandbox) -> Sandbox:
    """An empty Autotask."""
    return sandbox


@pytest.fixture
def connect(app: Flask, partner: Tenant) -> Callable[..., Integration]:
    """Connects the partner to a sandbox; further values replace the usual ones."""

    def make(sandbox: Sandbox, **values: Any) -> Integration:
        usual = {
            "username": sandbox.username,
            "secret": sandbox.secret,
            "zone_url": sandbox.api_url,
            "totals_mode": "without_tax",
        }
        return factories.integration(app, **{**usual, **values})

    return make


def sync(integration: Integration, kind: str = "all", trigger: str = "command", **values: Any) -> SyncRun:
    """A run of this kind, worked on until it ends or waits."""
    run = runs.start(integration, kind, trigger, ACTOR, **values)
    db.session.commit()
    work.perform(run.id)
    db.session.commit()
    return runs.get(run.id)
