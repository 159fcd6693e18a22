import click
from flask.cli import AppGroup
from sqlalchemy import and_, select

from portal import serializers
from portal.access.tenancy import current_tenant_id, tenant_scope
from portal.cli import lookup
from portal.extensions import db
from portal.models import ExceptionItem, ExceptionState, Invoice

commands = AppGroup("exceptions", help="What a person must look at.")


@commands.command("list")
@click.argument("slug")
@lookup.json_lines
@click.option("--all", "every", is_flag=True, help="Closed ones too.")
def list_all(slug: str, every: bool) -> None:
    """A partner's open exceptions, oldest first, one JSON object a line."""
    with tenant_scope(lookup.partner(slug).id):
        same = and_(Invoice.tenant_id == ExceptionItem.tenant_id, Invoice.id == ExceptionItem.invoice_id)
        query = (
            select(ExceptionItem, Invoice.autotask_id)
            .outerjoin(Invoice, same)
            .where(ExceptionItem.tenant_id == current_tenant_id())
            .order_by(ExceptionItem.id)
        )
        if not every:
            query = query.where(ExceptionItem.state == ExceptionState.OPEN)
        rows = db.session.execute(query)
        lookup.answer_all(serializers.exception_item(item, autotask_id) for item, autotask_id in rows)
