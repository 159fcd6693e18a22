"""Only the portal's own addresses are answered, and over https where a proxy tells how a person came."""

from flask import Flask, Response, current_app, redirect, request
from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.sansio.utils import host_is_trusted

from portal.access.form_tokens import UNSAFE

PROBES = ("operating.healthz", "operating.readyz", "operating.prometheus")


def register(app: Flask) -> None:
    """Comes before everything else that looks at a request."""
    app.before_request(_refuse_other_hosts)
    app.before_request(_to_https)
    app.after_request(_stay_here)


def _refuse_other_hosts() -> None:
    hosts = current_app.config["HOSTS"]
    if request.endpoint in PROBES:
        return  # whoever looks after this machine asks it by its address
    if hosts and not host_is_trusted(request.host, hosts):
        raise BadRequest("The portal does not answer under this address.")


def _to_https() -> Response | None:
    told = current_app.config["TRUSTED_PROXIES"] and "X-Forwarded-Proto" in request.headers
    if not told or request.is_secure or not current_app.config["SESSION_COOKIE_SECURE"]:
        return None
    if request.method in UNSAFE or request.path.startswith("/api/"):
        raise Forbidden("Use https. What was sent came over an open connection and was not read.")
    return redirect(request.url.replace("http://", "https://", 1), 308)  # type: ignore[return-value]


def _stay_here(answer: Response) -> Response:
    """A redirect to an own page names no host, so that no host that a request made up comes back."""
    target = answer.headers.get("Location", "")
    if target.startswith(request.host_url) and not current_app.config["HOSTS"]:
        answer.headers["Location"] = "/" + target.removeprefix(request.host_url)
    return answer
