"""`python -m sandbox.measure`: how long the start and pages of 500 take, with much data."""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import time
from typing import Any

from sandbox.embed import Sandbox

PAGES = 40
QUERIES: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("Invoices", "all", [{"op": "gt", "field": "id", "value": 0}]),
    ("Invoices", "unpaid", [{"op": "notExist", "field": "paidDate"}]),
    ("BillingItems", "all", [{"op": "gt", "field": "id", "value": 0}]),
    (
        "BillingItems",
        "of 400 invoices",
        [{"op": "in", "field": "invoiceID", "value": list(range(10_001, 10_401))}],
    ),
    ("Companies", "all", [{"op": "gte", "field": "id", "value": 0}]),
]


def pages(sandbox: Sandbox, entity: str, conditions: list[dict[str, Any]]) -> list[float]:
    """Milliseconds from the request to the last byte, for each page of 500."""
    line = http.client.HTTPConnection("127.0.0.1", sandbox.port)
    body = json.dumps({"filter": conditions}).encode()
    path = f"/ATServicesRest/V1.0/{entity}/query"
    took: list[float] = []
    while path and len(took) < PAGES:
        start = time.perf_counter()
        line.request("POST", path, body, {**sandbox.headers, "Content-Type": "application/json"})
        found = line.getresponse().read()
        took.append((time.perf_counter() - start) * 1000)
        path = (json.loads(found)["pageDetails"]["nextPageUrl"] or "").removeprefix(sandbox.url)
    line.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.measure", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_200)
    parser.add_argument("--invoices", type=int, default=100_000)
    options = parser.parse_args()
    start, busy = time.perf_counter(), time.process_time()
    sandbox = Sandbox(7, options.customers, options.invoices, threshold=10**9).start()
    took, used = time.perf_counter() - start, time.process_time() - busy
    counts = ", ".join(
        f"{sandbox.count(name):,} {name}" for name in ("Companies", "Invoices", "BillingItems")
    )
    print(f"start: {took:.1f} s ({used:.1f} s of processor) for {counts}")
    for entity, name, conditions in QUERIES:
        times = pages(sandbox, entity, conditions)
        print(
            f"{entity} {name}: median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms, {len(times)} pages"
        )
    sandbox.stop()


if __name__ == "__main__":
    main()
