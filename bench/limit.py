"""The raw limit: what a careful loop needs that only copies. It writes the portal's own tables, with their indexes,
constraints and row-level security: fetch with exact decimals, COPY into a temporary table, one upsert a page.

It checks nothing, keeps no history, and knows neither filters, nor payments, nor a run that can be taken up again.
`python -m bench.limit SANDBOX_URL DATABASE_URL` prints seconds, requests and rows as JSON.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import psycopg
import requests

from bench.limit_tables import COPIES, Copy
from sandbox.embed import SECRET, USERNAME

Connection = psycopg.Connection[Any]


def main(sandbox_url: str, database_url: str) -> None:
    started, calls, rows = time.perf_counter(), 0, 0
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT set_config('app.tenant_id', '1', false)")
        for copied in COPIES:
            connection.execute(copied.create_stage)
            connection.commit()
            for page in _pages(sandbox_url, copied):
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


def _write(connection: Connection, copied: Copy, page: Sequence[dict[str, Any]]) -> None:
    with connection.cursor() as cursor:
        with cursor.copy(copied.copy) as copy:
            for item in page:
                copy.write_row(copied.row(item))
        cursor.execute(copied.upsert)
    connection.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
