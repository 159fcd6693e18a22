from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, Json, TenantOwned, belongs_to, created, one_of


class ImportKind(StrEnum):
    CUSTOMERS = "customers"
    INVOICES = "invoices"


class ImportResult(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class ImportRun(TenantOwned, Base):
    """One batch of customers or invoices that came in from the partner's own system.

    `results` is {result: how many}.
    """

    __tablename__ = "import_run"
    __table_args__ = (
        one_of("kind", ImportKind),
        belongs_to("api_key_id", "api_key"),
        Index(None, "tenant_id", "created_at", "id"),
    )

    kind: Mapped[str]
    api_key_id: Mapped[int | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    true_user_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    results: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = created()


class ImportRow(TenantOwned, Base):
    """What one row of a batch led to; unchanged ones have none.

    `place` counts from 0. `changes` is {field: [old, new]} as text, `reasons` a list of [field, sentence].
    """

    __tablename__ = "import_row"
    __table_args__ = (
        belongs_to("run_id", "import_run"),
        one_of("result", ImportResult),
        Index(None, "tenant_id", "run_id", "place"),
        Index(None, "tenant_id", "subject_id"),
    )

    run_id: Mapped[int]
    place: Mapped[int] = mapped_column(Integer)
    result: Mapped[str]
    external_id: Mapped[str]
    subject_id: Mapped[int | None]
    label: Mapped[str] = mapped_column(server_default="")
    changes: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    reasons: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
