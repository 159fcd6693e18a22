from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select

from portal import connect
from portal.access import audit_chain, staff_log
from portal.access.actor import Actor
from portal.access.tenancy import tenant_scope
from portal.cli import lookup
from portal.cli.backup import refuse_to_replace, whole_file
from portal.extensions import db
from portal.leaving import erasure, takeout
from portal.ledger import kept_sums
from portal.models import Tenant
from portal.people import disabling, partners
from portal.storage import StorageFailed

commands = AppGroup("partners", help="Partners: the managed service providers that use the portal.")


@commands.command("create")
@click.argument("name")
@click.option("--slug", required=True, help="Its word in addresses: lower-case letters, digits and hyphens.")
@click.option("--time-zone", default="UTC", show_default=True)
@click.option("--currency", default="USD", show_default=True, help="Used where Autotask names none.")
def create(name: str, slug: str, time_zone: str, currency: str) -> None:
    """Makes a partner."""
    try:
        tenant = partners.make(lookup.OPERATOR, name, slug, time_zone, currency)
    except partners.CannotMake as refusal:
        lookup.refuse(str(refusal))
    db.session.commit()
    lookup.answer({"id": tenant.id, "slug": slug, "name": name})


@commands.command("list")
@lookup.json_lines
def list_all() -> None:
    """All partners, one JSON object a line."""
    lookup.answer_all(_told(row) for row in db.session.scalars(select(Tenant).order_by(Tenant.slug)))


def _told(row: Tenant) -> dict[str, Any]:
    return {
        "id": row.id,
        "slug": row.slug,
        "name": row.name,
        "time_zone": row.time_zone,
        "currency": row.default_currency,
        "created_at": row.created_at,
        "disabled_at": row.disabled_at,
        "disabled_reason": row.disabled_reason or None,
        "support_access": row.support_access,
    }


@commands.command("disable")
@click.argument("slug")
@click.option("--reason", required=True, help="Told to the partner's people on the page that is shut.")
def disable(slug: str, reason: str) -> None:
    """Shuts a partner: its pages, API keys, syncs and deliveries stop, and nothing is lost."""
    _set_disabled(slug, lambda actor, tenant: disabling.disable_partner(actor, tenant, reason.strip()))


@commands.command("enable")
@click.argument("slug")
def enable(slug: str) -> None:
    """Opens a partner again; what waited goes on."""
    _set_disabled(slug, disabling.enable_partner)


def _set_disabled(slug: str, work: Callable[[Actor, Tenant], bool]) -> None:
    tenant = lookup.partner(slug)
    with tenant_scope(tenant.id):
        try:
            changed = work(lookup.OPERATOR, tenant)
        except disabling.NoReason as refusal:
            lookup.refuse(str(refusal))
        db.session.commit()
        owed = connect.owed_deliveries()
    lookup.answer({**_told(tenant), "changed": changed, "deliveries_owed": owed})


@commands.command("export")
@click.argument("slug")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
def export(slug: str, file: str, overwrite: bool) -> None:
    """Everything of a partner as one ZIP, readable without the portal; rows and sums by file. It holds people's data."""
    tenant = lookup.partner(slug)
    refuse_to_replace(Path(file), overwrite=overwrite)
    staff_log.record(lookup.OPERATOR, "partner.exported", partner_id=tenant.id)
    db.session.commit()
    with tenant_scope(tenant.id), whole_file(Path(file)) as target:
        try:
            totals = takeout.write(target)
        except StorageFailed as failure:
            lookup.refuse(str(failure))
    lookup.answer_all({"file": name, **found} for name, found in totals.items())


@commands.command("erase")
@click.argument("slug")
@click.option("--confirm", required=True, metavar="SLUG", help="The slug once more: there is no way back.")
def erase(slug: str, confirm: str) -> None:
    """Erases what the books of a disabled partner do not need. Can be killed at any moment and run again."""
    tenant = lookup.partner(slug)
    if confirm != slug:
        lookup.refuse("The slug behind --confirm is another one. Nothing was erased.")
    try:
        erasure.erase(
            lookup.OPERATOR, tenant, lambda table, rows: lookup.answer({"table": table, "rows": rows})
        )
    except (erasure.CannotErase, StorageFailed) as refusal:
        lookup.refuse(str(refusal))
    lookup.answer({"partner": slug, "stays": erasure.STAYS})


@commands.command("verify-staff-log")
@click.option(
    "--head", metavar="POSITION:HASH", default="", help="Also hold a `staff_head` that the logs told."
)
def verify_staff_log(head: str) -> None:
    """Checks the signed chain of what staff did; exits non-zero where it is broken."""
    found = staff_log.verdict(head)
    lookup.answer(asdict(found))
    if found.broken_at is not None:
        lookup.refuse(f"The log of staff does not fit at event {found.broken_at}: {found.why}")
    if found.unsigned:
        click.echo(f"The log of staff fits; {staff_log.not_signed(found.unsigned)}.", err=True)


@commands.command("mend-sums")
@click.argument("slug")
def mend_sums(slug: str) -> None:
    """Brings the sums that lists and home show up to their rows; tells which were wrong."""
    tenant = lookup.partner(slug)
    with tenant_scope(tenant.id):
        found = [asdict(one) for one in kept_sums.differences()]
        kept_sums.mend()
    lookup.answer({"partner": slug, "mended": found})


@commands.command("verify-audit")
@click.argument("slug")
@click.option("--head", metavar="POSITION:HASH", help="Also hold an `audit_head` that the logs told.")
def verify_audit(slug: str, head: str | None) -> None:
    """Checks the signed chain of a partner's audit log; exits non-zero where it is broken."""
    tenant = lookup.partner(slug)
    with tenant_scope(tenant.id):
        found = audit_chain.verdict()
        told = audit_chain.holds(head) if head else True
    lookup.answer({"partner": slug, **asdict(found)})
    if found.broken_at is not None:
        lookup.refuse(f"The audit log of {slug} does not fit at event {found.broken_at}: {found.why}")
    if not told:
        lookup.refuse(f"The audit log of {slug} does not hold {head}: its end was cut off or written anew.")
