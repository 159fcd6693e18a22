"""The printed invoice out of Autotask's JSON."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from portal.autotask.errors import BadRecord, Misshapen

LARGEST_PDF = 15_000_000
_UNSAFE = re.compile(r"[^\w .()+-]+")


@dataclass(frozen=True, slots=True)
class Pdf:
    """`name` is a safe file name ending in .pdf, `data` starts with %PDF-."""

    name: str
    data: bytes = field(repr=False)


def pdf(content: dict[str, Any], invoice_id: int) -> Pdf:
    """From {"data": base64, "fileName": …}, bare or inside "item"; BadRecord when it is no usable PDF.

    Raises Misshapen for an answer about something else.
    """
    if not content.keys() & {"data", "item"}:
        raise Misshapen("Autotask's answer holds no document.")
    item = content.get("item", content)
    if not isinstance(item, dict):
        raise BadRecord("InvoicePdf", invoice_id, "item", item, "holds no document")
    raw = item.get("data")
    data = _decoded(raw)
    if data is None or not data.startswith(b"%PDF-"):
        raise BadRecord("InvoicePdf", invoice_id, "data", raw, "is not a PDF")
    if len(data) > LARGEST_PDF:
        raise BadRecord("InvoicePdf", invoice_id, "data", f"{len(data)} bytes", "is larger than 15 MB")
    return Pdf(_name(item.get("fileName"), invoice_id), data)


def _decoded(raw: object) -> bytes | None:
    try:
        if isinstance(raw, str):
            return base64.b64decode("".join(raw.split()), validate=True)
        if isinstance(raw, list):  # declared as an array of bytes, so some serializers write numbers
            return bytes(raw)
    except (ValueError, TypeError):
        pass
    return None


def _name(raw: object, invoice_id: int) -> str:
    text = raw[:1000] if isinstance(raw, str) else ""
    stem = re.split(r"[\\/]", text)[-1]
    stem = re.sub(r"\.pdf$", "", stem, flags=re.IGNORECASE)
    stem = " ".join(_UNSAFE.sub(" ", stem).split()).strip(" .")[:100]
    return f"{stem or f'invoice-{invoice_id}'}.pdf"
