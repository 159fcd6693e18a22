"""Endpoints for tests of pages and rules: nothing listens there, and the port refuses at once."""

from portal.webhooks import endpoints, kinds, signing
from portal.webhooks.endpoints import Wanted
from tests import factories

NOWHERE = "https://127.0.0.1:9999/hooks?key="


def listening(names: tuple[str, ...] = ("ERP",)) -> list[int]:
    """Saved without a test; the ids. The configuration has to name the host for anything to be sent."""
    return [
        endpoints.create(
            factories.ACTOR, Wanted(f"{NOWHERE}{name}", name, kinds.OFFERED), signing.new_secret()
        ).id
        for name in names
    ]
