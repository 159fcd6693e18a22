from collections.abc import Callable
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import select

from portal.access import audit, factors, passwords, sessions
from portal.access.actor import Actor
from portal.access.support_visits import SHORTEST_REASON
from portal.access.tenancy import scoped, system_scope, tenant_scope
from portal.cli import lookup
from portal.extensions import db
from portal.mail.drawing import absolute
from portal.models import Membership, Role, Tenant, User
from portal.people import addresses, disabling, invitations, passwords_forgotten, team

ROLES = click.Choice([role.value for role in Role])

commands = AppGroup("users", help="People who log in.")


@commands.command("create")
@click.argument("email")
@click.option("--partner", "slug", help="The partner's slug; with --role.")
@click.option("--role", type=ROLES)
@click.option(
    "--staff",
    is_flag=True,
    help="Support staff instead of a partner's user; the first one looks after the others.",
)
@click.option("--name", default="")
def create(email: str, slug: str | None, role: str | None, staff: bool, name: str) -> None:
    """Makes a user (password from standard input), or gives an existing one a role at another partner."""
    if staff == bool(slug) or bool(slug) != bool(role):
        lookup.refuse("Use either --staff, or --partner together with --role.")
    tenant = lookup.partner(slug) if slug else None
    user = _user(_checked(email), name, staff, [tenant.name, tenant.slug] if tenant else [])
    if tenant and role:
        _join(user, tenant, role)
    db.session.commit()
    lookup.answer({"id": user.id, "email": user.email, "staff": user.is_staff, "partner": slug, "role": role})


def _checked(email: str) -> str:
    try:
        return addresses.normalized(email)
    except addresses.NoAddress as error:
        lookup.refuse(f"{email!r} is not an e-mail address: {error}")


def _user(email: str, name: str, staff: bool, partner: list[str]) -> User:
    user = sessions.find_user(email)
    if user is not None:
        if user.is_staff or staff:
            lookup.refuse(f"{email} is already in use, and support staff cannot also be a partner's user.")
        return user
    try:
        password = passwords.hashed(lookup.secret_from_stdin("Password"), [email, name, *partner])
    except passwords.WeakPassword as error:
        lookup.refuse(str(error))
    looked_after = db.session.scalar(select(User.id).where(User.staff_admin, User.disabled_at.is_(None)))
    user = User(
        email=email, name=name, password_hash=password, is_staff=staff, staff_admin=staff and not looked_after
    )
    db.session.add(user)
    db.session.flush()
    return user


def _join(user: User, tenant: Tenant, role: str) -> None:
    with tenant_scope(tenant.id):
        member = db.session.scalar(
            select(Membership).where(Membership.tenant_id == tenant.id, Membership.user_id == user.id)
        )
        if member is not None:
            lookup.refuse(f"{user.email} already belongs to {tenant.slug}, as {member.role}.")
        db.session.add(Membership(tenant_id=tenant.id, user_id=user.id, role=role))
        audit.record(lookup.OPERATOR, "user.added", "user", user.id, email=user.email, role=role)
        db.session.commit()


@commands.command("invite")
@click.argument("email")
@click.option("--partner", "slug", required=True, help="The partner's slug.")
@click.option("--role", type=ROLES, required=True)
def invite(email: str, slug: str, role: str) -> None:
    """Invites a person by mail; where no mail goes out, the link is printed, once."""
    tenant = lookup.partner(slug)
    with tenant_scope(tenant.id):
        try:
            row, path = invitations.invite(lookup.OPERATOR, _checked(email), role)
        except invitations.CannotInvite as refusal:
            lookup.refuse(str(refusal))
        told = {"id": row.id, "email": row.email, "partner": slug, "role": role, "expires_at": row.expires_at}
        db.session.commit()
    lookup.answer(told if current_app.config["MAIL"] else {**told, "link": absolute(path)})


@commands.command("list")
@click.argument("slug", required=False)
@lookup.json_lines
def list_all(slug: str | None) -> None:
    """A partner's people, or everybody who logs in, one JSON object a line."""
    if slug is None:
        roles = _roles_by_user()
        people = db.session.scalars(select(User).order_by(User.id)).all()
        lookup.answer_all({**_person(one), "roles": roles.get(one.id, {})} for one in people)
        return
    tenant = lookup.partner(slug)
    with tenant_scope(tenant.id):
        members = db.session.scalars(scoped(Membership).order_by(Membership.id)).all()
        lookup.answer_all([{**_person(one.user), "role": one.role} for one in members])


