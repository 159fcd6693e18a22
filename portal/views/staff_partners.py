"""Who is in trouble? The partners as support staff see them."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, render_template

from portal import formatters
from portal.access.permissions import staff_only
from portal.queries import partner_health

pages = Blueprint("staff_partners", __name__, url_prefix="/staff/partners")


@pages.get("")
@staff_only
def index() -> Any:
    partners = partner_health.all_partners()
    return render_template("staff_partners/index.html", partners=partners, sentence=_sentence(partners))


def _sentence(partners: Sequence[partner_health.Health]) -> str:
    """How many there are, and how many are in trouble of each kind."""
    troubles = [
        (sum(one.needs_reconnecting for one in partners), "needs reconnecting", "need reconnecting"),
        (sum(bool(one.needs.late) for one in partners), "has late payments", "have late payments"),
        (sum(bool(one.needs.stuck) for one in partners), "has stuck payments", "have stuck payments"),
    ]
    said = [f"{number:,} {one if number == 1 else many}" for number, one, many in troubles if number]
    return f"{formatters.plural(partners, 'partner')}. {', '.join(said) or 'None is in trouble'}."
