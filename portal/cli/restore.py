import sys
from contextlib import nullcontext
from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy import select

from portal.access import audit, staff_log
from portal.access.tenancy import tenant_scope
from portal.backup.read import restore
from portal.backup.tables import CannotBackUp
from portal.cli import backup, lookup
from portal.extensions import db
from portal.models import Tenant


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@with_appcontext
def commands(file: str) -> None:
    """Fills an EMPTY database from FILE (- for standard input), then counts, adds up and verifies."""
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as source:
            totals = restore(source)
    except CannotBackUp as error:
        lookup.refuse(str(error))
    backup.tell(totals)
    verify_audit_logs()


def verify_audit_logs() -> None:
    broken = []
    for partner in db.session.scalars(select(Tenant).order_by(Tenant.slug)).all():
        with tenant_scope(partner.id):
            if audit.first_break() is not None:
                broken.append(partner.slug)
    if staff_log.verdict().broken_at is not None:
        broken.append("support staff")
    lookup.answer({"audit_logs": "verified" if not broken else "broken", "broken": broken})
    if broken:
        lookup.refuse("All rows are back, but the audit log does not verify for: " + ", ".join(broken))
