"""Changes Autotask's role, as it was previewed (rule 6). The caller commits, then rings."""

from sqlalchemy import select

from portal import connect
from portal.access import audit
from portal.access.actor import Actor
from portal.access.tenancy import scoped
from portal.extensions import db
from portal.models import INCOMPLETE, Integration, SyncKind, SyncRun, SyncTrigger
from portal.sync import runs
from portal.sync.role_preview import Preview, preview


class CannotChange(ValueError):
    """The role stays; str() says why, and what to do."""


class Moved(CannotChange):
    """What was previewed is no longer so."""


def change(actor: Actor, integration: Integration, role: str, seen: str | None = None) -> SyncRun | None:
    """Does what the preview that was `seen` says; the run that then reads or matches, where there is one.

    Raises CannotChange. Held until the transaction ends: no run begins meanwhile under the role before.
    """
    db.session.refresh(integration, with_for_update=True)
    if integration.role == role:
        raise CannotChange(f"Autotask is {role} already. Nothing was changed.")
    if _is_read(integration):
        raise CannotChange(
            "A sync is under way. Wait until it has ended, or cancel it under Sync history; then change the role."
        )
    told = preview(integration, role)
    if seen is not None and seen != told.seen:
        raise Moved("Something changed while you looked. These are the numbers now; nothing was changed yet.")
    before, integration.role = integration.role, role
    connect.end_matching()
    audit.record(
        actor,
        "integration.role_changed",
        "integration",
        integration.id,
        before=before,
        after=role,
        **_kept(told),
    )
    return _begun(actor, integration)


def _kept(told: Preview) -> dict[str, int]:
    return {f"role_{key}": number for key, number in told.numbers.items()}


def _is_read(integration: Integration) -> bool:
    incomplete = scoped(SyncRun).where(
        SyncRun.integration_id == integration.id, SyncRun.state.in_(INCOMPLETE)
    )
    return db.session.scalar(select(incomplete.exists())) or False


def _begun(actor: Actor, integration: Integration) -> SyncRun | None:
    """All of it is read or looked for at once, unless nothing ever was or could be."""
    if not integration.is_connected or runs.last(integration.id, SyncKind.ALL) is None:
        return None
    return runs.start(integration, SyncKind.ALL, SyncTrigger.CONNECT, actor)
