import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
from flask.cli import with_appcontext

from portal.backup.tables import CannotBackUp
from portal.backup.write import Totals, write
from portal.cli import lookup


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
@with_appcontext
def commands(file: str, overwrite: bool) -> None:
    """Writes everything into FILE (- for standard output), rows and sums by table. It holds people's data."""
    try:
        if file == "-":
            tell(write(sys.stdout.buffer), err=True)
        else:
            refuse_to_replace(Path(file), overwrite=overwrite)
            tell(into(Path(file)))
    except CannotBackUp as error:
        lookup.refuse(str(error))


def into(path: Path) -> Totals:
    with whole_file(path) as target:
        return write(target)


def refuse_to_replace(path: Path, *, overwrite: bool) -> None:
    """Ends the command where something lies there already, unless it is to be replaced."""
    if path.exists() and not overwrite:
        lookup.refuse(
            f"{path} is there already, and nothing was written. Choose another name, or add --overwrite."
        )


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """The file appears when it is whole, readable for its owner only."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600, exist_ok=False)
    with part.open("wb") as target:
        yield target
        target.flush()
        os.fsync(target.fileno())
    part.replace(path)


def tell(totals: Totals, *, err: bool = False) -> None:
    for name, found in totals.items():
        lookup.answer({"table": name, **found}, err=err)
