"""The command line for operators and scripts: one group per noun."""

import secrets
from functools import wraps
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import click
import structlog
from flask import Flask


def register(app: Flask) -> None:
    """Adds the click group `commands` of every module in this package that has one."""
    for module in iter_modules(__path__):
        commands = getattr(import_module(f"{__name__}.{module.name}"), "commands", None)
        if commands is not None:
            app.cli.add_command(_telling_its_name(commands, commands.name))


def _telling_its_name(command: click.Command, name: str) -> click.Command:
    """The command and all below it: its name and an id of this run stand in every line it writes."""
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _telling_its_name(below, f"{name} {below.name}")
    if (begin := command.callback) is not None:

        @wraps(begin)
        def named(*given: Any, **options: Any) -> Any:
            structlog.contextvars.bind_contextvars(request_id=secrets.token_hex(8), command=name)
            return begin(*given, **options)

        command.callback = named
    return command
