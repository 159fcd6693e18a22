"""The words of a mail, as plain text and as HTML, drawn from one template: templates/mails/<kind>.txt.

Its first line is the subject. Paragraphs are parted by empty lines; a line that begins with an arrow is a link
(`→ Words: address`), one that begins with a bullet an item of a list. Values can hold neither sign and no line end.
"""

import re
from dataclasses import dataclass
from typing import Any

from flask import current_app, render_template
from markupsafe import Markup, escape

from portal.mail.kinds import KINDS
from portal.models import Mail

ARROW, BULLET = "→ ", "• "
LONGEST_VALUE = 300
NO_LINK = "(this link is shown to nobody but the receiver)"
# What mail programs would make a link of, although we did not.
LOOKS_LIKE_A_LINK = re.compile(r"(?i)(:(?=//)|\.(?=[a-z0-9-]*[a-z]))")
# These stay as they are, so that a copy of one is the address: a mail program makes at most a mail of it.
E_MAIL = re.compile(
    r"(?i)(?<![^\s(“])([a-z0-9._+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+)(?=[\s),;”]|[.?!:]?(?:\s|$))"
)
OWN_PATH = re.compile(r"/(?!/)[A-Za-z0-9._~/?=&%#-]*")
NO_BREAK = "\N{WORD JOINER}"
ADDRESSES = frozenset({"new_address"})


@dataclass(frozen=True)
class Drawn:
    """`text` and `html` say the same; the HTML shows `logo`, a PNG, by the address CID."""

    subject: str
    text: str
    html: str
    logo: bytes | None = None


def draw(mail: Mail, link: str | None, logo: bytes | None = None) -> Drawn:
    """A mail as it arrives; without `link` (a path), it says that the link is not shown."""
    values = dict.fromkeys(KINDS[mail.kind].names)
    values |= {name: _clean(name, value) for name, value in mail.words.items()}
    address = absolute(link) if link else NO_LINK
    written = render_template(f"mails/{mail.kind}.txt", link=address, absolute=absolute, **values)
    subject, _, body = written.strip().partition("\n")
    parts = [part.strip() for part in re.split(r"\n\s*\n", body) if part.strip()]
    subject = subject.strip().replace(NO_BREAK, "")
    head = _logo(logo, values.get("partner") or "") if logo else NO_LOGO
    return Drawn(subject, _as_text(parts), _as_html(subject, parts, head), logo)


def needs_link(mail: Mail) -> bool:
    return KINDS[mail.kind].link


def absolute(path: str) -> str:
    """An own path with the portal's address before it; for whatever is no path, the portal's first page."""
    own = path if OWN_PATH.fullmatch(path) else "/"
    return f"{current_app.config['PORTAL_URL']}{own}"


def _clean(name: str, value: Any) -> Any:
    """One line of text that begins nothing and that no mail program takes for a link."""
    if isinstance(value, list):
        return [_clean(name, one) for one in value]
    if not isinstance(value, str):
        return value
    line = "".join(sign if sign.isprintable() else " " for sign in value).replace("→", "-").replace("•", "-")
    line = " ".join(line.split())[:LONGEST_VALUE]
    if name in ADDRESSES or name.endswith("_path"):
        return line
    parts = E_MAIL.split(line)  # every second one is an address
    parts[::2] = [LOOKS_LIKE_A_LINK.sub(f"\\1{NO_BREAK}", part) for part in parts[::2]]
    return "".join(parts)


def _as_text(parts: list[str]) -> str:
    return "\n\n".join("\n".join(_text_line(line) for line in part.splitlines()) for part in parts) + "\n"


def _text_line(line: str) -> str:
    if not line.startswith(ARROW):
        return line
    label, address = _link(line)
    return f"{label}:\n{address}"


def _as_html(subject: str, parts: list[str], head: Markup) -> str:
    body = Markup("\n").join(_html_part(part.splitlines()) for part in parts)
    return str(PAGE.format(subject=subject, body=body, head=head))


def _logo(picture: bytes, partner: str) -> Markup:
    """Half as large as it is drawn, for screens with fine pixels."""
    width, height = (int.from_bytes(picture[at : at + 4]) for at in (16, 20))  # of a PNG's header
    return LOGO.format(address=CID, name=partner, width=-(-width // 2), height=-(-height // 2)) + NO_LOGO


def _html_part(lines: list[str]) -> Markup:
    if lines[0].startswith(BULLET):
        items = Markup("").join(Markup("<li>{}</li>").format(line.removeprefix(BULLET)) for line in lines)
        return Markup("<ul>{}</ul>").format(items)
    if lines[0].startswith(ARROW):
        return Markup("\n").join(_button(*_link(line)) for line in lines)
    return Markup("<p>{}</p>").format(Markup("<br>").join(escape(line) for line in lines))


def _link(line: str) -> tuple[str, str]:
    """The words and the address; the address is what follows the last colon and space."""
    label, _, address = line.removeprefix(ARROW).rpartition(": ")
    return label, address


def _button(label: str, address: str) -> Markup:
    return NO_BUTTON.format(label, address) if address == NO_LINK else BUTTON.format(address, label)


NO_BUTTON = Markup("<p><strong>{0}</strong><br>{1}</p>")
CID = "cid:logo"
NO_LOGO = Markup('<p style="font-size:13px;color:#5b6675;margin:0 0 8px">Partner portal</p>')
LOGO = Markup(
    '<p style="margin:0 0 12px"><img src="{address}" alt="{name}" width="{width}" height="{height}"></p>'
)
BUTTON = Markup(
    '<p style="margin:24px 0"><a href="{0}" style="background:#1f5fbf;color:#ffffff;padding:10px 18px;'
    'border-radius:6px;text-decoration:none;display:inline-block">{1}</a><br>'
    '<span style="font-size:13px;color:#5b6675;word-break:break-all">{0}</span></p>'
)
PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><title>{subject}</title>'
    "<style>@media (prefers-color-scheme: dark) {{"
    "body {{background:#10141a!important;color:#e6eaf0!important}}"
    "body>div>div {{background:#1b212b!important}}"
    "span, p[style*='13px'] {{color:#a9b4c2!important}}"
    "img {{background:#ffffff;color:#1b2430;padding:8px;border-radius:6px}}"
    "}}</style></head>"
    '<body style="margin:0;background:#f2f4f7;color:#1b2430;font:16px/1.5 system-ui,Segoe UI,Arial,sans-serif">'
    '<div style="max-width:560px;margin:0 auto;padding:24px 16px"><div style="background:#ffffff;padding:24px;'
    'border-radius:8px;word-break:break-word;overflow-wrap:anywhere">{head}'
    '<h1 style="font-size:20px;line-height:1.3;margin:0 0 16px">{subject}</h1>\n{body}\n</div></div></body></html>\n'
)
