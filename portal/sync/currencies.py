"""Which currency a customer's invoices are in: Autotask names it on the company, by id."""

from typing import Any

from portal import attention
from portal.autotask.client import Client
from portal.connect import currencies
from portal.extensions import db
from portal.models import Cause, Integration
from portal.sync.task import Task


def learn(integration: Integration, client: Client) -> None:
    """Reads the partner's currencies once and keeps them on the integration. Commits."""
    if integration.currencies is None:
        integration.currencies = currencies.read_currencies(client) or {}
        db.session.commit()


def code_of(task: Task, record: dict[str, Any]) -> str:
    """The customer's currency, or the partner's own where Autotask names none that is known."""
    wanted = record["currency_autotask_id"]
    code = currencies.currency_of(task.integration, wanted)
    if task.integration.currencies and not currencies.is_known(task.integration, wanted):
        _unknown(task, record, code)
    return code


def _unknown(task: Task, record: dict[str, Any], code: str) -> None:
    attention.open_item(
        Cause.CURRENCY_UNKNOWN,
        "customer",
        str(record["autotask_id"]),
        label=f"Customer {record['name']}",
        detail=(
            f"Autotask gives this customer a currency (number {record['currency_autotask_id']}) that it does not "
            f"list. Its invoices are shown in {code}. Check the customer in Autotask."
        ),
        theirs={"currency": record["currency_autotask_id"]},
        run_id=task.run_id,
    )
