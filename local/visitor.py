"""A visitor who uses the pages as a person without script does: reads, follows links, sends forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urljoin

import mechanicalsoup
import requests
from bs4 import BeautifulSoup, Tag

UNSEEN = ("script", "style", "template", "head", "svg", "option", "textarea")
SECONDS = 30


class NotOnPage(AssertionError):
    """The page lacks what the visitor looked for; the message shows what it has."""


@dataclass(frozen=True)
class Form:
    """A form as it stands on its page."""

    tag: Tag

    @property
    def action(self) -> str:
        return str(self.tag.get("action", ""))

    @property
    def names(self) -> list[str]:
        return sorted({str(field["name"]) for field in self.tag.select("[name]:not([disabled])")})

    def filled(self, values: dict[str, str]) -> mechanicalsoup.Form:
        """The form with these values typed in, to be sent by its first button."""
        form = mechanicalsoup.Form(self.tag)
        for name, value in values.items():
            form.set(name, value)
        if button := self.tag.select_one("button[name]:not([type=button]), input[type=submit][name]"):
            form.choose_submit(button)
        return form


@dataclass(frozen=True)
class Page:
    """One answer: its address, status and content."""

    url: str
    status: int
    html: str

    @cached_property
    def soup(self) -> BeautifulSoup:
        return BeautifulSoup(self.html, "lxml")

    @cached_property
    def text(self) -> str:
        """What a person reads, on one line."""
        seen = BeautifulSoup(self.html, "lxml")
        for tag in seen.select(", ".join(UNSEEN)):
            tag.decompose()
        return re.sub(r"\s+", " ", seen.get_text(" ")).strip()

    @cached_property
    def links(self) -> list[tuple[str, str]]:
        """Words and address of each link."""
        return [(_words(tag), str(tag["href"])) for tag in self.soup.select("a[href]")]

    @cached_property
    def forms(self) -> list[Form]:
        return [Form(tag) for tag in self.soup.select("form")]

    def form(self, *, action: str = "", having: str = "") -> Form:
        """The first form whose action matches the pattern `action` and that has the field `having`."""
        for one in self.forms:
            if re.search(action, one.action) and (not having or having in one.names):
                return one
        known = [(one.action, one.names) for one in self.forms]
        raise NotOnPage(f"{self.url} has no form for {action!r} with {having!r}. It has {known}.")

    def link(self, pattern: str) -> str:
        """The address of the first link whose text or address matches `pattern`."""
        for text, address in self.links:
            if re.search(pattern, text) or re.search(pattern, address):
                return address
        raise NotOnPage(f"{self.url} has no link like {pattern!r}. It has {self.links}.")


class Visitor:
    """Keeps cookies between pages; every answer of 400 and more is an error unless it was expected."""

    def __init__(self, base: str) -> None:
        self.base = base
        session = requests.Session()
        session.trust_env = False
        self.browser = mechanicalsoup.Browser(session=session, soup_config={"features": "lxml"})

    def open(self, address: str) -> Page:
        return self._read(self.browser.get(urljoin(self.base, address), timeout=SECONDS))

    def send(self, page: Page, form: Form, **values: str) -> Page:
        """Submits `form` as found on `page`, with `values` typed in, by its first button."""
        headers = {"Referer": page.url, "Origin": self.base}
        return self._read(
            self.browser.submit(form.filled(values), page.url, headers=headers, timeout=SECONDS)
        )

    def _read(self, answer: requests.Response) -> Page:
        page = Page(answer.url, answer.status_code, answer.text)
        if answer.status_code >= 400:
            asked = f"{answer.request.method} {answer.url}"
            raise NotOnPage(f"{asked} answered {answer.status_code}: {page.text[:500]}")
        return page


def _words(tag: Tag) -> str:
    return re.sub(r"\s+", " ", f"{tag.get('aria-label', '')} {tag.get_text(' ')}").strip()
