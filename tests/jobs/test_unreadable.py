"""What is no request is answered in the portal's words, and never repeated."""

import socket

import pytest
from gunicorn import config, util
from gunicorn.glogging import Logger
from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders, LimitRequestLine
from gunicorn.workers.gthread import ThreadWorker

from jobs import unreadable


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (InvalidRequestLine("<script>"), "400 Bad Request", "no request that the portal can read"),
        (LimitRequestLine(5000, 4094), "414 URI Too Long", "The address is longer than the portal reads"),
        (LimitRequestHeaders("<b>"), "431 Request Header Fields Too Large", "delete this site's cookies"),
        (RuntimeError("<i>"), "500 Internal Server Error", "before you send it again"),
    ],
)
def test_gunicorn_answers_in_our_words(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: str, words: str
) -> None:
    monkeypatch.setattr(util, "write_error", util.write_error)
    unreadable.answer_in_words()
    settings = config.Config()
    worker = ThreadWorker(1, 1, [], None, 30, settings, Logger(settings))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker.handle_error(None, ours, ("127.0.0.1", 1), error)
        told = theirs.recv(4096).decode()
    worker.tmp.close()
    assert told.startswith(f"HTTP/1.1 {status}\r\n")
    assert "Content-Type: text/plain; charset=utf-8" in told
    assert words in told
    assert "<" not in told
