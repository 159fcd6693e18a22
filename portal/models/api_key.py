from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, TenantOwned, created


class ApiKey(TenantOwned, Base):
    """A partner's key for the JSON API. Shown once; only its hash is kept."""

    __tablename__ = "api_key"

    name: Mapped[str]
    prefix: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    created_at: Mapped[datetime] = created()
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("app_user.id"))
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @property
    def records_payments(self) -> bool:
        return "payments.write" in self.scopes

    @property
    def brings_invoices_in(self) -> bool:
        return "invoices.write" in self.scopes
