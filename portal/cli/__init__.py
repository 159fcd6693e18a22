"""The command line for operators and scripts: one group per noun."""

from importlib import import_module
from pkgutil import iter_modules

from flask import Flask


def register(app: Flask) -> None:
    """Adds the click group `commands` of every module in this package that has one."""
    for module in iter_modules(__path__):
        commands = getattr(import_module(f"{__name__}.{module.name}"), "commands", None)
        if commands is not None:
            app.cli.add_command(commands)
