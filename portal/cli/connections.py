"""`flask connections check`: whether the database has room for the processes of a release, and of a deploy."""

import click
from flask import current_app
from flask.cli import AppGroup

from portal.cli import lookup
from portal.database import shares

commands = AppGroup("connections", help="Connections to the database.")


@commands.command()
def check() -> None:
    """Prints who may hold how many; exits with 1 if a single release does not fit."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    for process in shares.Process:
        share = shares.share_of(app, process)
        lookup.answer({"process": process.value, "most": share.total})
    found = shares.room(app)
    lookup.answer(
        {"allowed": found.allowed, "release": found.release, "deploy": found.deploy, "says": str(found)}
    )
    if not found.runs:
        raise click.exceptions.Exit(1)
