"""What has to hold while the portal serves: asked by probes, alarms and the staff's page, in seconds.

Each is one short statement. What takes longer is the doctor's (doctor.py).
"""

from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text

from portal.access import walls
from portal.database import shares
from portal.extensions import db
from portal.formatters import plural
from portal.mail import send
from portal.operating import heartbeats
from portal.operating.check import DATABASE, QUEUE, Check, Finding, ok, worth_a_look, wrong
from portal.queue import QUEUES, web_redis
from portal.queue.names import POLLER, SCHEDULER, WORKERS
from portal.reconcile import due_partners
from portal.sync import due_runs, run_lease
from portal.webhooks import due as webhooks

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
STATEMENT_SECONDS = 5
# Promises, in seconds.
HEARD_OF = 60
DELIVERY_TAKEN_UP = 120
SYNC_TAKEN_UP = 900
MAIL_TAKEN_UP = 300
WEBHOOK_TAKEN_UP = 300
FEWEST_FREE = 2  # a command, and one to look what is the matter
START_THE_WORKER = "Start the worker dyno (python -m jobs.work) or look at its log for why it ends."
START_THE_SCHEDULER = "Start the scheduler dyno (python -m jobs.tick) or look at its log for why it ends."


def database() -> Finding:
    version = db.session.scalar(text("SHOW server_version"))
    return ok(f"PostgreSQL {version} answers.")


# A host takes rights away, or makes the database read-only, from who is over its limit; a standby only reads.
SAVES = text("""
    SELECT NOT current_setting('default_transaction_read_only')::boolean AND NOT pg_is_in_recovery()
        AND coalesce(has_table_privilege(to_regclass('payment'), 'INSERT'), true)""")


def saving() -> Finding:
    if db.session.scalar(SAVES):
        return ok("The database takes what is saved.")
    return wrong(
        "The database is read-only: pages show, and nothing can be saved, no payment either.",
        "Make room, take a larger plan, or point DATABASE_URL at the server that takes writes.",
    )


def migrations() -> Finding:
    newest, found = newest_revision(), db.session.scalar(text("SELECT max(version_num) FROM alembic_version"))
    if found == newest:
        return ok(f"The schema is at {found}, as this release expects.")
    if found and found.isdigit() and int(found) > int(newest):
        return worth_a_look(
            f"The schema is at {found}, which a newer release made; this one expects {newest}.",
            "This is meant to be so after a rollback, or while a new release takes over.",
        )
    return wrong(
        f"The schema is at {found or 'no revision'}, this release expects {newest}.",
        "Run flask db upgrade.",
    )


@cache
def newest_revision() -> str:
    """The newest migration of this release."""
    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def partners_walls() -> Finding:
    """Roles and row-level security."""
    passes = db.session.scalar(
        text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    )
    if passes:
        return wrong(
            "The role of DATABASE_URL passes row-level security: partners are kept apart by the code alone.",
            "Give DATABASE_URL a role with NOSUPERUSER NOBYPASSRLS: docs/roles.md.",
        )
    down = db.session.scalars(text(walls.DOWN)).all()
    if down:
        return wrong(
            " ".join(down), "Find out who lifted it, then restore it: the migrations hold how it was made."
        )
    return ok("Row-level security, its policies and the audit log's triggers stand in every table.")


def queue() -> Finding:
    redis: Any = web_redis()
    waiting = sum(int(redis.llen(f"rq:queue:{name}")) for name in QUEUES)
    return ok(f"Redis answers; {plural(waiting, 'bell')} in its queues.", waiting)


def heard_of(process: str, mend: str) -> Finding:
    """A process says that it lives every 20 seconds."""
    age = heartbeats.ages().get(process)
    if age is None:
        return wrong(f"The {process} has never been heard of.", mend)
    seconds = round(age)
    said = f"The {process} was heard of {plural(seconds, 'second')} ago."
    return ok(said, seconds) if age < HEARD_OF else wrong(said, mend, seconds)


def deliveries() -> Finding:
    return _oldest(
        due_partners.oldest(), DELIVERY_TAKEN_UP, "payment that Autotask is to be told of",
        "Nothing is lost: payments stand here and Autotask learns of them later. " + START_THE_WORKER,
    )  # fmt: skip


def syncs() -> Finding:
    waits = [one for one in (run_lease.oldest(), due_runs.oldest()) if one is not None]
    return _oldest(
        min(waits, default=None), SYNC_TAKEN_UP, "sync run",
        "Pages show what was read before, and invoices may be missing. " + START_THE_WORKER,
    )  # fmt: skip


def mails() -> Finding:
    return _oldest(
        send.oldest(), MAIL_TAKEN_UP, "mail",
        "Invitations, new passwords and notices wait. " + START_THE_WORKER,
    )  # fmt: skip


def messages() -> Finding:
    return _oldest(
        webhooks.oldest(), WEBHOOK_TAKEN_UP, "webhook message",
        "Partners' own systems hear of what happened later; nothing is lost. " + START_THE_WORKER,
    )  # fmt: skip


def connections() -> Finding:
    free = shares.free()
    said = f"The database has room for {plural(free, 'more connection')}."
    if free >= FEWEST_FREE:
        return ok(said, free)
    return wrong(
        said,
        "Pages fail when none is left. Lower WEB_CONCURRENCY or DATABASE_POOL, end what else holds some, or take "
        "a larger database: flask connections check shows who may hold how many.",
        free,
    )


def _oldest(since: datetime | None, promised: int, what: str, mend: str) -> Finding:
    """`since` is when that became due which is due for longest and which nobody has taken up."""
    if since is None:
        return ok(f"No {what} is due that nobody works on.", 0)
    now = db.session.scalar(select(func.clock_timestamp()))  # work becomes due by the database's clock
    assert now is not None
    late = max(0, round((now - since).total_seconds()))
    said = f"The oldest {what} that is due waits for {plural(late, 'second')}; promised are {promised:,}."
    return ok(said, late) if late <= promised else wrong(said, mend, late)


def _check(name: str, title: str, look: Any, *needs: str, unit: str = "") -> Check:
    return Check(name, title, look, (DATABASE, *needs), unit)


READY = (
    Check(DATABASE, "The database answers", database),
    _check("saving", "What is saved is kept", saving),
    _check("migrations", "The schema is this release's", migrations),
    _check("walls", "Partners are kept apart by the database", partners_walls),
    Check(QUEUE, "Redis answers", queue, unit="bells"),
    _check("poller", "The poller works", partial(heard_of, POLLER, START_THE_WORKER), unit="seconds"),
    *(
        _check(
            worker.replace(" ", "_"), f"The {worker} works", partial(heard_of, worker, START_THE_WORKER),
            QUEUE, "poller", unit="seconds",
        )
        for worker in WORKERS
    ),
    _check(
        "scheduler", "The scheduler works", partial(heard_of, SCHEDULER, START_THE_SCHEDULER),
        QUEUE, "poller", unit="seconds",
    ),
    _check("deliveries", "Payments are told to Autotask", deliveries, unit="seconds"),
    _check("syncs", "Syncs are taken up", syncs, unit="seconds"),
    _check("mails", "Mails go out", mails, unit="seconds"),
    _check("webhooks", "Partners' own systems are told", messages, unit="seconds"),
    _check("connections", "The database has room for more connections", connections, unit="connections"),
)  # fmt: skip
