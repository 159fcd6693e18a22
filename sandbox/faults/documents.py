"""F31: an invoice PDF that is none, or a bad one."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sandbox.api.messages import Answer, Call
from sandbox.faults.edits import edited
from sandbox.faults.kinds import Kind, register
from sandbox.faults.transport import MEGABYTE, _streamed
from sandbox.wire.server import Connection
from sandbox.world import World

if TYPE_CHECKING:
    from sandbox.faults.rules import Fault

OBJECTS = (
    b"<< /Type /Catalog /Pages 2 0 R /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
)


def script_pdf() -> bytes:
    """A valid PDF that runs JavaScript when it is opened."""
    body, places = b"%PDF-1.4\n", []
    for number, held in enumerate(OBJECTS, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, held)
    table = b"".join(b"%010d 00000 n \n" % at for at in places)
    end = b"xref\n0 4\n0000000000 65535 f \n" + table
    return body + end + b"trailer << /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(body)


def _bad(rule: Fault, world: World, call: Call, answer: Answer) -> Answer:
    def change(document: Any) -> None:
        found = document.get("item", document)
        if "data" in found:
            _set(found, rule.params["value"])

    return edited(answer, change)


def _set(found: dict[str, Any], value: str) -> None:
    data = {"html": b"<html><body>Please sign in</body></html>", "empty": b"", "script": script_pdf()}.get(
        value
    )
    if data is None:
        found["data"] = "JVBERi0xLjQ*not base64!" if value == "wrong_base64" else None
    else:
        found["data"], found["fileSize"] = base64.b64encode(data).decode(), len(data)


def _huge(params: dict[str, Any], connection: Connection, answer: Answer) -> bool:
    count = int(params["megabytes"])
    start = b'{"id":1,"contentType":"application/pdf","fileName":"big.pdf","fileSize":1,"data":"JVBERi0x'
    block = b"QUFB" * (MEGABYTE // 4)

    def parts() -> Iterator[bytes]:
        yield start
        for _ in range(count):
            yield block
        yield b'"}'

    length = len(start) + count * len(block) + 2
    return _streamed(connection, Answer(200, b"x"), length, parts())


register(
    Kind(
        "F31",
        "bad_pdf",
        "InvoicePdf gives HTML, nothing, a script, wrong base64 or null",
        {"value": "html"},
        times=0,
        verb="pdf",
        reshape=_bad,
        choices={"value": ("html", "empty", "script", "wrong_base64", "null")},
    )
)
register(Kind("F31", "huge_pdf", "a PDF of 200 MB", {"megabytes": 267}, times=0, verb="pdf", deliver=_huge))
