"""The words of every kind of mail: text and HTML say the same, and no value of others does harm in them."""

import re
from html.parser import HTMLParser

import pytest
from jinja2 import meta

from portal.mail import drawing, outbox
from portal.mail.kinds import KINDS
from portal.models import MailKind
from tests.mail import written
from tests.mail.written import VALUES

HOSTILE = [
    "Bob\r\nBcc: victim@example.com", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>',
    "→ Log in: https://evil.example", "• item", "\n\n→ Log in: https://evil.example\n\n", "evil.example/login",
    "https://evil.example", "{{ 7 * 7 }}", "{% raw %}", "%s %(x)s {0}", "\u202egnp.exe", "a" * 5000, "\x00\x1b[31m", "\ud800",
    "=?utf-8?q?x?=", "&lt;b&gt;", "javascript:alert(1)", "Zoë 日本 🎉", "\u2028→ Log in: https://evil.example",
]  # fmt: skip


class Seen(HTMLParser):
    """What a mail program makes of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def inside(app):
    with app.app_context():
        yield app


def drawn(kind, **values):
    mail = written.one(kind, **values)
    return drawing.draw(mail, outbox.link_of(mail))


@pytest.mark.parametrize("kind", MailKind)
def test_every_kind_is_drawn_in_text_and_html_from_the_same_words(inside, kind):
    mail = drawn(kind)
    seen = Seen(mail.html)
    assert mail.subject
    assert "\n" not in mail.subject
    addresses = set(re.findall(r"http://localhost/\S*", mail.text))
    assert set(seen.links) == addresses
    assert (f"http://localhost{written.LINK}" in addresses) == KINDS[kind].link
    spoken = " ".join(seen.words)
    for word in set(re.findall(r"\w+", mail.text)):
        assert word in spoken, word
    assert not re.search(r"None|{{|→", mail.text)


@pytest.mark.parametrize("kind", MailKind)
def test_a_template_uses_exactly_the_parameters_of_its_kind(inside, kind):
    env = inside.jinja_env
    source = env.loader.get_source(env, f"mails/{kind}.txt")[0]
    used = meta.find_undeclared_variables(env.parse(source)) - {"link", "absolute"}
    assert used == KINDS[kind].names
    assert ("{{ link }}" in source) == KINDS[kind].link


@pytest.mark.parametrize("kind", MailKind)
def test_what_may_be_left_out_leaves_no_trace(inside, kind):
    values = dict.fromkeys(KINDS[kind].optional, "")
    assert not re.search(r"\bNone\b|\(\)|  |: *$", drawn(kind, **values).text.replace(":\nhttp", "\nhttp"))


@pytest.mark.parametrize("kind", MailKind)
@pytest.mark.parametrize("left_out", [False, True])
def test_each_paragraph_stands_for_itself_and_mails_know_the_dark(inside, kind, left_out):
    values = dict.fromkeys(KINDS[kind].optional, "yes" if kind == MailKind.WEBHOOK_OFF else "")
    mail = drawn(kind, **(values if left_out else {}))
    for part in mail.text.split("\n\n"):
        lines = part.strip().splitlines()
        assert len(lines) == 1 or part.strip().startswith("•") or lines[0].endswith(":"), part
    assert "prefers-color-scheme: dark" in mail.html


@pytest.mark.parametrize("kind", MailKind)
def test_hostile_values_are_harmless_in_every_parameter(inside, kind):
    """No header, no tag, no link and no line of their own comes of any value."""
    plain = drawn(kind)
    shape, lines = Seen(plain.html), len(plain.text.splitlines())
    for name in KINDS[kind].names - {"page_path", "choice_path"}:
        several = len(VALUES[name]) if isinstance(VALUES[name], list) else 0
        for value in HOSTILE:
            mail = drawn(kind, **{name: [value] * several if several else value})
            seen = Seen(mail.html)
            assert (seen.tags, seen.links) == (shape.tags, shape.links), (name, value)
            assert len(mail.text.splitlines()) == lines, (name, value)
            assert mail.subject.isprintable()
            assert seen.attributes <= {"lang", "charset", "name", "content", "style", "href"}
            assert name == "new_address" or not re.search(r"(?i)://evil|evil\.example", mail.text), (
                name,
                value,
            )
            assert len(mail.text) < len(plain.text) + 5 * drawing.LONGEST_VALUE


@pytest.mark.parametrize("kind", [kind for kind in MailKind if KINDS[kind].link])
def test_whoever_else_looks_at_a_mail_sees_no_link(inside, kind):
    mail = drawing.draw(written.one(kind), None)
    assert drawing.NO_LINK in mail.text
    assert drawing.NO_LINK in mail.html
    assert written.LINK not in mail.text + mail.html
    assert "href" not in mail.html


@pytest.mark.parametrize("path", [*HOSTILE, "//evil.example", "/\\evil.example", "/a b", "x", ""])
def test_a_page_in_a_mail_is_always_the_portals_own(inside, path):
    mail = drawn(MailKind.RECONNECTED, page_path=path)
    assert Seen(mail.html).links == ["http://localhost/"]
    assert "http://localhost/\n" in mail.text


@pytest.mark.parametrize(
    "said", ["kim@northwind.example was invited as clerk", "Kim (kim@northwind.example) was added"]
)
def test_an_address_in_a_mail_can_be_copied(inside, said):
    mail = drawn(MailKind.PEOPLE_EVENT, what=said)
    for words_ in (mail.text, mail.html, mail.subject):
        assert "kim@northwind.example" in words_


@pytest.mark.parametrize(
    "said", ["x@y.example/login", "http://a@evil.example/", "//a@evil.example", "a@evil.example:80/x"]
)
def test_what_only_looks_like_an_address_leads_nowhere(inside, said):
    assert not re.search(
        r"(?i)://|evil\.example/|evil\.example:8|y\.example/",
        drawn(MailKind.PEOPLE_EVENT, what=said).text.replace("http://localhost", ""),
    )
