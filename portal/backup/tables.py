"""What there is to keep: tables, columns, sequences and foreign keys, as the database says."""

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from portal.access.database_roles import owner_address

# A backup takes as long as it takes. Dates and numbers are written in one way, whatever the server's settings.
SESSION = (
    "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c timezone=UTC -c datestyle=ISO"
    " -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1 -c client_encoding=UTF8"
)
COLUMNS = """
    SELECT c.relname, a.attname, a.attgenerated <> '', t.typname = 'numeric', a.attnotnull,
        pg_get_serial_sequence(quote_ident(c.relname), a.attname)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
        AND c.relname <> 'alembic_version'
    ORDER BY c.relname, a.attnum"""


class CannotBackUp(RuntimeError):
    """The message says why, and what to do."""


@dataclass
class Table:
    """`columns` are those that can be written, `sums` the exact numbers among all of them.

    Rows are of a partner, of none, or (where `tenant_id` may be empty) both kinds stand in one table.
    """

    name: str
    columns: list[str] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)
    sequences: dict[str, str] = field(default_factory=dict)
    of_partner: bool = False
    of_none: bool = True

    def count_and_sums(self) -> sql.Composed:
        parts: list[sql.Composable] = [sql.SQL("count(*)")]
        parts += [sql.SQL("coalesce(sum({}), 0)").format(sql.Identifier(name)) for name in self.sums]
        return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(parts), sql.Identifier(self.name))


def connect() -> psycopg.Connection[Any]:
    """A connection of the tables' owner, whose transactions may take long."""
    address = owner_address().replace("postgresql+psycopg://", "postgresql://")
    return psycopg.connect(address, options=SESSION, connect_timeout=5)


def all_tables(connection: psycopg.Connection[Any]) -> list[Table]:
    """Every table, by name."""
    tables: dict[str, Table] = {}
    for name, column, generated, exact, required, sequence in connection.execute(COLUMNS):
        table = tables.setdefault(name, Table(name))
        if not generated:
            table.columns.append(column)
        if exact:
            table.sums.append(column)
        if sequence:
            table.sequences[column] = sequence
        if column == "tenant_id":
            table.of_partner, table.of_none = True, not required
    return list(tables.values())
