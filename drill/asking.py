"""Checkouts and people who go on asking while a deploy rolls: a new connection each time, as nginx in deploy/ makes it."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from storm.checkouts import Request

CLIENTS = 8
PATIENCE = 35.0  # of nginx, in seconds


@dataclass
class Asking:
    """At `rate` requests a second until `stop()`. Nothing is asked twice: what fails has failed.

    `pages` are read with `cookie`; without any, every request is a payment.
    """

    port: int
    key: str
    totals: dict[int, Decimal]
    rate: float
    pages: tuple[str, ...] = ()
    cookie: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0

    def __post_init__(self) -> None:
        self.stopping, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    @property
    def failed(self) -> int:
        return sum(count for status, count in self.answers.items() if status not in (200, 201))

    def said(self) -> str:
        answers = ", ".join(
            f"{count} of {status or 'nothing'}" for status, count in sorted(self.answers.items())
        )
        return f"answers {answers}; failed {self.failed}, slowest {self.slowest:.2f} s"

    def _run(self) -> None:
        pause = CLIENTS / self.rate
        next_at = time.monotonic() + random.uniform(0, pause)
        while not self.stopping.wait(max(0.0, next_at - time.monotonic())):
            began = time.monotonic()
            status = self._ask()
            with self.lock:
                self.answers[status] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
            next_at = max(next_at + pause, time.monotonic())

    def _ask(self) -> int:
        if self.pages and random.random() < 0.5:
            return self._send("GET", random.choice(self.pages), None, {"Cookie": self.cookie})[0]
        request = self._new_payment()
        headers = {
            "Authorization": f"Bearer {self.key}", "Idempotency-Key": request.key, "Content-Type": "application/json",
        }  # fmt: skip
        request.tries = 1
        request.status, said = self._send("POST", "/api/v1/payments", json.dumps(request.body()), headers)
        request.payment_id = said["id"] if request.accepted else None
        return request.status

    def _new_payment(self) -> Request:
        with self.lock:
            invoice, total = self.totals.popitem()
            request = Request(f"drill-{invoice}", invoice, total, datetime.now(UTC).date())
            self.requests.append(request)
        return request

    def _send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, Any]:
        """Status and what was said; 0 where no answer came."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            line.request(method, path, body, headers)
            answer = line.getresponse()
            said = answer.read()
            return answer.status, json.loads(said) if answer.status == 201 else None
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            line.close()
