"""Writes the file: gzip of lines; a line of JSON before each part, then PostgreSQL's own COPY text, then `\\.`.

One read-only snapshot holds all of it, nobody waits for it, and memory stays flat: rows pass through one by one.
"""

import gzip
import json
from collections import defaultdict
from decimal import Decimal
from typing import IO, Any

import psycopg
from psycopg import sql

from portal import clock
from portal.backup.tables import CannotBackUp, Table, all_tables, connect

FORMAT = 1
END_OF_PART = b"\\.\n"
SCOPE = "SELECT set_config('app.tenant_id', %s, true), set_config('app.scope', %s, true)"
COPY = "COPY (SELECT {columns} FROM {table}{rows}) TO STDOUT"
Totals = dict[str, dict[str, Any]]


def write(target: IO[bytes]) -> Totals:
    """Everything to `target`; by table `rows` and `sums` (column to text). Raises CannotBackUp."""
    with connect() as connection, gzip.GzipFile(fileobj=target, mode="wb", compresslevel=3) as out:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return Writer(connection, out).run()


class Writer:
    """One backup under way."""

    def __init__(self, connection: psycopg.Connection[Any], out: gzip.GzipFile) -> None:
        self.connection, self.out = connection, out
        self.rows: dict[str, int] = defaultdict(int)
        self.sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))

    def run(self) -> Totals:
        tables = all_tables(self.connection)
        if not tables:
            raise CannotBackUp("The database holds no tables: nothing to back up.")
        self.say(self.header())
        self.scope(None)
        partners = [number for (number,) in self.connection.execute("SELECT id FROM tenant ORDER BY id")]
        for table in tables:
            if table.of_none:
                self.part(table, None)
        for number in partners:
            self.scope(number)
            for table in tables:
                if table.of_partner:
                    self.part(table, number)
        totals = {table.name: self.totals(table) for table in tables}
        self.say(
            {"end": True, "partners": len(partners), "tables": totals, "sequences": self.sequences(tables)}
        )
        return totals

    def header(self) -> dict[str, Any]:
        row = self.connection.execute("SELECT version_num FROM alembic_version").fetchone()
        version = self.connection.info.server_version // 10000
        return {
            "portal_backup": FORMAT,
            "revision": row[0] if row else None,
            "postgresql": version,
            "at": clock.now().isoformat(),
        }

    def scope(self, tenant_id: int | None) -> None:
        """What the policies show from here on: one partner's rows, or what belongs to no partner."""
        values = ("", "people") if tenant_id is None else (str(tenant_id), "")
        self.connection.execute(SCOPE, values)

    def part(self, table: Table, tenant_id: int | None) -> None:
        narrowed: sql.Composable = sql.SQL("")
        if tenant_id is not None:
            narrowed = sql.SQL(" WHERE tenant_id = {}").format(sql.Literal(tenant_id))
        self.count(table, narrowed)
        statement = sql.SQL(COPY).format(
            columns=sql.SQL(", ").join(map(sql.Identifier, table.columns)),
            table=sql.Identifier(table.name),
            rows=narrowed,
        )
        self.say({"table": table.name, "columns": table.columns})
        with self.connection.cursor() as cursor, cursor.copy(statement) as rows:
            for row in rows:
                self.out.write(row)
        self.out.write(END_OF_PART)

    def count(self, table: Table, narrowed: sql.Composable) -> None:
        found = self.connection.execute(table.count_and_sums() + narrowed).fetchone()
        assert found is not None
        self.rows[table.name] += found[0]
        for name, value in zip(table.sums, found[1:], strict=True):
            self.sums[table.name][name] += value

    def totals(self, table: Table) -> dict[str, Any]:
        sums = {name: str(value) for name, value in self.sums[table.name].items()}
        return {"rows": self.rows[table.name], "sums": sums}

    def sequences(self, tables: list[Table]) -> dict[str, int | None]:
        """The last number given out, None where there was none. Read last, so none lags behind the rows."""
        found = {}
        for sequence in sorted(name for table in tables for name in table.sequences.values()):
            row = self.connection.execute(
                sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(*sequence.split(".")))
            ).fetchone()
            assert row is not None
            found[sequence] = row[0] if row[1] else None
        return found

    def say(self, line: dict[str, Any]) -> None:
        self.out.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
