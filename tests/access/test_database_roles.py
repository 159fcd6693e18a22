"""Two roles: what serves cannot lift the walls that hold it. One role: it is said, and what can be checked is."""

import json
import secrets
import subprocess
from contextlib import contextmanager

import psycopg
import pytest
from structlog.testing import capture_logs

from portal import config, create_app
from portal.extensions import db
from tests.fixtures.servers import ROOT, settings

DRIVE = ROOT / "tests" / "releases" / "drive.py"


@pytest.fixture
def serving_url(servers, empty_database, worker_name):
    """A second role, which owns nothing, at a database that the usual one owns."""
    role, password = f"serving_{worker_name}", secrets.token_urlsafe(12)
    with psycopg.connect(servers.database("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {role}")
        connection.execute(f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{password}'")
    name = empty_database.rpartition("/")[2]
    yield f"postgresql://{role}:{password}@127.0.0.1:{servers.postgres_port}/{name}"
    with psycopg.connect(servers.database(name, "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


@pytest.fixture
def two_roles(serving_url, empty_database, redis_url, python):
    """Runs a program of the portal with both addresses; the schema is there."""
    environment = settings(serving_url, redis_url) | {"DATABASE_OWNER_URL": empty_database, "PATH": ""}

    def run(*words):
        done = subprocess.run([python, *words], env=environment, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    run("-m", "flask", "--app", "wsgi", "db", "upgrade")
    return run


def test_the_role_that_serves_can_do_all_the_work_and_lift_no_wall(
    two_roles, serving_url, empty_database, tmp_path
):
    two_roles(str(DRIVE), "fill")
    seen = json.loads(two_roles(str(DRIVE), "use", "1").stdout.splitlines()[-1])
    assert not {name: code for name, code in seen.items() if code >= 500}
    assert (seen["login"], seen["api: pay"], seen["poller: deliveries"]) == (303, 201, 1)
    verified = two_roles("-m", "flask", "--app", "wsgi", "partners", "verify-audit", "northwind").stdout
    assert json.loads(verified.splitlines()[-1])["broken_at"] is None
    two_roles("-m", "flask", "--app", "wsgi", "backup", str(tmp_path / "file"))
    with psycopg.connect(serving_url, autocommit=True) as serving:
        serving.execute("SET app.tenant_id = '1'")
        assert serving.execute("SELECT count(*) FROM audit_event").fetchone()[0] > 0
        for statement in LIFTING:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                serving.execute(statement)


def test_across_partners_the_role_that_serves_sees_how_things_stand_and_no_text(
    two_roles, serving_url, empty_database
):
    """Exceptions, runs and notices by their views alone."""
    two_roles(str(DRIVE), "fill")
    with psycopg.connect(empty_database, autocommit=True) as owner:
        owner.execute("SET app.tenant_id = '1'")
        owner.execute(
            "INSERT INTO exception_item (tenant_id, cause, subject_type, subject_key, label, detail)"
            " VALUES (1, 'bad_record', 'invoice', '7', 'Invoice 7 of Contoso', 'No date.')"
        )
    with psycopg.connect(serving_url, autocommit=True) as serving:
        serving.execute("SET app.scope = 'system'")
        for table in ("exception_item", "sync_run", "notice"):
            assert serving.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
        found = serving.execute("SELECT * FROM exception_standing")
        assert [column.name for column in found.description] == ["tenant_id", "id", "state"]
        assert [row[2] for row in found] == ["open"]
        for view in ("run_standing", "notice_standing", "exception_standing"):
            serving.execute(f"SELECT * FROM {view}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                serving.execute(f"DELETE FROM {view}")


LIFTING = (
    "TRUNCATE audit_event",
    "TRUNCATE audit_head",
    "UPDATE audit_event SET event = 'nothing'",
    "DELETE FROM audit_event",
    "DELETE FROM audit_head",
    "ALTER TABLE audit_event DISABLE TRIGGER append_only",
    "DROP TRIGGER append_only ON audit_event",
    "DROP POLICY own_rows ON invoice",
    "CREATE POLICY mine ON invoice USING (true)",
    "ALTER TABLE invoice NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE invoice DISABLE ROW LEVEL SECURITY",
    "DROP FUNCTION refuse_change() CASCADE",
    "UPDATE alembic_version SET version_num = '0001'",
    "CREATE TABLE public.mine (id int)",
    "SET session_replication_role = replica",
)


@contextmanager
def started(database_url, environment):
    """What a process logs at its first look into the database."""
    app = create_app(
        {**config.load(environment), "SQLALCHEMY_DATABASE_URI": config.database_url(database_url)}
    )
    with app.app_context(), capture_logs() as lines:
        db.session.execute(db.text("SELECT 1"))
        db.session.remove()
        db.engine.dispose()
    yield lines


def test_one_role_is_told_at_the_start(cloned_database, environment):
    with started(cloned_database, environment) as lines:
        assert [line["event"] for line in lines] == ["database.one_role"]


def test_two_roles_have_nothing_to_tell(two_roles, serving_url, environment):
    with started(serving_url, environment) as lines:
        assert lines == []


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (
            "ALTER TABLE audit_event DISABLE TRIGGER append_only",
            "The trigger append_only of audit_event is off.",
        ),
        ("DROP TRIGGER never_emptied ON audit_head", "audit_head has lost its trigger never_emptied."),
        (
            "DROP TRIGGER keep_past ON invoice; ALTER TABLE delivery DISABLE TRIGGER ring",
            "The trigger ring of",
        ),
        ("ALTER TABLE invoice NO FORCE ROW LEVEL SECURITY", "Row-level security of invoice is off."),
        ("ALTER TABLE payment DISABLE ROW LEVEL SECURITY", "Row-level security of payment is off."),
        ("DROP POLICY own_rows ON invoice", "invoice has lost its policy."),
    ],
)
def test_a_wall_that_is_down_is_told_at_the_start(cloned_database, environment, deed, said):
    with psycopg.connect(cloned_database, autocommit=True) as owner:
        owner.execute(deed)
    with started(cloned_database, environment) as lines:
        [line] = [line for line in lines if line["event"] == "database.wall_is_down"]
    [sentence] = line["what"]
    assert sentence.startswith(said)
