"""The sandbox's own control calls: faults, switches, invoices, the log. No part of the portal is in between."""

from __future__ import annotations

import http.client
import json
import time
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from local.autotask_side import AutotaskSide
from sandbox.embed import INTEGRATION_CODE, SECRET, USERNAME

LONGEST_AWAY = 30.0


class Autotask:
    """The sandbox at a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.discovery_url = f"http://127.0.0.1:{port}/ATServicesRest/V1.0/zoneInformation"

    def add_invoices(self, count: int) -> dict[int, Decimal]:
        """New unpaid invoices of three customers: Autotask ID to total."""
        companies = [self.post("add_company", companyName=f"Customer {n}")["id"] for n in range(3)]
        made: dict[int, Decimal] = {}
        for number in range(1, count + 1):
            total = Decimal(100 + number)
            fields = {"invoiceTotal": str(total), "totalTaxValue": 0, "invoiceNumber": f"STORM-{number}"}
            invoice = self.post("add_invoice", companyID=companies[number % 3], **fields)
            made[invoice["id"]] = total
        return made

    def paid_dates(self, invoices: list[int]) -> dict[int, str | None]:
        """What Autotask's API shows as the paid date of each, YYYY-MM-DD."""
        side = AutotaskSide(self.discovery_url, USERNAME, SECRET, INTEGRATION_CODE)
        return {invoice: side.paid_on(str(invoice)) for invoice in invoices}

    def calls(self) -> int:
        """How many calls of the API there were."""
        return int(sum(self.get("stats")["calls"].values()))

    def get(self, what: str, **query: Any) -> Any:
        return self._call("GET", f"/_sandbox/{what}?{urlencode(query)}")

    def post(self, what: str, **given: Any) -> Any:
        return self._call("POST", f"/_sandbox/{what}", json.dumps(given))

    def _call(self, method: str, path: str, body: str | None = None) -> Any:
        """While the storm plays "away", nobody listens here either: asked again until somebody does."""
        deadline = time.monotonic() + LONGEST_AWAY
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                connection.request(method, path, body)
                answer = connection.getresponse()
                said = json.loads(answer.read())
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                continue
            finally:
                connection.close()
            if answer.status != 200:
                raise RuntimeError(f"The sandbox refused {path}: {said}")
            return said
