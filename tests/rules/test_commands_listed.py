"""README's list of commands has every one of them."""

import re
from collections.abc import Iterator

import click
from flask import Flask

from tests.rules.test_imports import ROOT

LIST = (ROOT / "README.md").read_text().partition("## Command line")[2].partition("## Developing")[0]
FROM_A_LIBRARY = "db"


def every_command(app: Flask) -> Iterator[str]:
    for name, command in app.cli.commands.items():
        if name == FROM_A_LIBRARY:
            continue
        if isinstance(command, click.Group):
            yield from (f"{name} {below}" for below in command.commands)
        else:
            yield name


def is_listed(command: str) -> bool:
    """Written out, or as one of several: `users disable|enable EMAIL`."""
    words = [rf"(?:[\w-]+\|)*{word}(?:\|[\w-]+)*" for word in command.split()]
    return re.search(rf"(?<![\w|-]){' '.join(words)}(?![\w|-])", LIST) is not None


def test_every_command_is_listed(app: Flask) -> None:
    commands = list(every_command(app))
    assert len(commands) > 30
    assert [command for command in commands if not is_listed(command)] == []


def test_the_guard_sees_one_that_is_not() -> None:
    assert not is_listed("partners forget")
    assert is_listed("invoices list")
    assert is_listed("users sign-out")
