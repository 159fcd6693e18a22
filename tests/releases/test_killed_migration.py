"""The newest migration, killed before some of its statements: every next try goes on. All of them: `bin/drill migrations`."""

import pytest
from alembic.script import ScriptDirectory
from flask_migrate import upgrade

from drill import killed_migrations
from portal import config, create_app
from portal.extensions import db
from tests.fixtures.servers import TEMPLATE, Servers, settings
from tests.rules.test_imports import ROOT

EVERY = 6  # statements


@pytest.mark.faults
def test_a_migration_that_is_killed_in_its_middle_is_finished_by_the_next_try(
    servers: Servers, empty_database: str, redis_url: str
) -> None:
    folder, name = str(ROOT / "migrations"), empty_database.rpartition("/")[2]
    one_before = ScriptDirectory(folder).get_revision("head").down_revision
    app = create_app(config.load(settings(empty_database, redis_url)))
    with app.app_context():
        upgrade(folder, str(one_before))
        db.engine.dispose()
    assert killed_migrations.kills_of(app, empty_database, EVERY) >= 1
    whole, killed = (servers.database(one, "postgres") for one in (TEMPLATE, name))
    assert killed_migrations.differences_of(whole, killed) == []
