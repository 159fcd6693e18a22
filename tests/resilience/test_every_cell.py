"""Each part away, each thing that people and the portal do: only without PostgreSQL are people stopped, and told so.

A part is taken away once, for all its cells; then it comes back, and what waited is done.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest

from portal import config, create_app
from portal.connect import sync_minutes
from portal.extensions import db
from sandbox import Sandbox
from tests import factories
from tests.fixtures.form_tokens import Browser
from tests.fixtures.servers import TEMPLATE, Servers, create_database, drop_database, settings
from tests.resilience.making_ready import Row, make_ready
from tests.resilience.portal_at_work import AtWork
from tests.resilience.table import COLUMNS, ROWS, expected, in_words
from tests.resilience.taking_away import WITHOUT
from tests.rules.test_imports import ROOT

REDIS_NUMBERS = 40  # from here on: the first ones are the other tests'


@pytest.fixture(scope="module")
def at_work(servers: Servers, worker_name: str) -> Iterator[AtWork]:
    name, number = (
        f"cells_{worker_name}",
        REDIS_NUMBERS + int(worker_name.removeprefix("gw").replace("main", "20")),
    )
    create_database(servers, name, TEMPLATE)
    app = create_app(config.load(settings(servers.database(name), servers.redis(number))))
    app.config["RATELIMIT_ENABLED"] = False
    app.test_client_class = Browser
    with (
        Sandbox(customers=0, invoices=0) as autotask,
        psycopg.connect(servers.database(name, "postgres"), autocommit=True) as superuser,
    ):
        app.config["AUTOTASK_DISCOVERY_URL"] = autotask.discovery_url
        app.config["AUTOTASK_TRUSTED_HOSTS"] = ["127.0.0.1"]
        with app.app_context():
            partner = factories.tenant("northwind")
            with factories.inside(partner):
                key = autotask.add_company(companyName="Acme")
                integration = factories.connected_to(autotask, app, totals_mode="without_tax")
                sync_minutes.plan(integration)
                customer = factories.customer(integration, autotask_id=key, name="Acme").id
        yield AtWork(app, autotask, superuser, partner.id, (customer, key))
        with app.app_context():
            db.engine.dispose()
    drop_database(servers, name)


@dataclass
class Away:
    """A part that is away until `ended`."""

    part: str
    at_work: AtWork
    row: Row
    ending: ExitStack


@pytest.fixture(scope="module", params=ROWS)
def away(request: pytest.FixtureRequest, at_work: AtWork) -> Iterator[Away]:
    row = make_ready(at_work)
    with ExitStack() as ending:
        ending.enter_context(WITHOUT[request.param](at_work))
        yield Away(request.param, at_work, row, ending)


@pytest.mark.parametrize("column", COLUMNS)
def test_what_people_and_the_portal_do_meanwhile(away: Away, column: str) -> None:
    does = getattr(away.at_work, column.lower().replace(" ", "_"))
    with away.at_work.meanwhile():
        came_of_it = does(away.row)
    assert came_of_it == expected(away.part, column)


def test_and_what_waited_is_done_when_it_is_back(away: Away) -> None:
    away.ending.close()
    away.at_work.all_is_done(away.row)


def test_only_postgresql_stops_people() -> None:
    stopped = {row for row in ROWS if "503 in words" in ROWS[row][0].values()}
    assert stopped == {"PostgreSQL"}
    assert len(ROWS) * len(COLUMNS) == 90


def test_the_page_holds_the_table() -> None:
    assert in_words() in (ROOT / "docs" / "reliability.md").read_text(), in_words()
