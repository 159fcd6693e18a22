"""Answers go compressed over the wire, except where another site could read secrets from their length.

docs/wire.md says why: whoever can make a browser ask for a page, with words of his own in it, and sees how long the
answer is, could guess what stands beside those words (BREACH).
"""

import gzip

import brotli  # type: ignore[import-untyped]
from flask import Flask, Response, request

LEAST = 500  # bytes; below, the headers weigh more than what is saved
KINDS = {"text/html", "application/json", "application/problem+json", "text/plain"}
BROTLI_QUALITY, GZIP_LEVEL = 5, 6  # of pages: a millisecond or two
OTHER_SITES = {"cross-site", "same-site"}


def register(app: Flask) -> None:
    """To be registered before all others that change an answer: the first one comes last."""
    app.after_request(_compress)


def accepted() -> str:
    """What the browser prefers of `br` and `gzip`; empty where it takes neither."""
    offered = request.accept_encodings
    best = max(("br", "gzip"), key=lambda name: offered.quality(name))
    return best if offered.quality(best) > 0 else ""


def _compress(response: Response) -> Response:
    if not _is_compressible(response):
        return response
    response.vary.update(("Accept-Encoding", "Sec-Fetch-Site"))
    encoding = accepted()
    if not encoding or request.headers.get("Sec-Fetch-Site") in OTHER_SITES:
        return response
    plain = response.get_data()
    if encoding == "br":
        response.set_data(brotli.compress(plain, mode=brotli.MODE_TEXT, quality=BROTLI_QUALITY))
    else:
        response.set_data(gzip.compress(plain, GZIP_LEVEL))
    response.content_encoding = encoding
    return response


def _is_compressible(response: Response) -> bool:
    """What streams goes out as it comes."""
    if response.is_streamed or response.direct_passthrough or response.content_encoding:
        return False
    return response.mimetype in KINDS and (response.content_length or len(response.get_data())) >= LEAST
