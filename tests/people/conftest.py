"""A partner, its people, and the links in the mails that they get."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest
from flask import Flask
from sqlalchemy import select

from portal.access.tenancy import people_scope, tenant_scope
from portal.extensions import db
from portal.mail import outbox
from portal.models import Mail, Tenant
from tests import factories


@pytest.fixture
def partner(app: Flask) -> Tenant:
    with app.app_context():
        return factories.tenant("northwind", name="Northwind IT")


@pytest.fixture
def link(app: Flask) -> Callable[..., str]:
    """`link(kind, partner=None)`: the path in the newest mail of a kind, of a partner or of people."""

    def newest(kind: str, partner: Tenant | None = None) -> str:
        scope: AbstractContextManager[None] = tenant_scope(partner.id) if partner else people_scope()
        with app.app_context(), scope:
            mail = db.session.scalars(select(Mail).where(Mail.kind == kind).order_by(Mail.id.desc())).first()
            assert mail is not None
            path = outbox.link_of(mail)
            assert path is not None
            return path

    return newest


@pytest.fixture
def at_once(app: Flask) -> Callable[..., list[object]]:
    """Runs jobs at the same time, each with a connection of its own; results, or what was raised."""

    def run_all(*jobs: Callable[[], object]) -> list[object]:
        def run(job: Callable[[], object]) -> object:
            with app.app_context():
                try:
                    return job()
                except Exception as error:
                    db.session.rollback()
                    return error
                finally:
                    db.session.remove()

        with ThreadPoolExecutor(len(jobs)) as pool:
            return list(pool.map(run, jobs))

    return run_all
