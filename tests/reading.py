"""What a person reads on a page."""

import re
from html import unescape

from flask.testing import FlaskClient


def words(client: FlaskClient, path: str) -> str:
    """The text of the page at this address, on one line."""
    return words_of(client.get(path).text)


def words_of(html: str) -> str:
    body = html.partition("<body")[2].partition("<template")[0] or html
    text = unescape(re.sub(r"<[^>]+>", " ", body[body.find(">") + 1 :]))
    return re.sub(r"\s+([.,;:])", r"\1", re.sub(r"\s+", " ", text))
