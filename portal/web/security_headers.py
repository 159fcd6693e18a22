"""Headers of every answer (OWASP ASVS 5.0, V3.4)."""

from flask import Flask, Response

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


def register(app: Flask) -> None:
    """Sets the headers where a view has not set its own."""

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in headers_of(app).items():
            response.headers.setdefault(name, value)
        return response


def headers_of(app: Flask) -> dict[str, str]:
    """The headers, with HSTS where cookies are for https only."""
    if not app.config["SESSION_COOKIE_SECURE"]:
        return HEADERS
    return HEADERS | {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
