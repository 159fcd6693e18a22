import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import Connection, text

from portal.cli import lookup
from portal.extensions import db

RELEASED = Path(__file__).resolve().parents[2] / "migrations" / "released.json"
COLUMNS = text("""
    SELECT c.relname AS of, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
        a.attnotnull AS required,
        a.atthasdef OR a.attidentity <> '' AS filled
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
        AND c.relname <> 'alembic_version'
    ORDER BY c.relname, a.attnum""")
CONSTRAINTS = text("""
    SELECT conrelid::regclass::text AS of, conname AS name, pg_get_constraintdef(oid) AS rule
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'u', 'x')
    ORDER BY 1, 2""")
# A unique index without a constraint of its own, such as one over part of the rows.
UNIQUE_INDEXES = text("""
    SELECT i.indrelid::regclass::text AS of, c.relname AS name, pg_get_indexdef(i.indexrelid) AS rule
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
    ORDER BY 1, 2""")

commands = AppGroup("schema", help="What a release expects of the database: docs/migrations.md.")


@commands.command("release")
@click.argument("commit")
def release(commit: str) -> None:
    """Writes migrations/released.json from the connected database, which the release COMMIT has migrated."""
    facts = {"commit": commit, "tables": described(db.session.connection())}
    RELEASED.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    lookup.answer({"file": str(RELEASED), "commit": commit, "tables": len(facts["tables"])})


def described(connection: Connection) -> dict[str, dict[str, Any]]:
    """By table: `columns` ("type, required, filled"; filled is: by the database) and `rules` (name: definition)."""
    tables: dict[str, dict[str, Any]] = defaultdict(lambda: {"columns": {}, "rules": {}})
    for row in connection.execute(COLUMNS):
        marks = [name for name in ("required", "filled") if getattr(row, name)]
        tables[row.of]["columns"][row.name] = ", ".join([row.type, *marks])
    for query in (CONSTRAINTS, UNIQUE_INDEXES):
        for row in connection.execute(query):
            tables[row.of]["rules"][row.name] = row.rule
    return dict(tables)
