import click
from flask.cli import AppGroup
from sqlalchemy import select

from portal.access.tenancy import system_scope
from portal.cli import lookup
from portal.extensions import db
from portal.models import Mail, MailState, Tenant

commands = AppGroup("mails", help="Mails of the portal.")


@commands.command("list")
@lookup.json_lines
@click.option("--state", type=click.Choice([state.value for state in MailState]), help="Only these.")
def list_all(state: str | None) -> None:
    """All mails, oldest first, without their links."""
    query = select(Mail, Tenant.slug).outerjoin(Tenant, Tenant.id == Mail.tenant_id).order_by(Mail.id)
    if state:
        query = query.where(Mail.state == state)
    with system_scope():
        lookup.answer_all(
            {
                "id": mail.id,
                "partner": slug,
                "kind": mail.kind,
                "to": mail.to_address,
                "state": mail.state,
                "tries": mail.tries,
                "answer": mail.answer,
                "message_id": mail.message_id,
                "created_at": mail.created_at.isoformat(),
                "due_at": mail.due_at.isoformat(),
                "sent_at": mail.sent_at.isoformat() if mail.sent_at else None,
            }
            for mail, slug in db.session.execute(query)
        )
