"""A real mail server on this machine (aiosmtpd) that answers as it is told."""

import asyncio
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from portal.mail.server import Server

# It tells of each connection, also of those that end between two tests.
logging.getLogger("mail.log").setLevel(logging.WARNING)
TAKEN = "250 2.0.0 Ok: queued as 4711"


@dataclass
class PostOffice:
    """`rcpt` and `data` are the answers to come, the last of them for ever; `mails` is what was accepted."""

    rcpt: list[str] = field(default_factory=lambda: ["250 OK"])
    data: list[str] = field(default_factory=lambda: [TAKEN])
    mails: list[EmailMessage] = field(default_factory=list)
    tries: int = 0

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:
        self.tries += 1
        answer = _next(self.rcpt)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:
        answer = _next(self.data)
        if answer.startswith("250"):
            await asyncio.sleep(0)
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return answer


class Listening(Controller):
    """On whatever port is free."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def opened(office: PostOffice, **more: Any) -> Iterator[Server]:
    """The address of a server that is open for so long; `more` goes to aiosmtpd."""
    controller = Listening(office, hostname="127.0.0.1", port=0, **more)
    controller.start()
    try:
        yield Server("127.0.0.1", controller.port, "portal@example.com", start_tls=False, seconds=5.0)
    finally:
        controller.stop()


def encrypted(context: ssl.SSLContext | None, **more: Any) -> dict[str, Any]:
    """For `opened`: STARTTLS is offered, and needed."""
    return {"tls_context": context, "require_starttls": True, **more}


def _next(answers: list[str]) -> str:
    return answers.pop(0) if len(answers) > 1 else answers[0]
