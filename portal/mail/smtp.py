"""One mail to one mail server: what it answered, as accepted, refused for good, or later.

Only the server's 250 after the whole mail means accepted. A server that is silent, or sends a sign now and then, is
left after a bounded time, and nothing goes out on its connection any more.
"""

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from enum import StrEnum
from typing import Any

from portal import clock
from portal.config.values import authorities
from portal.mail.drawing import CID, Drawn
from portal.mail.server import Server

LONGEST_SECONDS = 60.0
LONGEST_ANSWER = 500


class Outcome(StrEnum):
    SENT = "sent"
    REFUSED = "refused"
    LATER = "later"


@dataclass(frozen=True)
class Answer:
    """`words` are the server's own, or ours where it said nothing."""

    outcome: Outcome
    words: str


def message(server: Server, to: str, message_id: str, drawn: Drawn) -> EmailMessage:
    """A mail with its plain text and the same as HTML. The message id is the row's, so a second copy is known as one."""
    mail = EmailMessage()
    mail["From"] = Address("Partner portal", addr_spec=server.sender)
    mail["To"] = Address(addr_spec=to)
    mail["Subject"] = drawn.subject
    mail["Date"] = format_datetime(clock.now())
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(drawn.text, cte="quoted-printable")
    mail.add_alternative(drawn.html, subtype="html", cte="quoted-printable")
    if drawn.logo is not None:
        page: Any = mail.get_payload(1)
        inline = {"cid": f"<{CID.removeprefix('cid:')}>", "disposition": "inline", "filename": "logo.png"}
        page.add_related(drawn.logo, "image", "png", **inline)
    return mail


def deliver(server: Server, to: str, mail: EmailMessage) -> Answer:
    """Sends once; never raises for what servers and networks do."""
    return _asked(server, lambda smtp: _hand_over(smtp, server, to, mail))


def reach(server: Server) -> Answer:
    """Connects, encrypts and logs in, and sends nothing: `SENT` where the server would take a mail."""
    return _asked(server, _greet)


def _greet(smtp: smtplib.SMTP) -> Answer:
    smtp.ehlo_or_helo_if_needed()
    code, said = smtp.noop()
    return Answer(Outcome.SENT, f"{code} {_said(said)}") if code == 250 else _judged(code, said)


def _asked(server: Server, ask: Callable[[smtplib.SMTP], Answer]) -> Answer:
    try:
        with _connected(server) as smtp:
            return ask(smtp)
    except smtplib.SMTPAuthenticationError as error:
        return _later(f"The mail server does not accept the login of MAIL_URL: {_said(error.smtp_error)}")
    except smtplib.SMTPResponseException as error:
        return _later(f"{error.smtp_code} {_said(error.smtp_error)}")
    except ssl.SSLError as error:
        return _later(f"No encrypted connection could be made: {error.reason or error}")
    except smtplib.SMTPNotSupportedError as error:
        return _later(f"No encrypted connection could be made: {error}")
    except (smtplib.SMTPException, OSError) as error:
        if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
            return _later("The mail server did not answer in time.")
        return _later(f"The mail server could not be reached, or hung up: {_said(str(error))}")


@contextmanager
def _connected(server: Server) -> Iterator[smtplib.SMTP]:
    kind = smtplib.SMTP_SSL if server.implicit_tls else smtplib.SMTP
    tls: dict[str, Any] = {"context": _tls()} if server.implicit_tls else {}
    smtp: Any = kind(local_hostname=server.sender.rpartition("@")[2], timeout=server.seconds, **tls)
    # Certificates are checked for this name; smtplib keeps it only of a host given above.
    smtp._host = server.host
    hanging_up = threading.Timer(LONGEST_SECONDS, _hang_up, [smtp])
    hanging_up.daemon = True
    hanging_up.start()
    try:
        code, said = smtp.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        if server.start_tls:
            smtp.starttls(context=_tls())
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp
        with suppress(smtplib.SMTPException, OSError):  # what was accepted stays accepted
            smtp.quit()
    finally:
        hanging_up.cancel()
        smtp.close()


def _hand_over(smtp: smtplib.SMTP, server: Server, to: str, mail: EmailMessage) -> Answer:
    smtp.ehlo_or_helo_if_needed()
    plain = to.isascii()
    if not plain and not smtp.has_extn("smtputf8"):
        return Answer(Outcome.REFUSED, "The mail server takes no addresses with letters such as these.")
    code, said = smtp.mail(server.sender, [] if plain else ["SMTPUTF8", "BODY=8BITMIME"])
    if code != 250:
        raise smtplib.SMTPResponseException(code, said)
    code, said = smtp.rcpt(to)
    if code not in (250, 251):
        return _judged(code, said)
    policy = SMTP if plain else SMTPUTF8
    try:
        code, said = smtp.data(mail.as_bytes(policy=policy))
    except smtplib.SMTPDataError as error:
        code, said = error.smtp_code, _bytes(error.smtp_error)
    return Answer(Outcome.SENT, f"{code} {_said(said)}") if code == 250 else _judged(code, said)


def _judged(code: int, said: bytes) -> Answer:
    """5xx is for good; 4xx (greylisting, a full mailbox) and whatever is no answer at all, later."""
    return Answer(Outcome.REFUSED if 500 <= code < 600 else Outcome.LATER, f"{code} {_said(said)}")


def _later(words: str) -> Answer:
    return Answer(Outcome.LATER, words[:LONGEST_ANSWER])


def _said(text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())[:LONGEST_ANSWER]


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authorities())


def _hang_up(smtp: smtplib.SMTP) -> None:
    held = smtp.sock
    if held is not None:
        with suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)
