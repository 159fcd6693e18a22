"""A partner connected to a sandbox, and runs carried out in the test's own process."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.access.actor import Actor, Source
from portal.access.tenancy import current_tenant_id
from portal.connect import sync_minutes
from portal.extensions import db
from portal.models import Integration, SyncChange, SyncRun, Tenant
from portal.sync import perform, runs
from sandbox import Sandbox
from tests import factories
from tests.fixtures.people import with_factor_proved

ACTOR = Actor(source=Source.COMMAND)


@pytest.fixture
def partner(app: Flask) -> Iterator[Tenant]:
    """A partner, in scope for the test."""
    with app.app_context():
        tenant = factories.tenant()
        with factories.inside(tenant):
            yield tenant


@pytest.fixture
def empty(app: Flask) -> Iterator[Sandbox]:
    """An Autotask without customers and invoices, which the app finds and trusts."""
    with Sandbox(customers=0, invoices=0) as running:
        app.config["AUTOTASK_DISCOVERY_URL"] = running.discovery_url
        app.config["AUTOTASK_TRUSTED_HOSTS"] = ["127.0.0.1"]
        yield running


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


def planned(integration: Integration) -> Integration:
    """The integration with its schedule, as connecting leaves it unless filters come first."""
    sync_minutes.plan(integration)
    db.session.commit()
    return integration


def sync(integration: Integration, kind: str = "all", trigger: str = "command", **values: Any) -> SyncRun:
    """A run of this kind, worked on until it ends or waits."""
    run = runs.start(integration, kind, trigger, ACTOR, **values)
    db.session.commit()
    perform.perform(run.id)
    db.session.commit()
    return runs.get(run.id)


@pytest.fixture
def browse(app: Flask, partner: Tenant) -> Callable[..., FlaskClient]:
    """A browser in which somebody with this role is logged in."""

    def make(role: str = "owner") -> FlaskClient:
        person = factories.member(partner, role)
        browser = app.test_client()
        with_factor_proved(browser, person.email)
        return browser

    return make


@pytest.fixture
def at(partner: Tenant) -> Callable[[str], str]:
    return lambda path: f"/p/{partner.slug}{path}"


def rows(model: Any, **where: Any) -> list[Any]:
    """The partner's rows of a table as the database holds them now, by id."""
    db.session.commit()
    query = select(model).where(model.tenant_id == current_tenant_id()).filter_by(**where)
    return list(db.session.scalars(query.order_by(model.id).execution_options(populate_existing=True)))


def one(model: Any, **where: Any) -> Any:
    (row,) = rows(model, **where)
    return row


def changes(run: SyncRun) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """(label, field) to (old value, new value) of what a run changed."""
    return {(row.label, row.field): (row.old_value, row.new_value) for row in rows(SyncChange, run_id=run.id)}
