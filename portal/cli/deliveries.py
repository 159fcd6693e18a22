from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.orm import joinedload
from werkzeug.exceptions import NotFound

from portal import serializers
from portal.access.tenancy import current_tenant_id, scoped, tenant_scope
from portal.cli import lookup
from portal.extensions import db
from portal.models import Delivery
from portal.reconcile import by_hand, deliver
from portal.reconcile.work import Work

commands = AppGroup("deliveries", help="What Autotask shall show for each paid invoice.")


@commands.command("list")
@click.argument("slug")
@lookup.json_lines
def list_all(slug: str) -> None:
    """A partner's deliveries in the order of their ids, one JSON object a line."""
    with tenant_scope(lookup.partner(slug).id):
        rows = scoped(Delivery).options(joinedload(Delivery.invoice)).order_by(Delivery.id)
        lookup.answer_all(serializers.delivery(row) for row in db.session.scalars(rows))


@commands.command("run")
@click.argument("slug")
def run(slug: str) -> None:
    """Delivers what is due now, in this process; one JSON line for each delivery worked on."""
    with tenant_scope(lookup.partner(slug).id):
        while deliver.deliver_due(tell=_tell):
            pass


@commands.command("retry")
@click.argument("slug")
@click.argument("delivery_id", type=int, required=False)
@click.option("--all", "every", is_flag=True, help="All that are stuck.")
def retry_one_or_all(slug: str, delivery_id: int | None, every: bool) -> None:
    """Makes a stuck delivery, or all of them, due again. `deliveries run` or a worker then delivers."""
    if every == (delivery_id is not None):
        raise click.UsageError("Give the id of a delivery, or --all.")
    with tenant_scope(lookup.partner(slug).id):
        try:
            ids = _retried(delivery_id)
        except NotFound:
            lookup.refuse(f"{slug} has no delivery {delivery_id}.")
        except by_hand.NotRetryable as error:
            lookup.refuse(str(error))
        db.session.commit()
        by_hand.ring()
        lookup.answer_all(_row(delivery_id) for delivery_id in ids)


def _retried(delivery_id: int | None) -> list[int]:
    if delivery_id is None:
        return by_hand.retry_all(lookup.OPERATOR)
    return [by_hand.retry(lookup.OPERATOR, delivery_id).id]


def _tell(work: Work) -> None:
    lookup.answer(_row(work.claim.delivery_id))


def _row(delivery_id: int) -> dict[str, Any]:
    row = db.session.get_one(Delivery, (current_tenant_id(), delivery_id), populate_existing=True)
    answer = serializers.delivery(row)
    db.session.commit()
    return answer
