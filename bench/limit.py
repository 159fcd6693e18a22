"""The raw limit: what a careful loop needs that only copies. It writes the portal's own tables, with their indexes,
constraints and row-level security: fetch with exact decimals, COPY into a temporary table, one upsert a page.

It checks nothing, keeps no history, and knows neither filters, nor payments, nor a run that can be taken up again.
`python -m bench.limit SANDBOX_URL DATABASE_URL [3]` prints seconds, requests and rows as JSON; with a number, so many
calls are made at a time, for ranges of ids that it knows to be without gaps.
"""

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import requests

from bench.limit_tables import COPIES, Copy
from sandbox.embed import SECRET, USERNAME

Connection = psycopg.Connection[Any]


def main(sandbox_url: str, database_url: str, at_once: str = "1") -> None:
    started, calls, rows = time.perf_counter(), 0, 0
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT set_config('app.tenant_id', '1', false)")
        for copied in COPIES:
            connection.execute(copied.create_stage)
            connection.commit()
            pages = (
                _side_by_side(sandbox_url, copied, int(at_once))
                if at_once != "1"
                else _pages(sandbox_url, copied)
            )
            for page in pages:
                _write(connection, copied, page)
                calls, rows = calls + 1, rows + len(page)
    print(json.dumps({"seconds": time.perf_counter() - started, "requests": calls, "rows": rows}))


def _pages(sandbox_url: str, copied: Copy) -> Iterator[Sequence[dict[str, Any]]]:
    body: dict[str, Any] = {"maxRecords": 500, "filter": [copied.condition]}
    if "userDefinedFields" not in copied.fields:  # those come only with all fields
        body["includeFields"] = list(copied.fields)
    url = f"{sandbox_url}/ATServicesRest/V1.0/{copied.entity}/query"
    with requests.Session() as session:
        session.headers.update({"ApiIntegrationCode": "BENCH", "UserName": USERNAME, "Secret": SECRET})
        while url:
            answer = json.loads(session.post(url, json=body).content, parse_float=Decimal)
            yield answer["items"]
            url = answer["pageDetails"]["nextPageUrl"]


def _side_by_side(sandbox_url: str, copied: Copy, at_once: int) -> Iterator[Sequence[dict[str, Any]]]:
    """The first page tells where ids begin; then every 500 of them are a page, until all that are counted came."""
    url = f"{sandbox_url}/ATServicesRest/V1.0/{copied.entity}/query"
    lines = threading.local()

    def ask(low: int, high: int | None = None) -> Sequence[dict[str, Any]]:
        if not hasattr(lines, "session"):
            lines.session = requests.Session()
            lines.session.headers.update(
                {"ApiIntegrationCode": "BENCH", "UserName": USERNAME, "Secret": SECRET}
            )
        wanted = [copied.condition, {"op": "gt", "field": "id", "value": low}]
        wanted += [{"op": "lte", "field": "id", "value": high}] if high else []
        body: dict[str, Any] = {"maxRecords": 500, "filter": wanted}
        if "userDefinedFields" not in copied.fields:
            body["includeFields"] = list(copied.fields)
        found: Sequence[dict[str, Any]] = json.loads(
            lines.session.post(url, json=body).content, parse_float=Decimal
        )["items"]
        return found

    first, left = ask(-1), _count(url, copied)
    yield first
    low = first[-1]["id"] if first else 0
    left -= len(first)
    with ThreadPoolExecutor(at_once) as threads:
        coming = deque[Future[Sequence[dict[str, Any]]]]()
        while left > 0:
            while len(coming) <= at_once:
                coming.append(threads.submit(ask, low, low + 500))
                low += 500
            page = coming.popleft().result()
            left -= len(page)
            yield page


def _count(url: str, copied: Copy) -> int:
    headers = {"ApiIntegrationCode": "BENCH", "UserName": USERNAME, "Secret": SECRET}
    body = {"filter": [copied.condition]}
    found: int = requests.post(f"{url}/count", json=body, headers=headers, timeout=60).json()["queryCount"]
    return found


def _write(connection: Connection, copied: Copy, page: Sequence[dict[str, Any]]) -> None:
    with connection.cursor() as cursor:
        with cursor.copy(copied.copy) as copy:
            for item in page:
                copy.write_row(copied.row(item))
        cursor.execute(copied.upsert)
    connection.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
