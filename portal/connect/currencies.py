"""Which currency a customer is billed in: Autotask's own list, read once and kept on the integration."""

import re
from typing import Any

from portal.access.tenancy import current_tenant_id
from portal.autotask import records
from portal.autotask.client import Client
from portal.autotask.errors import BadRecord, Permanent, Unauthorized
from portal.connect.calls import calling, find
from portal.extensions import db
from portal.models import Integration, Tenant

INTERNAL = "internal"
CODE = re.compile(r"[A-Z]{3}")


def read_currencies(client: Client) -> dict[str, str] | None:
    """{Autotask id: code}, with the database's own currency under "internal"; None where none are offered."""
    try:
        rows = client.currencies()
    except Unauthorized:
        raise
    except Permanent:
        return None
    return by_id(rows)


def by_id(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The usable codes of raw Currencies rows."""
    found = {}
    for row in rows:
        try:
            currency = records.currency(row)
        except BadRecord:
            continue
        if CODE.fullmatch(currency["code"]):
            found[str(currency["autotask_id"])] = currency["code"]
            if currency["internal"]:
                found[INTERNAL] = currency["code"]
    return found


def currency_of(integration: Integration, currency_autotask_id: int | None) -> str:
    """The ISO code for a company's currencyID; without one, or for an unknown one, the database's own."""
    known = integration.currencies or {}
    if currency_autotask_id is not None and str(currency_autotask_id) in known:
        return str(known[str(currency_autotask_id)])
    return str(known.get(INTERNAL) or _partners_own())


def is_known(integration: Integration, currency_autotask_id: int | None) -> bool:
    """False when a company names a currency that cannot be resolved: an exception for a person."""
    return currency_autotask_id is None or str(currency_autotask_id) in (integration.currencies or {})


def refresh(integration_id: int) -> dict[str, str]:
    """Reads the list anew, for a currency that is not in it yet, and commits. Raises as `calling` does."""
    found = calling(integration_id, read_currencies)
    integration = find(integration_id)
    if found is not None:
        integration.currencies = found
    db.session.commit()
    return integration.currencies or {}


def _partners_own() -> str:
    tenant = db.session.get(Tenant, current_tenant_id())
    return tenant.default_currency if tenant else "USD"
