"""The demo's second partner: its primary is a file, and its invoices are matched to the sandbox Autotask's.

`bring_in` uploads its files, before anything runs. `python -m local.demo_files SANDBOX_ADDRESS`, once the sandbox answers,
puts the other side there and connects Autotask as secondary. Both are safe to run twice.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import requests
from flask.testing import FlaskCliRunner

from local import demo_data
from sandbox.embed import SECRET, USERNAME

if TYPE_CHECKING:
    from portal.models import ImportFile, ImportKind

SLUG, NAME, OWNER = demo_data.FILES_SLUG, demo_data.FILES_NAME, demo_data.FILES_OWNER
SECONDS = 20
COMPANIES = {"C-17": "Blue Kettle Coffee", "C-23": "Osprey Dental Group", "C-31": "Tamarack Legal"}


@dataclass(frozen=True)
class Billed:
    """An invoice of the file; `there` are the totals of those with its number in Autotask."""

    number: str
    customer: str
    total: str
    days_ago: int
    there: Sequence[str] = ()


SAME_NUMBER_AND_TOTAL = [
    ("RB-2041", "C-17", "480.00", 52), ("RB-2042", "C-17", "1250.50", 44), ("RB-2043", "C-23", "2310.00", 40),
    ("RB-2044", "C-23", "96.00", 33), ("RB-2047", "C-31", "318.40", 20),
]  # fmt: skip
BILLED = [
    *(Billed(*row, there=[row[2]]) for row in SAME_NUMBER_AND_TOTAL),
    Billed("RB-2045", "C-23", "640.00", 28, ["640.00", "640.00"]),
    Billed("RB-2046", "C-17", "775.00", 25, ["757.00"]),
    Billed("RB-2048", "C-31", "1890.00", 12),
]
# Looked at and not taken in: new, changed, unchanged, and one that is refused.
NEXT = [
    Billed("RB-2049", "C-17", "510.00", 3),
    Billed("RB-2050", "C-31", "84.75", 2),
    Billed("RB-2048", "C-31", "1980.00", 12),
    Billed("RB-2044", "C-23", "96.00", 33),
    Billed("RB-2051", "C-99", "260.00", 1),
]


def bring_in(runner: FlaskCliRunner, app: Any) -> None:
    """The partner, its owner, and its files, through the portal's own uploads."""
    demo_data.make(runner, "partners", "create", NAME, "--slug", SLUG)
    demo_data.make(runner, "users", "create", OWNER, "--partner", SLUG, "--role", "owner", "--name", "Rowan")
    from portal.access import sessions
    from portal.access.actor import Actor
    from portal.access.tenancy import scoped, tenant_scope
    from portal.cli import lookup
    from portal.extensions import db
    from portal.models import ImportFile, ImportKind

    with app.app_context(), tenant_scope(lookup.partner(SLUG).id):
        owner = sessions.find_user(OWNER)
        if owner is None or db.session.scalar(scoped(ImportFile).limit(1)) is not None:
            return
        actor = Actor.of(owner.id)
        _take(actor, _looked_at(actor, ImportKind.CUSTOMERS, "Customers.csv", customers_csv()))
        _take(actor, _looked_at(actor, ImportKind.INVOICES, "Invoices to date.csv", invoices_csv(BILLED)))
        _looked_at(actor, ImportKind.INVOICES, "Invoices this week.csv", invoices_csv(NEXT))


def customers_csv() -> str:
    rows = [f"{number},{name},USD,Active" for number, name in COMPANIES.items()]
    return "\n".join(["Customer ID,Customer name,Currency,Remarks", *rows, ""])


def invoices_csv(billed: Sequence[Billed]) -> str:
    """As an accounting program exports it."""
    rows = [f"{one.number},{one.customer},{_day(one)},{_day(one, 30)},USD,{one.total},Open" for one in billed]
    return "\n".join(["Invoice No,Customer,Invoice Date,Due Date,Currency,Total,Status", *rows, ""])


def _day(one: Billed, later: int = 0) -> date:
    return datetime.now(UTC).date() - timedelta(days=one.days_ago - later)


def _looked_at(actor: Any, kind: ImportKind, name: str, words: str) -> ImportFile:
    """Uploaded, its columns as they are guessed, and looked at."""
    from portal.extensions import db
    from portal.uploads import asking, choice, staging, work

    file = staging.stage(actor, kind, name, io.BytesIO(words.encode()))
    asking.read(actor, file, choice.from_kept(file.choice))
    db.session.commit()
    work.work(file.id)
    db.session.refresh(file)
    return file


def _take(actor: Any, file: ImportFile) -> None:
    from portal.extensions import db
    from portal.uploads import asking, work

    if not asking.take(actor, file):
        raise SystemExit(f"Nothing of {file.name} can be taken in.")
    db.session.commit()
    work.work(file.id)


def fill_sandbox(address: str) -> None:
    """The companies and invoices that Autotask holds of the same business."""
    sandbox = Sandbox(address)
    if any(row.get("companyName") == COMPANIES["C-17"] for row in sandbox.rows("Companies")):
        return
    ids = {number: sandbox.add("company", companyName=name) for number, name in COMPANIES.items()}
    for one in BILLED:
        for total in one.there:
            sandbox.add("invoice", companyID=ids[one.customer], invoiceNumber=one.number, invoiceTotal=total,
                        invoiceDateTime=_day(one).isoformat(), dueDate=_day(one, 30).isoformat())  # fmt: skip


class Sandbox:
    """The sandbox's own interface, asked from another process."""

    def __init__(self, address: str) -> None:
        self.address, self.session = f"{address}/_sandbox", requests.Session()
        self.session.trust_env = False

    def rows(self, entity: str) -> list[dict[str, Any]]:
        answer = self.session.get(f"{self.address}/rows", params={"entity": entity}, timeout=SECONDS)
        answer.raise_for_status()
        return list(answer.json()["items"])

    def add(self, what: str, **fields: Any) -> int:
        answer = self.session.post(f"{self.address}/add_{what}", json=fields, timeout=SECONDS)
        answer.raise_for_status()
        return int(answer.json()["id"])


def connect(runner: FlaskCliRunner, app: Any) -> None:
    """Autotask as secondary; the first sync matches."""
    from portal import connect as connections
    from portal.access.tenancy import tenant_scope
    from portal.cli import lookup

    with app.app_context(), tenant_scope(lookup.partner(SLUG).id):
        if connections.current() is not None:
            return
    words = ["integrations", "connect", SLUG, "--email", OWNER, "--username", USERNAME, "--role", "secondary"]
    done = runner.invoke(args=words, input=f"{os.environ.get('SANDBOX_SECRET', SECRET)}\n")
    if done.exit_code:
        sys.exit(f"{' '.join(words)} failed: {done.output or done.exception!r}")


def main(address: str) -> None:
    from wsgi import app

    fill_sandbox(address)
    connect(app.test_cli_runner(), app)


if __name__ == "__main__":
    main(sys.argv[1])
