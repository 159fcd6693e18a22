"""Everything of one partner as one ZIP that anybody can read: a file of JSON lines for each table, and the PDFs.

Without what opens something: passwords, hashes, keys, sealed secrets.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy import LargeBinary, Table, select

from portal import storage
from portal.access.tenancy import current_tenant_id
from portal.extensions import db
from portal.models import Base, InvoicePdf, Membership, PdfState, Tenant, User

AT_ONCE = 500
# Machinery, or nothing but secrets.
LEFT_OUT = {
    "call_slot", "sync_cursor", "idempotency_key", "mail_secret", "webhook_secret", "stored_file", "integration_status", "invoice_word",
    "payment_word", "invoice_sum", "customer_sum", "payment_sum", "import_file_row", "import_file_record", "import_columns",
}  # fmt: skip
# The address of a file in the storage, which is in here itself.
OF_NO_USE = {"logo_key"}
OPENS = ("secret", "hash", "password", "token", "signature", "fingerprint")
ABOUT = """This is everything that the portal keeps of one partner.

tables/*.jsonl   one table a file, one row a line, as JSON. Amounts and dates are texts; instants are in UTC.
partner.jsonl    the partner itself: name, time zone, settings.
logo.png         its logo, if it has one.
people.jsonl     who logs in here, with their roles.
pdfs/            the invoices' PDFs, by the id of the invoice.
contents.json    how many rows each file holds, and the sums of its amounts. Of PDFs and the logo, "missing" is how many
                 should be here and were not found in the storage.

Passwords, keys and other secrets are not in here. Rows belong together by their ids: a payment's allocations
carry its payment_id, an invoice's lines its invoice_id.
"""
Totals = dict[str, dict[str, Any]]
# Name in the archive, and key in the storage.
Files = list[tuple[str, str]]


def write(target: IO[bytes]) -> Totals:
    """Inside the partner, rows from one snapshot. Rows and sums by file. Commits, and raises StorageFailed.

    The storage is asked when the snapshot is let go: it may take longer than a transaction may idle.
    """
    db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    totals: Totals = {}
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", ABOUT)
        for table in tables():
            totals[table.name] = _write_rows(archive, f"tables/{table.name}.jsonl", _rows(table))
        totals["people"] = _write_rows(archive, "people.jsonl", _people())
        totals["partner"] = _write_rows(archive, "partner.jsonl", _partner())
        pdfs, logo = _pdfs(), _logo()
        db.session.commit()
        totals["pdfs"] = _write_files(archive, pdfs)
        totals["logo"] = _write_files(archive, logo)
        archive.writestr("contents.json", json.dumps(totals, indent=1, default=str))
    return totals


def tables() -> list[Table]:
    return [
        table
        for table in sorted(Base.metadata.tables.values(), key=lambda one: one.name)
        if "tenant_id" in table.columns and table.name not in LEFT_OUT
    ]


def columns(table: Table) -> list[Any]:
    """Those that open nothing."""
    return [
        column
        for column in table.columns
        if not isinstance(column.type, LargeBinary)
        and column.name not in OF_NO_USE
        and not any(word in column.name for word in OPENS)
    ]


def _rows(table: Table) -> Iterator[dict[str, Any]]:
    key = [column for column in table.primary_key if column.name != "tenant_id"]
    query = select(*columns(table)).where(table.c.tenant_id == current_tenant_id()).order_by(*key)
    for row in db.session.execute(query.execution_options(yield_per=AT_ONCE)):
        yield dict(row._mapping)


def _people() -> Iterator[dict[str, Any]]:
    query = (
        select(User.id, User.name, User.email, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.tenant_id == current_tenant_id())
        .order_by(User.id)
    )
    for row in db.session.execute(query):
        yield dict(row._mapping)


def _partner() -> Iterator[dict[str, Any]]:
    table = Base.metadata.tables["tenant"]
    for row in db.session.execute(select(*columns(table)).where(table.c.id == current_tenant_id())):
        yield dict(row._mapping)


def _write_rows(archive: ZipFile, name: str, rows: Iterator[dict[str, Any]]) -> dict[str, Any]:
    number, sums = 0, dict[str, Decimal]()
    with archive.open(name, "w", force_zip64=True) as file:
        for row in rows:
            number += 1
            for column, value in row.items():
                if isinstance(value, Decimal):
                    sums[column] = sums.get(column, Decimal(0)) + value
            file.write(json.dumps(row, ensure_ascii=False, default=_plain).encode() + b"\n")
    return {"rows": number} | ({"sums": {name: str(value) for name, value in sums.items()}} if sums else {})


def _pdfs() -> Files:
    query = select(InvoicePdf.invoice_id, InvoicePdf.storage_key).where(
        InvoicePdf.tenant_id == current_tenant_id(), InvoicePdf.state == PdfState.HERE
    )
    rows = db.session.execute(query.order_by(InvoicePdf.invoice_id))
    return [(f"pdfs/{row.invoice_id}.pdf", row.storage_key or "") for row in rows]


def _logo() -> Files:
    key = db.session.scalar(select(Tenant.logo_key).where(Tenant.id == current_tenant_id()))
    return [("logo.png", key)] if key else []


def _write_files(archive: ZipFile, files: Files) -> dict[str, Any]:
    """Each is asked for with no transaction open, and none is left open while it is written."""
    missing = 0
    for name, key in files:
        data = storage.get(current_tenant_id(), key)
        db.session.commit()
        if data is None:
            missing += 1
        else:
            archive.writestr(name, data)
    return {"rows": len(files) - missing, "missing": missing}


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
