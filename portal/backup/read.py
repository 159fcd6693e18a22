"""Reads the file into an empty database, in one transaction: all of it, or nothing."""

import gzip
import json
import zlib
from decimal import Decimal
from itertools import chain
from typing import IO, Any

import flask_migrate
import psycopg
from psycopg import sql
from sqlalchemy import text

from portal.access.database_roles import owner_engine
from portal.backup.tables import CannotBackUp, Table, all_tables, connect
from portal.backup.write import END_OF_PART, FORMAT, Totals

UNWHOLE = "The file is not a whole backup of the portal. Nothing was restored."
FOREIGN_KEYS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1, 2"""
FORCED = "SELECT relname FROM pg_class WHERE relforcerowsecurity AND relnamespace = 'public'::regnamespace"
BLOCK = 1 << 16
DAMAGED = (
    OSError,
    EOFError,
    zlib.error,
    ValueError,
    KeyError,
    TypeError,
    psycopg.DataError,
    psycopg.IntegrityError,
)


def restore(source: IO[bytes]) -> Totals:
    """Fills an empty database from `source`, then brings it to the newest schema.

    By table what was written, compared with what the backup counted. Raises CannotBackUp with a sentence.
    """
    packed = gzip.GzipFile(fileobj=source, mode="rb")
    try:
        header = json.loads(packed.readline())
        if header["portal_backup"] != FORMAT:
            raise CannotBackUp("The file was written by another kind of release. Restore it with that one.")
        bring_to(header["revision"])
        with connect() as connection:
            end = Reader(connection, packed).run()
    except DAMAGED as error:
        raise CannotBackUp(UNWHOLE) from error
    flask_migrate.upgrade()
    totals: Totals = end["tables"]
    return totals


def bring_to(revision: str) -> None:
    """The schema that the backup was taken from. Raises CannotBackUp where the database holds another one."""
    with owner_engine().connect() as connection:
        tables = connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
        known = tables and connection.scalar(text("SELECT to_regclass('alembic_version')"))
        now = connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
    if tables and now != revision:
        raise CannotBackUp(
            f"The database is not empty: it holds schema {now}, the backup {revision}. Give an empty database."
        )
    if not tables:
        try:
            flask_migrate.upgrade(revision=revision)
        except SystemExit as error:
            raise CannotBackUp(
                f"This release does not know the backup's schema {revision}. Restore it with the release that wrote it,"
                " or a newer one."
            ) from error


class Reader:
    """One restore under way. The connection's transaction holds it."""

    def __init__(self, connection: psycopg.Connection[Any], packed: gzip.GzipFile) -> None:
        self.connection, self.packed = connection, packed
        self.tables = {table.name: table for table in all_tables(connection)}

    def run(self) -> dict[str, Any]:
        """The last line of the file, once everything was written and counted."""
        forced = [name for (name,) in self.connection.execute(FORCED)]
        keys = self.connection.execute(FOREIGN_KEYS).fetchall()
        self.open(forced, keys)
        end = self.parts()
        self.close(forced, keys, end)
        self.connection.commit()
        return end

    def open(self, forced: list[str], keys: list[tuple[str, str, str]]) -> None:
        """Lets the owner past policies, triggers and keys, in this transaction, on tables that hold nothing."""
        for name in self.tables:
            self.alter(name, "DISABLE TRIGGER USER")
        for name in forced:
            self.alter(name, "NO FORCE ROW LEVEL SECURITY")
        for name, table in self.tables.items():
            row = self.connection.execute(table.count_and_sums()).fetchone()
            if row and row[0]:
                raise CannotBackUp(
                    f"The database is not empty: {name} holds {row[0]} rows. Give an empty database."
                )
        for name, key, _ in keys:
            self.alter(name, "DROP CONSTRAINT {}", sql.Identifier(key))

    def parts(self) -> dict[str, Any]:
        while line := self.packed.readline():
            told: dict[str, Any] = json.loads(line)
            if told.get("end"):
                if self.packed.read(1):
                    raise CannotBackUp(UNWHOLE)
                return told
            self.part(self.tables[told["table"]], told["columns"])
        raise CannotBackUp(UNWHOLE)

    def part(self, table: Table, columns: list[str]) -> None:
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with self.connection.cursor() as cursor, cursor.copy(statement) as rows:
            block = bytearray()
            while (line := self.packed.readline()) != END_OF_PART:
                if not line:
                    raise CannotBackUp(UNWHOLE)
                block += line
                if len(block) > BLOCK:
                    rows.write(bytes(block))
                    block.clear()
            rows.write(bytes(block))

    def close(self, forced: list[str], keys: list[tuple[str, str, str]], end: dict[str, Any]) -> None:
        """Counts, then puts everything back as it was."""
        for name, key, rule in keys:
            self.alter(name, f"ADD CONSTRAINT {{}} {rule}", sql.Identifier(key))
        wrong = list(
            chain.from_iterable(self.differences(name, end["tables"][name]) for name in end["tables"])
        )
        if wrong:
            raise CannotBackUp("What was read is not what was written: " + " ".join(wrong))
        for sequence, last in end["sequences"].items():
            self.connection.execute("SELECT setval(%s, %s, %s)", (sequence, last or 1, last is not None))
        for name in forced:
            self.alter(name, "FORCE ROW LEVEL SECURITY")
        for name in self.tables:
            self.alter(name, "ENABLE TRIGGER USER")

    def differences(self, name: str, told: dict[str, Any]) -> list[str]:
        table = self.tables[name]
        row = self.connection.execute(table.count_and_sums()).fetchone()
        assert row is not None
        sums = dict(zip(table.sums, row[1:], strict=True))
        found = [] if row[0] == told["rows"] else [f"{name} holds {row[0]} of {told['rows']} rows."]
        return found + [
            f"{name}.{column} adds up to {sums[column]} instead of {value}."
            for column, value in told["sums"].items()
            if sums[column] != Decimal(value)
        ]

    def alter(self, table: str, what: str, *names: sql.Composable) -> None:
        action = sql.SQL(what).format(*names)
        self.connection.execute(sql.SQL("ALTER TABLE {} ").format(sql.Identifier(table)) + action)
