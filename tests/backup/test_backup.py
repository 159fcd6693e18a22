"""A backup by the portal's own role, which forced row-level security would hide most rows from, comes back whole."""

import gzip
import json
from contextlib import contextmanager

import psycopg
import pytest

from portal import config, create_app
from portal.access import api_keys, audit, sessions, support_visits
from portal.access.tenancy import tenant_scope
from portal.extensions import db
from portal.models import Base, MailKind
from tests import factories
from tests.mail.written import one as write_mail

WALLS = """
    SELECT 'wall', relname, relrowsecurity::text, relforcerowsecurity::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'rule', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    ORDER BY 1, 2, 3"""


@pytest.fixture
def books(app):
    """Two partners with money, people, keys, mails and a support visit."""
    with app.app_context():
        staff = factories.user(staff=True)
        for slug in ("northwind", "contoso"):
            partner = factories.tenant(slug, name="Façade & Söhne \\ \t \n 日本")
            factories.member(partner)
            with factories.inside(partner):
                customer = factories.customer(factories.integration(app), name="Tab\tand \\N and \\.")
                paid, part = (factories.invoice(customer, amount) for amount in ("100.10", "0.0300"))
                factories.line(paid)
                factories.payment((paid, "100.10"))
                factories.payment((part, "0.01"))
                api_keys.create(factories.ACTOR, "Checkout", ["read"])
                write_mail(MailKind.INVITATION)
                db.session.commit()
        with app.test_request_context():
            login = sessions.start(db.session.merge(staff))
            support_visits.begin(
                login,
                db.session.merge(partner),
                support_visits.Wish("The partner asked for help on the phone"),
            )
            write_mail(MailKind.PASSWORD_RESET)
            db.session.commit()
        db.session.remove()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "portal.backup"


@pytest.fixture
def elsewhere(empty_database, environment):
    """The portal on another, empty database, which its role owns."""
    url = config.database_url(empty_database)
    other = create_app({**config.load(environment), "SQLALCHEMY_DATABASE_URI": url, "DATABASE_OWNER_URI": ""})
    yield other
    with other.app_context():
        db.session.remove()
        db.engine.dispose()


def run(app, *words, **more):
    return app.test_cli_runner().invoke(args=[str(word) for word in words], **more)


@contextmanager
def as_superuser(app, servers):
    name = app.config["SQLALCHEMY_DATABASE_URI"].rpartition("/")[2]
    with psycopg.connect(servers.database(name, "postgres"), autocommit=True) as connection:
        yield connection


def content(app, servers):
    """By table how many rows and a digest of them all; what stands guard; the next numbers. Past every policy."""
    with as_superuser(app, servers) as connection:
        rows = {
            table: connection.execute(
                f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t"
            ).fetchone()
            for table in sorted(Base.metadata.tables)
        }
        sequences = connection.execute(
            "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()
        return rows, connection.execute(WALLS).fetchall(), sequences


def rewritten(file, change):
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join(change(lines))))


def test_all_rows_sums_sequences_and_the_audit_chain_come_back(books, app, elsewhere, file, servers):
    written = run(app, "backup", file)
    assert written.exit_code == 0, written.output
    assert file.stat().st_mode & 0o777 == 0o600
    told = {line["table"]: line for line in map(json.loads, written.stdout.splitlines())}
    assert (told["invoice"]["rows"], told["mail"]["rows"], told["mail_secret"]["rows"]) == (4, 3, 3)
    assert told["payment"]["sums"] == {"amount": "200.2200", "refunded_amount": "0.0000"}

    restored = run(elsewhere, "restore", file)
    assert restored.exit_code == 0, restored.output
    assert content(elsewhere, servers) == content(app, servers)
    *tables, chain = map(json.loads, restored.stdout.splitlines())
    assert {line["table"]: line for line in tables} == told
    assert chain == {"audit_logs": "verified", "broken": []}
    with elsewhere.app_context(), tenant_scope(factories.tenant().id):
        audit.record(factories.ACTOR, "partner.created", "partner")
        db.session.commit()


def test_every_table_and_every_writable_column_is_in_the_file(app, file):
    """The guard: a table that somebody adds is kept as well."""
    with app.app_context():
        factories.tenant()
        db.session.remove()
    assert run(app, "backup", file).exit_code == 0
    parts = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines() if line[:1] == b"{"]
    kept = {part["table"]: set(part["columns"]) for part in parts if "table" in part}
    assert kept == {
        table.name: {column.name for column in table.columns if column.computed is None}
        for table in Base.metadata.sorted_tables
    }


@pytest.mark.in_turn(3)
@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-200]),
        lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"-- PostgreSQL database dump"),
        lambda file: rewritten(file, lambda lines: lines[:-1]),
        lambda file: rewritten(file, lambda lines: lines + [b"more\n"]),
        lambda file: rewritten(file, lambda lines: [line for line in lines if b"100.1000" not in line]),
        lambda file: rewritten(
            file, lambda lines: [line.replace(b"100.1000", b"100.2000") for line in lines]
        ),
    ],
)
def test_a_file_that_is_not_whole_restores_nothing(books, app, elsewhere, file, servers, damage):
    assert run(app, "backup", file).exit_code == 0
    damage(file)
    done = run(elsewhere, "restore", file)
    assert done.exit_code == 1
    assert "not a whole backup" in done.output or "What was read is not what was written" in done.output
    with as_superuser(elsewhere, servers) as connection:
        if connection.execute("SELECT to_regclass('tenant')").fetchone()[0]:
            assert connection.execute("SELECT count(*) FROM tenant").fetchone() == (0,)


def test_only_an_empty_database_is_filled(books, app, file):
    assert run(app, "backup", file).exit_code == 0
    done = run(app, "restore", file)
    assert (done.exit_code, "not empty" in done.output) == (1, True)


def test_a_backup_replaces_no_file_unless_it_is_told_to(app, tmp_path):
    path = tmp_path / "portal.backup"
    path.write_bytes(b"the only backup there is")
    refused = app.test_cli_runner().invoke(args=["backup", str(path)])
    assert (refused.exit_code, path.read_bytes()) == (1, b"the only backup there is")
    assert (
        "is there already, and nothing was written. Choose another name, or add --overwrite."
        in refused.stderr
    )
    assert app.test_cli_runner().invoke(args=["backup", str(path), "--overwrite"]).exit_code == 0
    assert path.read_bytes()[:2] == b"\x1f\x8b"


def test_a_backup_of_a_newer_release_is_refused_by_an_older_one(books, app, elsewhere, file):
    assert run(app, "backup", file).exit_code == 0
    rewritten(file, lambda lines: [lines[0].replace(b'"revision":"', b'"revision":"9'), *lines[1:]])
    done = run(elsewhere, "restore", file)
    assert (done.exit_code, "does not know the backup" in done.output) == (1, True)


def test_a_backup_leaves_nothing_half_written_behind(app, file, empty_database, elsewhere):
    done = run(elsewhere, "backup", file)
    assert (done.exit_code, "no tables" in done.output) == (1, True)
    assert not file.exists()
