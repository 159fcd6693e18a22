"""Templates of the page, and how values are shown in them."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.api.messages import Answer
from sandbox.world import World

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent


@cache
def environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader  # the API alone needs the standard library only

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["day"] = _day
    made.filters["moment"] = _moment
    made.filters["amount"] = _amount
    made.filters["value"] = _value
    return made


def _day(value: str | None) -> str:
    return value[:10] if value else "—"


def _moment(value: str | None) -> str:
    return value[:19].replace("T", " ") if value else "—"


def _amount(value: Decimal | None) -> str:
    return "—" if value is None else f"{value:,.4f}".removesuffix("00")


def _value(value: Any) -> str:
    """A value in the log: null as a person would say it, midnight as its date."""
    if value is None:
        return "empty"
    text = str(value)
    return text[:10] if text.endswith("T00:00:00") else text[:120]


def page(world: World, template: str, status: int = 200, **values: Any) -> Answer:
    """One HTML page. The frame shows the zone, the user's state and the clock."""
    frame = {
        "zone": world.zone,
        "user": world.users.first,
        "now": world.clock.now().isoformat(timespec="seconds"),
        "faults": world.faults.all(),
        "hidden": world.hidden_companies,
    }
    html = environment().get_template(template).render(**frame, **values)
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; img-src data:; "
        "frame-ancestors 'none'; base-uri 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Answer(status, html.encode("utf-8", "replace"), "text/html; charset=utf-8", headers)


def stylesheet() -> Answer:
    return Answer(200, (HERE / "style.css").read_bytes(), "text/css; charset=utf-8")
