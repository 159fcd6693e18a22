from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from portal import connect, serializers
from portal.access.tenancy import tenant_scope
from portal.cli import lookup
from portal.connect import usage
from portal.extensions import db
from portal.models import AUTOTASK, Identifier, Integration, IntegrationRole, SyncKind, SyncTrigger
from portal.money import plain
from portal.sync import role_change, role_preview, runs

commands = AppGroup("integrations", help="A partner's connection to Autotask.")

NEVER = {"kind": AUTOTASK, "state": "not_connected"}


@commands.command("connect")
@click.argument("slug")
@click.option("--email", required=True, help="The e-mail address of the Autotask account.")
@click.option("--username", required=True, help="The API user's Username (Key).")
@click.option(
    "--identifier",
    type=click.Choice([one.value for one in Identifier]),
    default=Identifier.NUMBER.value,
    show_default=True,
)
@click.option(
    "--role",
    type=click.Choice([one.value for one in IntegrationRole]),
    default=IntegrationRole.PRIMARY.value,
    show_default=True,
)
def connect_partner(slug: str, email: str, username: str, identifier: str, role: str) -> None:
    """Tests the login, the secret of which comes from standard input, connects, and starts the first sync."""
    tenant = lookup.partner(slug)
    secret = lookup.secret_from_stdin("Secret")
    request = connect.ConnectRequest(email, username, secret, identifier, role)
    with tenant_scope(tenant.id):
        known = connect.current()
        if known is not None and known.role != role:
            lookup.refuse(
                f"Autotask is {known.role} for {slug}. `integrations role` shows what another role does."
            )
        verified = _checked(request)
        integration = connect.save_connection(lookup.OPERATOR, request, verified)
        run = runs.start(integration, SyncKind.ALL, SyncTrigger.CONNECT, lookup.OPERATOR)
        db.session.commit()
        runs.ring(run)
        for note in verified.notes:
            click.echo(note, err=True)
        lookup.answer({"partner": slug, **as_json(integration), "first_run": run.id})


def _checked(request: connect.ConnectRequest) -> connect.Verified:
    known = connect.known_customers()
    db.session.commit()
    try:
        return connect.check(request, current_app.config, known)
    except connect.ConnectRefused as refusal:
        lookup.refuse("\n".join(refusal.sentences))


@commands.command("show")
@click.argument("slug")
@click.option("--json", is_flag=True, expose_value=False, help="One JSON object: the only form there is.")
def show(slug: str) -> None:
    """A partner's integration with its state, evidence and use of the budget; never the secret."""
    with tenant_scope(lookup.partner(slug).id):
        integration = connect.current()
        lookup.answer({"partner": slug, **(as_json(integration) if integration else NEVER)})


@commands.command("test")
@click.argument("slug")
def test(slug: str) -> None:
    """Tests the stored login and rights, as the button on the page does."""
    with tenant_scope(lookup.partner(slug).id):
        integration = connect.current() or lookup.refuse(f"{slug} has no integration yet.")
        try:
            verified = connect.test_connection(lookup.OPERATOR, integration)
        except (connect.ConnectRefused, connect.NotConnected) as refusal:
            lookup.refuse(str(refusal))
        lookup.answer({"partner": slug, **as_json(integration), "notes": verified.notes})


@commands.command("role")
@click.argument("slug")
@click.argument("role", type=click.Choice([one.value for one in IntegrationRole]))
@click.option("--change", is_flag=True, help="Do it; without this, only what it would do is printed.")
def role(slug: str, role: str, change: bool) -> None:
    """What another role does to invoices, matches, deliveries and exceptions; with --change it is done."""
    with tenant_scope(lookup.partner(slug).id):
        integration = connect.current() or lookup.refuse(f"{slug} has no integration yet.")
        told = role_preview.preview(integration, role)
        if change:
            _change(integration, role, told.seen)
        rows = [
            {
                "what": line.key,
                "number": line.number,
                "money": {code: plain(sum_, code) for code, sum_ in line.sums},
            }
            for line in told.lines
        ]
        lookup.answer({"partner": slug, "role": role, "changed": change, "lines": rows})


def _change(integration: Integration, role: str, seen: str) -> None:
    try:
        run = role_change.change(lookup.OPERATOR, integration, role, seen)
    except role_change.CannotChange as refusal:
        lookup.refuse(str(refusal))
    db.session.commit()
    if run is not None:
        runs.ring(run)


@commands.command("disconnect")
@click.argument("slug")
@click.confirmation_option(
    prompt="Autotask will hear of no more payments until it is connected again. Disconnect?"
)
def disconnect(slug: str) -> None:
    """Forgets the secret and stops syncs and deliveries; what was read stays."""
    with tenant_scope(lookup.partner(slug).id):
        integration = connect.current() or lookup.refuse(f"{slug} has no integration yet.")
        connect.disconnect(lookup.OPERATOR, integration)
        db.session.commit()
        lookup.answer({"partner": slug, **as_json(integration), "deliveries_owed": connect.owed_deliveries()})


def as_json(integration: Integration) -> dict[str, Any]:
    """The integration's own words; nothing of the secret."""
    db.session.refresh(integration)
    shown = serializers.integration(integration)
    shown["usage"]["own_calls_last_hour"] = usage.own_calls(integration)
    return {
        **shown,
        "web_url": integration.web_url,
        "database_number": integration.database_number,
        "currencies": integration.currencies,
        "sync_minute": integration.sync_minute,
        "sync_hour": integration.sync_hour,
        "probe_at": serializers.moment(integration.probe_at),
    }
