"""The tables' owner and the role that serves: two roles where the platform allows two (docs/roles.md).

The owner migrates, backs up and restores. The role that serves reads and writes rows, and can neither empty the
audit log nor lift a trigger or a policy.
"""

from flask import current_app
from psycopg import sql
from sqlalchemy import Connection, Engine, create_engine, make_url

from portal.extensions import db

EVERYWHERE = (
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
)
EXCEPT = (
    "REVOKE UPDATE, DELETE ON audit_event FROM {role}",
    "REVOKE UPDATE, DELETE ON staff_event FROM {role}",
    "REVOKE DELETE ON audit_head FROM {role}",
    "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {role}",
    "REVOKE INSERT, UPDATE, DELETE ON run_standing, exception_standing, notice_standing FROM {role}",
)


def owner_address() -> str:
    """The address that owns the tables: DATABASE_OWNER_URL, or DATABASE_URL where there is one role."""
    address: str = current_app.config["DATABASE_OWNER_URI"] or current_app.config["SQLALCHEMY_DATABASE_URI"]
    return address


def owner_engine() -> Engine:
    """An engine of the owner; the app's own where there is one role."""
    if not current_app.config["DATABASE_OWNER_URI"]:
        return db.engine
    options = current_app.config["SQLALCHEMY_ENGINE_OPTIONS"].get("connect_args", {})
    return create_engine(owner_address(), connect_args=options)


def let_in_the_serving_role(connection: Connection) -> None:
    """Gives the role of DATABASE_URL what it needs of the tables as they are now, and no more. Commits."""
    role = make_url(current_app.config["SQLALCHEMY_DATABASE_URI"]).username
    if not current_app.config["DATABASE_OWNER_URI"] or role is None:
        return
    for statement in EVERYWHERE + EXCEPT:
        words = sql.SQL(statement).format(role=sql.Identifier(role)).as_string()
        connection.exec_driver_sql(words)
    connection.commit()
