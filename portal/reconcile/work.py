"""One delivery in a worker's hands: what was claimed, how far it has come, and whom it deals with."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from portal.reconcile.decide import Decision, Known, Marks, Reading
from portal.reconcile.failures import Failure

INVOICES = "Invoices"


@dataclass(frozen=True)
class Claim:
    """A delivery that is ours for 90 seconds, as it stood when it was taken."""

    delivery_id: int
    invoice_id: int
    autotask_id: int
    token: str
    version: int
    wish_paid_on: date | None
    marks: Marks
    known: Known


class Phase(StrEnum):
    READ = "read"
    BEGIN = "begin"
    SEND = "send"
    VERIFY = "verify"
    SETTLE = "settle"
    LEARN = "learn"
    FAIL = "fail"
    RELEASE = "release"
    DONE = "done"


@dataclass(frozen=True)
class Work:
    """How far one delivery has come. `by_put` is the second way of clearing, or of writing where PATCH is none."""

    claim: Claim
    phase: Phase = Phase.READ
    read: Reading | None = None
    decision: Decision | None = None
    by_put: bool = False
    attempt_id: int | None = None
    send_before: float = 0.0
    sent: bool = False
    unknown: bool = False
    refused_with: str = ""
    read_back: Reading | None = None
    failure: Failure | None = None
    outcome: str = ""
    calls: int = 0

    @property
    def target(self) -> date | None:
        """The paid date that Autotask shall show."""
        return self.decision.paid_on if self.decision else None

    @property
    def was_answered(self) -> bool:
        """Autotask showed the invoice."""
        return self.read is not None

    def failed(self, failure: Failure) -> "Work":
        return replace(self, phase=Phase.FAIL, failure=failure)


class Store(Protocol):
    """Where deliveries are kept; every method is one short transaction."""

    def now(self) -> datetime: ...
    def begin(self, work: Work) -> int | None: ...
    def settle(self, work: Work) -> None: ...
    def learn(self, work: Work) -> None: ...
    def fail(self, work: Work) -> None: ...
    def release(self, work: Work) -> None: ...


class Autotask(Protocol):
    """The part of the client that deliveries use."""

    def get(self, entity: str, id: int) -> dict[str, Any]: ...
    def patch(self, entity: str, body: dict[str, Any]) -> None: ...
    def put(self, entity: str, body: dict[str, Any]) -> None: ...
