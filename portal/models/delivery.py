from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, Integer, UniqueConstraint, not_
from sqlalchemy.ext.hybrid import Comparator, hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, TenantOwned, belongs_to, created, one_of
from portal.models.invoice import Invoice


class DeliveryState(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    CONFIRMED = "confirmed"
    PARKED = "parked"
    CLOSED = "closed"


STORED = [state for state in DeliveryState if state != DeliveryState.CLOSED]


class _State(Comparator[str]):
    """`Delivery.state` in conditions, written so that an index of the column serves them."""

    def __eq__(self, other: object) -> Any:
        return self.in_((other,))

    def __ne__(self, other: object) -> Any:
        if other in (DeliveryState.PARKED, DeliveryState.CLOSED):
            return not_(self == other)
        return Delivery.stored_state != other

    def in_(self, other: Any) -> Any:
        states = set(other)
        stored = sorted(states - {DeliveryState.CLOSED})
        found = Delivery.stored_state == stored[0] if len(stored) == 1 else Delivery.stored_state.in_(stored)
        if states >= {DeliveryState.PARKED, DeliveryState.CLOSED}:
            return found
        if DeliveryState.PARKED in states:
            return found & Delivery.closed_at.is_(None)
        return found | Delivery.closed_at.is_not(None) if DeliveryState.CLOSED in states else found


class Delivery(TenantOwned, Base):
    """What Autotask should show for one invoice: paid on `wish_paid_on`, or not paid (null).

    `our_mark_on` is the paid date the portal wrote, or may have written; any other date is Autotask's own.
    `shown_on` is the paid date of ours that was last read back there, until we cleared it. `look_at` is when the
    sweep compares both sides again. `closed`: the invoice is gone in Autotask and archived here (ledger/closing.py);
    stored as parked with `closed_at`, which the release before does not know. The database empties `closed_at` when
    anybody else than closing.py writes a state that is not parked.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("tenant_id", "invoice_id"),
        belongs_to("invoice_id", "invoice"),
        one_of("state", STORED),
        Index("ix_delivery_due", "next_try_at", postgresql_where="state <> 'confirmed'"),
        Index("ix_delivery_look", "look_at", postgresql_where="look_at IS NOT NULL"),
        Index(None, "tenant_id", "state"),
        Index(None, "tenant_id", "wished_at", "id"),
    )

    invoice_id: Mapped[int]
    wish_paid_on: Mapped[date | None]
    wish_version: Mapped[int] = mapped_column(Integer, server_default="1")
    done_version: Mapped[int] = mapped_column(Integer, server_default="0")
    our_mark_on: Mapped[date | None]
    shown_on: Mapped[date | None]
    stored_state: Mapped[str] = mapped_column("state")
    closed_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_try_at: Mapped[datetime | None]
    look_at: Mapped[datetime | None]
    lease_token: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    error_kind: Mapped[str | None]
    error: Mapped[str | None]
    wished_at: Mapped[datetime] = created()
    sent_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = created()

    invoice: Mapped[Invoice] = relationship(viewonly=True)

    @hybrid_property
    def state(self) -> str:
        """Where it stands; in conditions too."""
        return DeliveryState.CLOSED if self.closed_at is not None else self.stored_state

    @property
    def is_parked(self) -> bool:
        return self.state == DeliveryState.PARKED

    @property
    def is_confirmed(self) -> bool:
        return self.state == DeliveryState.CONFIRMED

    @property
    def is_closed(self) -> bool:
        return self.state == DeliveryState.CLOSED

    @state.inplace.setter
    def _state_setter(self, state: str) -> None:
        self.stored_state, self.closed_at = state, None

    @state.inplace.comparator
    @classmethod
    def _state_comparator(cls) -> _State:
        return _State(cls.stored_state)


class AttemptOutcome(StrEnum):
    STARTED = "started"
    CONFIRMED = "confirmed"
    NOTHING_TO_DO = "nothing_to_do"
    RETRY = "retry"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    OVERTAKEN = "overtaken"


class DeliveryAttempt(TenantOwned, Base):
    """One try to make Autotask match, written before anything is sent.

    `wrote` is the ISO date sent, or `null` for a clearing. Until `may_land_until` the write may still arrive
    in Autotask without us having seen it there.
    """

    __tablename__ = "delivery_attempt"
    __table_args__ = (
        belongs_to("delivery_id", "delivery"),
        one_of("outcome", AttemptOutcome),
        Index(None, "tenant_id", "delivery_id"),
        Index("ix_delivery_attempt_open", "tenant_id", postgresql_where="may_land_until IS NOT NULL"),
    )

    delivery_id: Mapped[int]
    wish_version: Mapped[int] = mapped_column(Integer)
    wish_paid_on: Mapped[date | None]
    outcome: Mapped[str]
    wrote: Mapped[str | None]
    seen_before: Mapped[date | None]
    seen_after: Mapped[date | None]
    error: Mapped[str | None]
    calls: Mapped[int] = mapped_column(Integer, server_default="0")
    started_at: Mapped[datetime] = created()
    may_land_until: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @property
    def was_sent(self) -> bool:
        """Something went out to Autotask, whatever it said."""
        return self.wrote is not None
