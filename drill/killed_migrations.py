"""The upgrade from the release before, killed before each of its statements in turn: every next try goes on from there."""

from __future__ import annotations

import argparse
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask

from drill.release_before import DRIVE, Release, make_invoices, unpacked
from drill.restarts import one_role
from local.environment import PROJECT
from storm.site import Site

INVOICES = 50
MOST_KILLS = 5000


def run(folder: Path, options: argparse.Namespace) -> list[str]:
    with ExitStack() as opened:
        site = Site(folder)
        opened.callback(site.stop)
        environment = one_role(site, options.connections)
        old = Release(unpacked(folder), environment)
        old.flask("db", "upgrade")
        old.python(str(DRIVE), "fill")
        old.python(str(DRIVE), "use", "1")
        make_invoices(site.superuser_url, INVOICES)
        whole = copied(site.superuser_url, environment, "drill_whole")
        killed = copied(site.superuser_url, environment, "drill_killed")
        Release(PROJECT, whole).flask("db", "upgrade")
        kills = kill_at_each(killed)
        print(f"migrations: killed {kills} times", flush=True)
        return differences(site.superuser_url)


def copied(superuser_url: str, environment: dict[str, str], name: str) -> dict[str, str]:
    """The environment of a portal on a copy of the release before's database."""
    server, _, source = superuser_url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER portal TEMPLATE {source}")
    return environment | {"DATABASE_URL": environment["DATABASE_URL"].rpartition("/")[0] + f"/{name}"}


def kill_at_each(environment: dict[str, str]) -> int:
    """How often it was killed. A try that got further than the one before begins to count anew."""
    return kills_of(portal_at(environment), environment["DATABASE_URL"])


def kills_of(app: Flask, url: str, step: int = 1) -> int:
    """Killed before every statement, or before every `step`th."""
    kills, at, before = 0, 1, ""
    while upgrade(app, at):
        kills += 1
        reached = revision(url)
        at, before = (1, reached) if reached != before else (at + step, before)
        if kills > MOST_KILLS:
            raise RuntimeError(f"The upgrade goes no further than {reached}.")
    return kills


def portal_at(environment: dict[str, str]) -> Flask:
    """Made once, and without a connection: each try is a fork."""
    os.environ.update(environment)
    from portal import create_app
    from portal.extensions import db

    app = create_app()
    with app.app_context():
        db.engine.dispose()
    return app


def upgrade(app: Flask, at: int) -> bool:
    """In a process of its own; whether it was killed before its statement `at`."""
    child = os.fork()
    if child == 0:
        try:
            become_and_die(app, at)
        except BaseException as error:
            print(f"The upgrade failed: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code > 0:
        raise RuntimeError("An upgrade after a killed one failed.")
    return code < 0


def become_and_die(app: Flask, at: int) -> None:
    from flask_migrate import upgrade as to_the_newest
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    seen = [0]

    @event.listens_for(Engine, "before_cursor_execute")
    def die(*_: Any) -> None:
        seen[0] += 1
        if seen[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)

    with app.app_context():
        to_the_newest(str(PROJECT / "migrations"))


def revision(url: str) -> str:
    with psycopg.connect(url) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])  # type: ignore[index]


def differences(superuser_url: str) -> list[str]:
    """What the killed database does not have as the whole one has it: tables, columns, rules, policies, rows."""
    server = superuser_url.rpartition("/")[0]
    return differences_of(f"{server}/drill_whole", f"{server}/drill_killed")


def differences_of(whole_url: str, killed_url: str) -> list[str]:
    whole, killed = described(whole_url), described(killed_url)
    return [f"Once whole and once killed: {one}" for one in sorted(map(str, whole ^ killed))]


FACTS = """
SELECT 'column', table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT 'rule', conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated::text, ''
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'index is valid', indexrelid::regclass::text, indisvalid::text, '', '', '' FROM pg_index
    WHERE indrelid::regclass::text NOT LIKE 'pg%'
UNION ALL SELECT 'policy', tablename, policyname, qual, with_check, '' FROM pg_policies
    WHERE policyname <> 'release_before'  -- open for days from the hour of the upgrade
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, tgenabled::text, '', '' FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', proname, md5(prosrc), '', '', '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace"""


def described(url: str) -> set[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        facts = set(connection.execute(FACTS).fetchall())
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            facts.add(("rows", table, connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]))  # type: ignore[index]
        return facts
