from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select

from portal import clock
from portal.access.tenancy import system_scope
from portal.cli import lookup
from portal.extensions import db
from portal.models import SupportVisit, Tenant, User

commands = AppGroup("support", help="Support's visits to partners.")


@commands.command("list")
@click.argument("slug", required=False)
@lookup.json_lines
def list_all(slug: str | None) -> None:
    """Visits of support, of one partner or of all, newest first, one JSON object a line."""
    wanted = lookup.partner(slug).id if slug else None
    query = (
        select(SupportVisit, Tenant.slug)
        .join(Tenant, Tenant.id == SupportVisit.tenant_id)
        .order_by(SupportVisit.started_at.desc(), SupportVisit.id.desc())
    )
    if wanted is not None:
        query = query.where(SupportVisit.tenant_id == wanted)
    with system_scope():
        visits = [(partner, visit) for visit, partner in db.session.execute(query)]
    people = {user.id: user.email for user in db.session.scalars(select(User))}
    lookup.answer_all({"partner": partner, **_told(visit, people)} for partner, visit in visits)


def _told(visit: SupportVisit, people: dict[int, str]) -> dict[str, Any]:
    running = visit.ended_at is None and visit.expires_at > clock.now()
    return {
        "id": visit.id,
        "staff": people.get(visit.staff_user_id),
        "as_user": people.get(visit.as_user_id),
        "mode": visit.mode,
        "reason": visit.reason,
        "ticket": visit.ticket,
        "started_at": visit.started_at,
        "expires_at": visit.expires_at,
        "ended_at": visit.ended_at,
        "running": running,
    }
