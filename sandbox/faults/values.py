"""The bad values themselves, by name, and the fields they go into."""

from __future__ import annotations

from typing import Any

from sandbox.faults.edits import Raw

FIELDS = {
    "BillingItems": {"money": "extendedPrice", "date": "itemDate", "text": "itemName"},
    "Contacts": {"date": "lastModifiedDate", "text": "lastName"},
    "Invoices": {"money": "invoiceTotal", "date": "dueDate", "text": "invoiceNumber", "paid": "paidDate"},
    "Companies": {"date": "lastTrackedModifiedDateTime", "text": "companyName"},
    "Currencies": {"money": "exchangeRate", "date": "lastModifiedDateTime", "text": "name"},
    "PaymentTerms": {"text": "name"},
    "TaxRegions": {"text": "name"},
}
AMOUNTS: dict[str, Any] = {
    "comma": "12,50",
    "huge": Raw("1e400"),
    "nan": Raw("NaN"),
    "minus_zero": Raw("-0"),
    "null": None,
    "true": True,
    "long": Raw("9" * 5_000),
}
AMOUNT_NAMES = (*AMOUNTS, "missing")
DATES = {
    "year_one": "0001-01-01T00:00:00Z",
    "year_20250": "20250-01-05T00:00:00Z",
    "no_zone": "2026-01-05T10:00:00",
    "far_zone": "2026-01-05T10:00:00+14:00",
    "hour_24": "2026-01-05T24:00:00Z",
    "february_30": "2026-02-30T00:00:00Z",
    "empty": "",
}
HOSTILE = {
    "formula": '=HYPERLINK("http://evil.example","Invoice")',
    "image": "<img src=x onerror=alert(1)>",
    "template": "{{7*7}}${7*7}<%= 7*7 %>",
    "format": "%s%n%x",
    "htmx": '<div hx-get="/logout" hx-trigger="load" hx-on:load="alert(1)">x</div>',
    "log_line": "Harbor\r\n2026-11-22 12:00:00 INFO login of admin succeeded",
    "path": "../../../../etc/passwd.pdf",
}
ODD_TEXT = {
    "lone_surrogate": Raw('"Harbor \\ud800 Foods"'),
    "nul": "Harbor\x00Foods",
    "rtl_override": "Harbor \u202efdp.exe",
    "huge": "H" * 5_000_000,
}
