"""What every table shares: naming, column kinds, and the tenant that owns a row."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    Numeric,
    String,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from portal.money import LARGEST

# A rounded amount, and an amount as Autotask sent it. NaN sorts above every number in PostgreSQL, so the
# bounds below keep it out as well.
AMOUNT = Numeric(18, 4)
Amount = Annotated[Decimal, mapped_column(AMOUNT)]
RawAmount = Annotated[Decimal, mapped_column(Numeric(20, 6))]
Instant = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Day = Annotated[date, mapped_column(Date)]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]
Currency = Annotated[str, mapped_column(String(3))]


class Base(DeclarativeBase):
    """The declarative base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text, int: BigInteger, datetime: DateTime(timezone=True)}


class TenantOwned:
    """A row of one partner: the key is (tenant_id, id), and row-level security hides it from all others."""

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), primary_key=True)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)


def belongs_to(column: str, table: str, *, on_delete: str | None = None) -> ForeignKeyConstraint:
    """A foreign key that cannot cross tenants: (tenant_id, column) to (tenant_id, id) of `table`."""
    return ForeignKeyConstraint(
        ["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"], ondelete=on_delete
    )


def bounded(*columns: str, least: str = f"-{LARGEST}") -> list[CheckConstraint]:
    """Checks that keep NaN, infinities and absurd sizes out of money columns."""
    return [
        CheckConstraint(f"{name} BETWEEN {least} AND {LARGEST}", name=f"{name}_bounded") for name in columns
    ]


def by_external_id(table: str) -> Index:
    """Finds the one row of a partner that its own system calls so."""
    return Index(
        f"uq_{table}_external_id",
        "tenant_id",
        "external_id",
        unique=True,
        postgresql_where="external_id IS NOT NULL",
    )


def never_staff(person: str) -> tuple[ForeignKeyConstraint, CheckConstraint]:
    """The person of this column is no support staff, whoever writes it; beside a column `person_is_staff`."""
    return (
        ForeignKeyConstraint([person, "person_is_staff"], ["app_user.id", "app_user.is_staff"]),
        CheckConstraint("NOT person_is_staff", name="never_staff"),
    )


def one_of(column: str, states: Iterable[StrEnum]) -> CheckConstraint:
    """A check that a text column holds one of an enum's values."""
    values = ", ".join(f"'{state.value}'" for state in states)
    return CheckConstraint(f"{column} IN ({values})", name=f"{column}_known")


def created() -> Mapped[datetime]:
    """An instant that the database fills in when the row is made."""
    return mapped_column(DateTime(timezone=True), server_default=func.now())
