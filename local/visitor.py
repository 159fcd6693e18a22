"""A visitor who uses the pages as a person without script does: reads, follows links, sends forms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

UNSEEN = {"script", "style", "template", "head", "svg"}
SECONDS = 30


class NotOnPage(AssertionError):
    """The page lacks what the visitor looked for; the message shows what it has."""


@dataclass
class Form:
    """A form with its present values: those a browser would send if nothing was changed."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)

    def choice(self, name: str, text: str) -> str:
        """The value of the first option of `name` whose text or value contains `text`."""
        for value, label in self.choices.get(name, []):
            if text.lower() in label.lower() or text == value:
                return value
        raise NotOnPage(f"No option {text!r} in {name}: {self.choices.get(name)}")


@dataclass
class Page:
    """One answer: its address, status, visible text, links and forms."""

    url: str
    status: int
    text: str
    links: list[tuple[str, str]]
    forms: list[Form]
    html: str

    def form(self, *, action: str = "", having: str = "") -> Form:
        """The first form whose action matches the pattern `action` and that has the field `having`."""
        for one in self.forms:
            if re.search(action, one.action) and (
                not having or having in one.fields or having in one.choices
            ):
                return one
        known = [(one.method, one.action, sorted(one.fields)) for one in self.forms]
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
        self.session = requests.Session()
        self.session.trust_env = False

    def open(self, address: str) -> Page:
        return self._read(self.session.get(urljoin(self.base, address), timeout=SECONDS))

    def send(self, page: Page, form: Form, **values: str) -> Page:
        """Submits `form` as found on `page`, with `values` typed in, by its first button."""
        data = form.fields | values
        if form.buttons and form.buttons[0][0]:
            name, value, _ = form.buttons[0]
            data.setdefault(name, value)
        address = urljoin(page.url, form.action)
        if form.method == "get":
            return self._read(self.session.get(address, params=data, timeout=SECONDS))
        headers = {"Referer": page.url, "Origin": self.base}
        return self._read(self.session.post(address, data=data, headers=headers, timeout=SECONDS))

    def _read(self, answer: requests.Response) -> Page:
        reader = Reader()
        if "html" in answer.headers.get("Content-Type", ""):
            reader.feed(answer.text)
        text = re.sub(r"\s+", " ", " ".join(reader.words)).strip()
        links = [(re.sub(r"\s+", " ", words).strip(), href) for words, href in reader.links]
        page = Page(answer.url, answer.status_code, text, links, reader.forms, answer.text)
        if answer.status_code >= 400:
            raise NotOnPage(
                f"{answer.request.method} {answer.url} answered {answer.status_code}: {text[:500]}"
            )
        return page


class Reader(HTMLParser):
    """Collects text, links and forms."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.forms: list[Form] = []
        self.hidden_depth = 0
        self.link: list[str] | None = None
        self.href = ""
        self.select = self.textarea = self.option = ""
        self.inside_form = False
        self.option_open = self.button_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in UNSEEN:
            self.hidden_depth += 1
        elif tag == "a" and "href" in given:
            self.link, self.href = [given.get("aria-label", "")], given["href"]
        elif tag == "form":
            self.inside_form = True
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif self.inside_form and "disabled" not in given:
            self.start_field(tag, given)

    def start_field(self, tag: str, given: dict[str, str]) -> None:
        form, name = self.forms[-1], given.get("name", "")
        if tag == "input" and name:
            self.start_input(form, name, given)
        elif tag == "select" and name:
            self.select = name
            form.choices[name] = []
        elif tag == "option" and self.select:
            self.option_open = True
            form.choices[self.select].append((given.get("value", ""), ""))
            if "selected" in given or self.select not in form.fields:
                form.fields[self.select] = given.get("value", "")
        elif tag == "textarea" and name:
            self.textarea = name
            form.fields[name] = ""
        elif tag == "button" and given.get("type", "submit") == "submit":
            form.buttons.append((name, given.get("value", ""), ""))
            self.button_open = True

    def start_input(self, form: Form, name: str, given: dict[str, str]) -> None:
        kind = given.get("type", "text")
        if kind in ("checkbox", "radio"):
            value = given.get("value", "on")
            form.choices.setdefault(name, []).append((value, value))
            if "checked" in given:
                form.fields[name] = value
        elif kind == "submit":
            form.buttons.append((name, given.get("value", ""), given.get("value", "")))
        elif kind not in ("button", "reset", "file", "image"):
            form.fields[name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            self.hidden_depth = max(0, self.hidden_depth - 1)
        elif tag == "a" and self.link is not None:
            self.links.append((" ".join(self.link), self.href))
            self.link = None
        elif tag == "form":
            self.inside_form = False
        elif tag in ("select", "textarea", "option", "button"):
            self.select = "" if tag == "select" else self.select
            self.textarea = "" if tag == "textarea" else self.textarea
            self.option_open = self.option_open and tag not in ("option", "select")
            self.button_open = self.button_open and tag != "button"

    def handle_data(self, data: str) -> None:
        if self.hidden_depth:
            return
        if self.link is not None:
            self.link.append(data)
        if self.option_open and self.forms:
            value, label = self.forms[-1].choices[self.select][-1]
            self.forms[-1].choices[self.select][-1] = (value, label + data.strip())
        elif self.textarea and self.forms:
            self.forms[-1].fields[self.textarea] += data
        elif self.button_open and self.forms[-1].buttons:
            name, value, label = self.forms[-1].buttons[-1]
            self.forms[-1].buttons[-1] = (name, value, (label + " " + data).strip())
            self.words.append(data)
        else:
            self.words.append(data)
