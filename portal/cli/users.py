import click
from email_validator import EmailNotValidError, validate_email
from flask.cli import AppGroup
from sqlalchemy import select

from portal.access import audit, passwords, sessions
from portal.access.tenancy import tenant_scope
from portal.cli import lookup
from portal.extensions import db
from portal.models import Membership, Role, Tenant, User

commands = AppGroup("users", help="People who log in.")


@commands.command("create")
@click.argument("email")
@click.option("--partner", "slug", help="The partner's slug; with --role.")
@click.option("--role", type=click.Choice([role.value for role in Role]))
@click.option("--staff", is_flag=True, help="Support staff instead of a partner's user.")
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
        # Reserved names such as demo.example are fine here: nothing is sent to find out.
        return validate_email(email, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
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
    user = User(email=email, name=name, password_hash=password, is_staff=staff)
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
