"""The command line for operators and scripts: one group per noun."""

import secrets
from importlib import import_module
from pkgutil import iter_modules

import click
import structlog
from flask import Flask


def register(app: Flask) -> None:
    """Adds the click group `commands` of every module in this package that has one."""
    for module in iter_modules(__path__):
        commands = getattr(import_module(f"{__name__}.{module.name}"), "commands", None)
        if commands is not None:
            commands.callback = _begin
            app.cli.add_command(commands)


def _begin() -> None:
    """Before each command: its name and an id stand in every line it writes."""
    context = click.get_current_context()
    structlog.contextvars.bind_contextvars(
        request_id=secrets.token_hex(8), command=f"{context.info_name} {context.invoked_subcommand}"
    )
