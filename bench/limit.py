"""The raw limit: fetch, parse, COPY into a temporary table, one upsert a page. No checks, no ledger, no history.

`python -m bench.limit SANDBOX_URL DATABASE_URL` prints seconds and requests as JSON.
"""

import json
import sys
import time
from typing import Any

import psycopg
import requests

from sandbox.embed import SECRET, USERNAME

TYPES = {"id": "bigint", "companyID": "bigint", "invoiceID": "bigint"}
FIELDS = {
    "Companies": "id companyName companyNumber isActive companyType classification territoryID marketSegmentID "
    "currencyID phone address1 address2 city state postalCode isTaxExempt lastTrackedModifiedDateTime",
    "Contacts": "id companyID firstName lastName emailAddress isActive billingContact primaryContact "
    "lastModifiedDate",
    "Invoices": "id invoiceNumber companyID invoiceDateTime dueDate invoiceTotal totalTaxValue paidDate isVoided "
    "voidedDate createDateTime fromDate toDate orderNumber comments taxRegionName",
    "BillingItems": "id invoiceID companyID itemName description quantity rate extendedPrice taxDollars "
    "totalAmount itemDate billingItemType sortOrderID nonBillable",
}
CONDITIONS = {"BillingItems": {"op": "gt", "field": "invoiceID", "value": 0}}
EVERYTHING = {"op": "gte", "field": "id", "value": 0}


def main(sandbox_url: str, database_url: str) -> None:
    session = requests.Session()
    session.headers.update({"ApiIntegrationCode": "BENCH", "UserName": USERNAME, "Secret": SECRET})
    started, calls, rows = time.perf_counter(), 0, 0
    with psycopg.connect(database_url) as connection:
        for entity, fields in FIELDS.items():
            names = fields.split()
            _make(connection, entity, names)
            body = {"maxRecords": 500, "filter": [CONDITIONS.get(entity, EVERYTHING)]}
            url = f"{sandbox_url}/ATServicesRest/V1.0/{entity}/query"
            while url:
                answer = json.loads(session.post(url, json=body).content)
                calls, rows = calls + 1, rows + len(answer["items"])
                _write(connection, entity, names, answer["items"])
                url = answer["pageDetails"]["nextPageUrl"]
    print(json.dumps({"seconds": time.perf_counter() - started, "requests": calls, "rows": rows}))


def _make(connection: psycopg.Connection[Any], entity: str, names: list[str]) -> None:
    columns = ", ".join(f'"{name}" {TYPES.get(name, "text")}' for name in names)
    indexes = "".join(
        f'CREATE INDEX ON "{entity}" ("{name}");' for name in names if name in TYPES and name != "id"
    )
    connection.execute(
        f'DROP TABLE IF EXISTS "{entity}"; CREATE TABLE "{entity}" ({columns}, PRIMARY KEY (id)); {indexes}'
        f'CREATE TEMP TABLE "stage{entity}" ({columns}) ON COMMIT DELETE ROWS'
    )
    connection.commit()


def _write(
    connection: psycopg.Connection[Any], entity: str, names: list[str], items: list[dict[str, Any]]
) -> None:
    columns = ", ".join(f'"{name}"' for name in names)
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
    old, new = (", ".join(f'{side}."{name}"' for name in names) for side in ("t", "excluded"))
    with connection.cursor() as cursor:
        with cursor.copy(f'COPY "stage{entity}" ({columns}) FROM STDIN') as copy:
            for item in items:
                copy.write_row([item.get(name) for name in names])
        cursor.execute(
            f'INSERT INTO "{entity}" AS t ({columns}) SELECT {columns} FROM "stage{entity}" '
            f"ON CONFLICT (id) DO UPDATE SET {updates} WHERE ({old}) IS DISTINCT FROM ({new})"
        )
    connection.commit()


if __name__ == "__main__":
    main(*sys.argv[1:])
