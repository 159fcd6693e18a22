"""What a page says and holds, read as a browser reads it."""

import re

from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient


def words(client: FlaskClient, path: str) -> str:
    """The text of the page at this address, on one line."""
    return words_of(client.get(path).text)


def words_of(html: str) -> str:
    page = BeautifulSoup(html, "lxml")
    for hidden in page.select("head, template"):
        hidden.decompose()
    return re.sub(r"\s+([.,;:])", r"\1", re.sub(r"\s+", " ", page.get_text(" ")))


def element(html: str, css: str) -> Tag:
    """The first element of the page that fits the selector."""
    found = BeautifulSoup(html, "lxml").select_one(css)
    assert found is not None, f"no {css} on the page"
    return found


def elements(html: str, css: str) -> list[Tag]:
    """All elements of the page that fit the selector."""
    return list(BeautifulSoup(html, "lxml").select(css))


def value(html: str, name: str) -> str:
    """What the first field of this name holds."""
    return str(element(html, f'[name="{name}"]')["value"])
