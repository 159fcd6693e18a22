"""The only place that knows htmx's headers: what a request wants, what an answer asks of the page."""

import json
from typing import Any

from flask import Request, Response, make_response, render_template, request
from flask import redirect as plain_redirect

# What an open page sends when it asks by itself; nobody sits there.
POLL_HEADER = "X-Portal-Poll"


def is_fragment(asked: Request | None = None) -> bool:
    """True when htmx asks for a part of the page; history, boosted links and open pages want all of it."""
    headers = (asked or request).headers
    whole = headers.get("HX-History-Restore-Request") == "true" or headers.get("HX-Boosted") == "true"
    return is_htmx(asked) and not whole and not is_poll(asked)


def is_poll(asked: Request | None = None) -> bool:
    """True when an open page asks whether it is still true."""
    return is_htmx(asked) and (asked or request).headers.get(POLL_HEADER) == "page"


def is_htmx(asked: Request | None = None) -> bool:
    """True when htmx asks, for whatever."""
    return (asked or request).headers.get("HX-Request") == "true"


def render(page: str, fragment: str, /, *, status: int = 200, **context: Any) -> Response:
    """The fragment's template for htmx, else the page's, from the same context and at the same address."""
    return vary(make_response(render_template(fragment if is_fragment() else page, **context), status))


def redirect(url: str) -> Response:
    """Send the person on to another page: 303, or htmx's own header for a full load; an open page goes as a whole."""
    if not is_fragment() and not is_poll():
        return vary(make_response(plain_redirect(url, 303)))
    answer = Response(status=204)
    answer.headers["HX-Redirect"] = url
    return vary(answer)


def announce(answer: Response, words: str) -> Response:
    """Have a screen reader say these words once, without moving the focus."""
    return trigger(answer, "announce", {"value": words})


def trigger(answer: Response, event: str, detail: Any = None) -> Response:
    """Raise an event on the page after the swap. Escaped to ASCII, because headers carry nothing else."""
    events = json.loads(answer.headers.get("HX-Trigger", "{}"))
    events[event] = detail
    answer.headers["HX-Trigger"] = json.dumps(events, ensure_ascii=True)
    return answer


def into_messages(answer: Response) -> Response:
    """Show this answer in the page's message region, whatever part of the page asked for it."""
    answer.headers["HX-Retarget"] = "#messages"
    answer.headers["HX-Reswap"] = "innerHTML"
    return vary(answer)


def vary(answer: Response) -> Response:
    """One address answers with a page or a part of it: caches must not mix them up."""
    answer.vary.add("HX-Request")
    return answer
