"""Files of customers or invoices that people upload: their rows as they came, and what each record will do or did."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Amount, Base, Currency, Json, TenantOwned, belongs_to, bounded, created, one_of
from portal.models.import_run import ImportKind, ImportResult


class FileState(StrEnum):
    """`arriving`, `checking`, `taking` and `undoing` wait for a worker or are worked on.

    `arriving`: it is here as it was sent, and not taken apart yet; `refused`: it could not be.
    """

    ARRIVING = "arriving"
    REFUSED = "refused"
    STAGED = "staged"
    CHECKING = "checking"
    CHECKED = "checked"
    TAKING = "taking"
    TAKEN = "taken"
    UNDOING = "undoing"
    UNDONE = "undone"


class ImportFile(TenantOwned, Base):
    """One uploaded file. `choice` says which column is what, `position` is the place of the last record worked on.

    `fault` is why a refused one cannot be read. `tries` counts the errors of the step that is worked on.
    `user_id` and `true_user_id` are who asked for the last step; `run_id` is what was taken in, `undo_run_id` its undoing.
    """

    __tablename__ = "import_file"
    __table_args__ = (
        one_of("kind", ImportKind),
        one_of("state", FileState),
        belongs_to("run_id", "import_run"),
        belongs_to("undo_run_id", "import_run"),
        belongs_to("visit_id", "support_visit"),
        Index(None, "tenant_id", "run_id"),
        Index(
            "ix_import_file_due",
            "tenant_id",
            "id",
            postgresql_where="state IN ('arriving', 'checking', 'taking', 'undoing')",
        ),
    )

    kind: Mapped[str]
    name: Mapped[str]
    state: Mapped[str]
    fault: Mapped[str] = mapped_column(server_default="")
    headings: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    choice: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    rows: Mapped[int] = mapped_column(Integer, server_default="0")
    records: Mapped[int] = mapped_column(Integer, server_default="0")
    done: Mapped[int] = mapped_column(Integer, server_default="0")
    position: Mapped[int] = mapped_column(Integer, server_default="0")
    left_out: Mapped[int] = mapped_column(Integer, server_default="0")
    tries: Mapped[int] = mapped_column(Integer, server_default="0")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    true_user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    visit_id: Mapped[int | None]
    run_id: Mapped[int | None]
    undo_run_id: Mapped[int | None]
    lease_token: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = created()


class ImportFileRow(TenantOwned, Base):
    """One row of a file, cell by cell; `place` counts from 1 as spreadsheets do.

    `record` is the place of the first row of the record it belongs to, `line` its number among that one's rows.
    """

    __tablename__ = "import_file_row"
    __table_args__ = (
        belongs_to("file_id", "import_file"),
        Index(None, "tenant_id", "file_id", "place"),
        Index(None, "tenant_id", "file_id", "record", "line"),
    )

    file_id: Mapped[int]
    place: Mapped[int] = mapped_column(Integer)
    cells: Mapped[list[str]] = mapped_column(ARRAY(Text))
    fault: Mapped[str] = mapped_column(server_default="")
    record: Mapped[int | None] = mapped_column(Integer)
    line: Mapped[int | None] = mapped_column(Integer)


class ImportFileRecord(TenantOwned, Base):
    """One customer or invoice of a file: what taking it in will do, or did.

    `changes` and `reasons` are those of ImportRow; `before` is the whole of a changed one as it was, for undoing.
    """

    __tablename__ = "import_file_record"
    __table_args__ = (
        belongs_to("file_id", "import_file"),
        one_of("result", ImportResult),
        *bounded("amount", "amount_before"),
        Index(None, "tenant_id", "file_id", "place"),
        Index(None, "tenant_id", "file_id", "result", "place"),
    )

    file_id: Mapped[int]
    place: Mapped[int] = mapped_column(Integer)
    rows: Mapped[int] = mapped_column(Integer)
    result: Mapped[str]
    external_id: Mapped[str] = mapped_column(server_default="")
    label: Mapped[str] = mapped_column(server_default="")
    currency: Mapped[Currency] = mapped_column(server_default="")
    amount: Mapped[Amount | None]
    amount_before: Mapped[Amount | None]
    voided: Mapped[bool] = mapped_column(server_default="false")
    changes: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    reasons: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    subject_id: Mapped[int | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class ImportColumns(TenantOwned, Base):
    """How a partner read files with these headings the last time; `headings` is a digest of them."""

    __tablename__ = "import_columns"
    __table_args__ = (one_of("kind", ImportKind), UniqueConstraint("tenant_id", "kind", "headings"))

    kind: Mapped[str]
    headings: Mapped[str]
    choice: Mapped[Json]
    created_at: Mapped[datetime] = created()
