"""What Autotask itself says, asked over its API with the check's own login: the portal is not in between."""

from __future__ import annotations

from typing import Any

import requests

SECONDS = 20


class AutotaskSide:
    """Reads single invoices. `discovery_url` is the address of zone discovery, without `?user=`."""

    def __init__(self, discovery_url: str, username: str, secret: str, integration_code: str) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(
            {"UserName": username, "Secret": secret, "ApiIntegrationCode": integration_code}
        )
        zone = self._json(discovery_url, user=username)
        self.base = zone["url"].rstrip("/")

    def paid_on(self, invoice_id: str) -> str | None:
        """`paidDate` as a day, YYYY-MM-DD, or None while Autotask shows the invoice as unpaid."""
        item = self._json(f"{self.base}/V1.0/Invoices/{invoice_id}")["item"]
        return str(item["paidDate"])[:10] if item["paidDate"] else None

    def _json(self, url: str, **query: str) -> Any:
        answer = self.session.get(url, params=query, timeout=SECONDS)
        answer.raise_for_status()
        return answer.json()
