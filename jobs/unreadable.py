"""What gunicorn answers where no request reached the portal: the portal's words, as plain text."""

from http import HTTPStatus
from socket import socket

from gunicorn import util

USUAL = "This is no request that the portal can read, so nothing was done with it."
WORDS = {
    HTTPStatus.FORBIDDEN: "This request was not let through to the portal, so nothing was done with it.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The address is longer than the portal reads, so nothing was done with it. Shorten it.",
    HTTPStatus.EXPECTATION_FAILED: "The portal does not answer to this Expect header, so nothing was done with it.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The request has more or longer headers than the portal reads, so nothing "
    "was done with it. In a browser, delete this site's cookies and try again.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something failed here. Look whether what you sent was recorded before you send it "
    "again.",
}


def answer_in_words() -> None:
    """Instead of gunicorn's own page, which repeats what was sent."""
    util.write_error = write


def write(sock: socket, status: int, reason: str, _: str) -> None:
    body = f"{WORDS.get(HTTPStatus(status), USUAL)}\n".encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode() + body)
