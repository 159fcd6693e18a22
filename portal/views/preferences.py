"""Can I fetch now? The two manual syncs of a primary integration."""

from typing import Any

from flask import Blueprint, abort, render_template

from portal import connect
from portal.access.permissions import Permission, requires
from portal.queries import preferences, sync_changes

pages = Blueprint("preferences", __name__, url_prefix="/p/<partner_slug>/integrations/autotask/preferences")


@pages.get("")
@requires(Permission.VIEW)
def show() -> Any:
    integration = connect.current() or abort(404, "Autotask was never connected here.")
    cards = preferences.cards(integration)
    return render_template(
        "preferences/show.html",
        integration=integration,
        cards=cards,
        under_way=any(card.running for card in cards),
        change_words=sync_changes,
    )
