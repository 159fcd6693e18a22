"""What commands share: finding the partner, reading a secret, answering in JSON or with a reason."""

import json
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

import click
from sqlalchemy import select

from portal.access import sessions
from portal.access.actor import Actor, Source
from portal.extensions import db
from portal.models import Tenant, User

OPERATOR = Actor(source=Source.COMMAND)
# For commands that list: programs may say it, people need not.
json_lines = click.option(
    "--json", is_flag=True, expose_value=False, help="One JSON object a line: the only form there is."
)


def partner(slug: str) -> Tenant:
    """The partner with this slug, or the end of the command with a sentence."""
    tenant = db.session.scalar(select(Tenant).where(Tenant.slug == slug))
    if tenant is None:
        refuse(f"There is no partner with the slug {slug!r}.")
    return tenant


def user(email: str) -> User:
    """The person who logs in with this address, or the end of the command with a sentence."""
    found = sessions.find_user(email)
    if found is None:
        refuse(f"Nobody logs in with {email!r}.")
    return found


def refuse(sentence: str) -> NoReturn:
    """Ends the command with the reason on standard error and exit code 1."""
    raise click.ClickException(sentence)


def answer(row: dict[str, Any], *, err: bool = False) -> None:
    """Prints one JSON object on one line."""
    click.echo(json.dumps(row, ensure_ascii=False, default=str), err=err)


def answer_all(rows: Iterable[dict[str, Any]]) -> None:
    """Prints one JSON object a line."""
    for row in rows:
        answer(row)


def secret_from_stdin(what: str) -> str:
    """A password or secret from standard input: the first line, or a hidden prompt on a terminal."""
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True))
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        refuse(f"Give the {what.lower()} on standard input.")
    return text
