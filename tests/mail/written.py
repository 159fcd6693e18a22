"""One mail of every kind, for tests; `**values` replaces parameters."""

from datetime import UTC, datetime
from typing import Any

from portal.mail import kinds, outbox
from portal.models import Mail, MailKind

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "partner": "Northwind IT", "inviter": "Olga Owner", "role": "Manager", "expires": AT, "at": AT,
    "device": "Firefox on Windows", "place": "203.0.113.7", "new_address": "new@example.com",
    "reason": "Autotask did not accept the key or secret.", "since": AT, "until": AT, "ended": AT, "page_path": "/p/northwind",
    "choice_path": "/p/northwind/notices",
    "items": ["new invoices", "PDF invoices"], "invoices": "3 invoices", "staff": "Sam Support", "ticket": "T-1",
    "person": "Olga Owner", "mode": "They can look at everything and change nothing.", "opened": ["Home (/p/northwind/)", "Invoices (/p/northwind/invoices)"],
    "changed": ["nothing"], "period": "16 Nov 2026 to 22 Nov 2026", "collected": ["84,210.50 USD"],
    "outstanding": ["12.00 EUR on 1 invoice", "3.00 USD on 2 invoices"], "exceptions": "2 exceptions",
    "name": "Checkout", "gone": "", "what": "Your password was changed", "more": "All other browsers were signed out.",
    "by": "Olga Owner", "todo": "Talk to them first.",
}  # fmt: skip
LINK = "/open/once-abcdef"


def one(kind: MailKind, to: str = "person@example.com", **values: Any) -> Mail:
    known = kinds.KINDS[kind]
    words = {name: values.pop(name, VALUES.get(name, name)) for name in known.names}
    if known.link:
        values.setdefault("link", LINK)
    mail = outbox.write(kind, to=to, **values, **words)
    assert mail is not None
    return mail
