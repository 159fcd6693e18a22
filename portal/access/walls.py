"""Whether the database's own walls stand: looked at once by each process that serves, and told in its log."""

from contextvars import Context
from typing import Any

import click
import structlog

log = structlog.get_logger(__name__)
ONE_ROLE = (
    "The role of DATABASE_URL owns the tables: whoever gets hold of it could lift row-level security and empty the "
    "audit log. Where the platform has two roles, give the owner as DATABASE_OWNER_URL: docs/roles.md."
)
DOWN = """
    SELECT format('Row-level security of %I is off.', c.relname) FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
        AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
    UNION ALL
    SELECT format('%I has lost its policy.', c.relname) FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
        AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
    UNION ALL
    SELECT format('The trigger %I of %s is off.', tgname, tgrelid::regclass) FROM pg_trigger
    WHERE NOT tgisinternal AND tgenabled NOT IN ('O', 'A')
    UNION ALL
    SELECT format('%I has lost its trigger %s.', wanted.of, wanted.name)
    FROM (VALUES ('audit_event', 'append_only'), ('audit_event', 'never_emptied'),
        ('staff_event', 'append_only'), ('staff_event', 'never_emptied'), ('audit_head', 'only_forward'),
        ('audit_head', 'never_emptied')) AS wanted (of, name)
    WHERE to_regclass(wanted.of) IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_trigger t WHERE t.tgrelid = to_regclass(wanted.of) AND t.tgname = wanted.name)
    ORDER BY 1"""
OWNS = """
    SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND pg_has_role(current_user, relowner, 'MEMBER'))"""


def look_once(dbapi_connection: Any, _: Any) -> None:
    """On a process's first connection; not for commands, which come and go."""
    if click.get_current_context(silent=True) is not None:
        return
    with dbapi_connection.cursor() as cursor:
        down = [sentence for (sentence,) in cursor.execute(DOWN)]
        (owns,) = cursor.execute(OWNS).fetchone()
    dbapi_connection.commit()
    # Whoever happens to make the first request has nothing to do with it: not in the lines of that request.
    nobody = Context()
    if down:
        nobody.run(log.error, "database.wall_is_down", what=down)
    if owns:
        nobody.run(log.warning, "database.one_role", what=ONE_ROLE)
