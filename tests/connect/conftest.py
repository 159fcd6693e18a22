"""An integration that is connected to the sandbox of the test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from portal.models import Integration, Tenant
from sandbox import Sandbox
from tests import factories


@pytest.fixture
def partner(app: Flask) -> Iterator[Tenant]:
    """A partner, in scope for the test."""
    with app.app_context():
        tenant = factories.tenant()
        with factories.inside(tenant):
            yield tenant


@pytest.fixture
def connect_to(app: Flask, partner: Tenant) -> Callable[..., Integration]:
    """Makes the partner's integration with a sandbox; further values replace the usual ones."""

    def make(sandbox: Sandbox, **values: Any) -> Integration:
        usual = {"username": sandbox.username, "secret": sandbox.secret, "zone_url": sandbox.api_url}
        return factories.integration(app, **{**usual, **values})

    return make
