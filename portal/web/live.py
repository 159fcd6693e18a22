"""Pages that stay true while they are open: each asks for itself again and is drawn anew where something changed.

What is drawn anew is the whole of the page (menu, banner, headline, body) from one reading of the database, so that
no part of it tells of another moment than the rest, or than a reload would.
"""

import re
from hashlib import blake2s
from urllib.parse import urlencode

from flask import Flask, Response, request

from portal.web import htmx

SHOWN = re.compile(r"<!--live-->(.*?)<!--/live-->", re.DOTALL)
# Tokens differ each time they are drawn and are no part of what a person sees.
TOKEN = re.compile(r'name="(?:csrf_token|key)" value="[^"]*"')
PLACE = "seen-is-filled-in-below"
SOON, LATER = 1, 10  # seconds


def register(app: Flask) -> None:
    """Gives templates `is_live_poll` and the paces, and marks each page with what it shows."""
    paces = {"SOON": SOON, "LATER": LATER}
    app.jinja_env.globals.update(is_live_poll=htmx.is_poll, live_address=address, live_place=PLACE, **paces)
    app.after_request(_mark)


def address() -> str:
    """Where the page asks for itself: its own address, as it was opened."""
    query = urlencode([(name, value) for name, value in request.args.items(multi=True) if name != "seen"])
    return request.path + ("?" + query if query else "")


def _mark(response: Response) -> Response:
    """Writes what the page shows into it; nothing at all where the open page shows that already."""
    if response.mimetype != "text/html" or response.is_streamed or request.method != "GET":
        return response
    html = response.get_data(as_text=True)
    if PLACE not in html:
        return response
    seen = _digest(html)
    if htmx.is_poll() and request.args.get("seen") == seen:
        return htmx.vary(Response(status=204))
    response.set_data(html.replace(PLACE, seen, 1))
    return htmx.vary(response)


def _digest(html: str) -> str:
    shown = TOKEN.sub("", "".join(SHOWN.findall(html)))
    return blake2s(shown.encode(), digest_size=9).hexdigest()
