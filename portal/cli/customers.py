import click
from flask.cli import AppGroup

from portal import serializers
from portal.access.tenancy import scoped, tenant_scope
from portal.cli import lookup
from portal.extensions import db
from portal.models import Customer

commands = AppGroup("customers", help="Companies that a partner bills.")


@commands.command("list")
@click.argument("slug")
@lookup.json_lines
def list_all(slug: str) -> None:
    """A partner's customers in the order of their ids, one JSON object a line."""
    with tenant_scope(lookup.partner(slug).id):
        rows = db.session.scalars(scoped(Customer).order_by(Customer.id).execution_options(yield_per=500))
        lookup.answer_all(serializers.customer(row) for row in rows)
