from dataclasses import asdict

from flask.cli import AppGroup

from portal.cli import lookup
from portal.operating import sealed

commands = AppGroup("keys", help="Keys of ENCRYPTION_KEYS: docs/operating.md.")


@commands.command("seal-anew")
def seal_anew() -> None:
    """Seals every stored secret by the first key. Can be killed at any moment and run again."""
    found = sealed.seal_anew()
    lookup.answer(asdict(found))
    if found.lost:
        lookup.refuse(f"{found.lost} cannot be opened by any key of ENCRYPTION_KEYS: keep the old keys.")


@commands.command("show")
def show() -> None:
    """How many stored secrets the first key opens, how many an older one, and how many none."""
    lookup.answer(asdict(sealed.figures()))
