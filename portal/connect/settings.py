"""What a partner may settle about a connection: the number shown, and how totals are read."""

from sqlalchemy import Text, case, cast, func, update

from portal import ledger
from portal.access import audit
from portal.access.actor import Actor
from portal.extensions import db
from portal.models import Identifier, Integration, Invoice, TotalsSource


def set_totals_mode(actor: Actor, integration: Integration, mode: str) -> int:
    """The partner's own word on tax; how many invoices changed their amount. The caller commits."""
    before = integration.totals_mode
    integration.totals_mode, integration.totals_source = mode, TotalsSource.PARTNER
    db.session.flush()
    integration_id = integration.id
    changed = ledger.recompute_amounts(integration_id, mode)
    audit.record(
        actor,
        "integration.totals_mode_set",
        "integration",
        integration_id,
        before=before,
        after=mode,
        invoices_changed=changed,
    )
    return changed


def set_identifier(actor: Actor, integration: Integration, identifier: str) -> int:
    """Shows invoices by number or by Autotask ID (rule 1.5); how many got another. The caller commits."""
    before = integration.identifier
    changed = renumber(integration, identifier)
    audit.record(
        actor,
        "integration.identifier_set",
        "integration",
        integration.id,
        before=before,
        after=identifier,
        invoices_renumbered=changed,
    )
    return changed


def renumber(integration: Integration, identifier: str) -> int:
    """Sets the identifier and every number that follows from it; how many changed. The caller commits.

    Where Autotask is secondary, numbers are the partner's own, and the identifier only says what they are matched by.
    """
    integration.identifier = identifier
    if not integration.is_primary:
        return 0
    own_id = cast(Invoice.autotask_id, Text)
    given = func.nullif(func.btrim(func.coalesce(Invoice.autotask_number, "")), "")
    number = own_id if identifier == Identifier.ID else case((given.is_(None), own_id), else_=given)
    changed = db.session.execute(
        update(Invoice)
        .where(
            Invoice.tenant_id == integration.tenant_id,
            Invoice.integration_id == integration.id,
            Invoice.autotask_id.is_not(None),
            Invoice.number != number,
        )
        .values(number=number)
        .execution_options(synchronize_session=False)
    )
    return int(changed.rowcount)  # type: ignore[attr-defined]