def _roles_by_user() -> dict[int, dict[str, str]]:
    with system_scope():
        rows = db.session.execute(
            select(Membership.user_id, Tenant.slug, Membership.role).join(
                Tenant, Tenant.id == Membership.tenant_id
            )
        ).all()
    found: dict[int, dict[str, str]] = {}
    for user_id, slug, role in rows:
        found.setdefault(user_id, {})[slug] = role
    return found


def _person(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "staff": user.is_staff,
        "disabled_at": user.disabled_at,
    }


@commands.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Signs a person out and lets them in nowhere; names the API keys they made, which go on working."""
    user = lookup.user(email)
    changed = disabling.disable_user(lookup.OPERATOR, user)
    db.session.commit()
    keys = disabling.keys_made_by(user)
    lookup.answer({**_person(user), "changed": changed, "api_keys": keys})


@commands.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Lets a disabled person in again, by a new login."""
    user = lookup.user(email)
    changed = disabling.enable_user(lookup.OPERATOR, user)
    db.session.commit()
    lookup.answer({**_person(user), "changed": changed})


@commands.command("sign-out")
@click.argument("email")
def sign_out(email: str) -> None:
    """Ends every session of a person."""
    user = lookup.user(email)
    ended = disabling.sign_out(lookup.OPERATOR, user)
    db.session.commit()
    lookup.answer({**_person(user), "sessions_ended": ended})


@commands.command("reset-password")
@click.argument("email")
def reset_password(email: str) -> None:
    """Sends a person a link for a new password; where no mail goes out, the link is printed, once."""
    user = lookup.user(email)
    if user.disabled_at is not None:
        lookup.refuse(f"{user.email} is disabled, so no link would open anything. Enable the person first.")
    path, until = passwords_forgotten.hand_out(lookup.OPERATOR, user)
    db.session.commit()
    told = {"email": user.email, "expires_at": until}
    lookup.answer(told if current_app.config["MAIL"] else {**told, "link": absolute(path)})


@commands.command("reset-factors")
@click.argument("email")
@click.option("--reason", required=True, help="Why; it stands in the logs of the person's partners.")
def reset_factors(email: str, reason: str) -> None:
    """Takes all second factors and recovery codes of a person away, and ends every session of theirs."""
    user = lookup.user(email)
    if len(reason.strip()) < SHORTEST_REASON:
        lookup.refuse(f"Say why in at least {SHORTEST_REASON} characters.")
    had = [factor.name for factor in factors.of(user)]
    factors.take_all(user, lookup.OPERATOR, reason=reason.strip())
    db.session.commit()
    lookup.answer({**_person(user), "factors_taken_away": had})


@commands.command("set-role")
@click.argument("email")
@click.argument("slug")
@click.argument("role", type=ROLES)
def set_role(email: str, slug: str, role: str) -> None:
    """Gives a person another role at a partner, and ends their sessions."""
    _change(email, slug, lambda actor, member: team.set_role(actor, member.id, role))
    lookup.answer({"email": email, "partner": slug, "role": role})


@commands.command("remove")
@click.argument("email")
@click.argument("slug")
@click.option("--revoke-keys", is_flag=True, help="Also revoke the API keys that the person made there.")
def remove(email: str, slug: str, revoke_keys: bool) -> None:
    """Takes a person out of a partner, and names the API keys they made there."""
    keys: list[dict[str, Any]] = []
    withdrawn: list[str] = []

    def take_out(actor: Actor, member: Membership) -> None:
        made = team.keys_made_by(member.user_id)
        withdrawn.extend(row.email for row in invitations.tied_to(member.user))
        keys.extend({"name": key.name, "begins_with": key.prefix} for key in made)
        team.remove(actor, member.id, [key.id for key in made] if revoke_keys else ())

    _change(email, slug, take_out)
    told = {"api_keys": keys, "api_keys_revoked": revoke_keys, "invitations_withdrawn": withdrawn}
    lookup.answer({"email": email, "partner": slug, **told})


def _change(email: str, slug: str, work: Callable[[Actor, Membership], Any]) -> None:
    user, tenant = lookup.user(email), lookup.partner(slug)
    with tenant_scope(tenant.id):
        member = db.session.scalar(scoped(Membership).where(Membership.user_id == user.id))
        if member is None:
            lookup.refuse(f"{user.email} does not belong to {slug}.")
        try:
            work(lookup.OPERATOR, member)
        except team.CannotChange as refusal:
            lookup.refuse(str(refusal))
        db.session.commit()
