"""Checkouts that pay invoices through the JSON API, and repeat a request until they have an answer."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

ANSWER_SECONDS = 5.0
REPEAT_AFTER = (0.05, 0.4)
ASK_AGAIN = {0, 429, 500, 502, 503, 504}
DELETED, DELETED_BEFORE = 200, 409


@dataclass
class Deletion:
    """A payment's deletion as its checkout saw it. `status` 0: never answered."""

    status: int = 0
    tries: int = 0

    @property
    def accepted(self) -> bool:
        """409 says that it is deleted already: an earlier try of this one was, and its answer got lost."""
        return self.status == DELETED or (self.status == DELETED_BEFORE and self.tries > 1)


@dataclass
class Request:
    """A payment as its checkout saw it; `key` is the Idempotency-Key and the payment's reference."""

    key: str
    invoice: int
    amount: Decimal
    paid_on: date
    status: int = 0
    tries: int = 0
    payment_id: int | None = None
    deletion: Deletion | None = None

    @property
    def accepted(self) -> bool:
        return self.status == 201

    def body(self) -> dict[str, Any]:
        return {
            "allocations": [{"autotask_id": self.invoice, "amount": f"{self.amount:.2f}"}],
            "method": "card",
            "paid_on": self.paid_on.isoformat(),
            "reference": self.key,
        }


class Checkout(threading.Thread):
    """One client. Told to stop, it still gets its answers, until `give_up` (monotonic seconds)."""

    def __init__(
        self, name: str, port: int, api_key: str, invoices: Mapping[int, Decimal], chance: random.Random
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.port, self.api_key, self.invoices, self.random = port, api_key, invoices, chance
        self.pause, self.give_up = 0.5, float("inf")
        self.requests: list[Request] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        with Line(self.port, self.api_key) as line:
            while not self.stopping.wait(self.random.uniform(0, 2 * self.pause)):
                payable = [one for one in self.requests if one.accepted and one.deletion is None]
                if payable and self.random.random() < 0.3:
                    self._take_back(line, self.random.choice(payable))
                else:
                    self._pay(line)

    def _pay(self, line: Line) -> None:
        invoice = self.random.choice(list(self.invoices))
        share = self.random.choice((Decimal(1), Decimal(1), Decimal(1), Decimal("0.5")))
        key = f"{self.name}-{len(self.requests) + 1}"
        paid_on = datetime.now(UTC).date() - timedelta(days=self.random.randrange(20))
        request = Request(key, invoice, self.invoices[invoice] * share, paid_on)
        self.requests.append(request)
        headers = {"Idempotency-Key": key}
        while request.status in ASK_AGAIN and time.monotonic() < self.give_up:
            request.tries += 1
            request.status, answer = line.ask("POST", "/api/v1/payments", request.body(), headers)
            self._breathe(request.status)
        if request.accepted:
            request.payment_id = answer["id"]

    def _take_back(self, line: Line, request: Request) -> None:
        request.deletion = deletion = Deletion()
        path = f"/api/v1/payments/{request.payment_id}"
        while deletion.status in ASK_AGAIN and time.monotonic() < self.give_up:
            deletion.tries += 1
            deletion.status, _ = line.ask("DELETE", path, {"reason": "The storm takes it back"}, {})
            self._breathe(deletion.status)

    def _breathe(self, status: int) -> None:
        if status in ASK_AGAIN:
            time.sleep(self.random.uniform(*REPEAT_AFTER))


class Line:
    """A kept connection to the web; a new one after every trouble."""

    def __init__(self, port: int, api_key: str) -> None:
        self.headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(self, method: str, path: str, body: Any, more: Mapping[str, str]) -> tuple[int, Any]:
        """Status and JSON of the answer; (0, None) when none came, whatever was done there."""
        try:
            self.connection.request(method, path, json.dumps(body), {**self.headers, **more})
            answer = self.connection.getresponse()
            status, said = answer.status, answer.read()
            return status, json.loads(said) if status < 500 else None
        except (OSError, http.client.HTTPException, ValueError):
            self.connection.close()
            return 0, None
