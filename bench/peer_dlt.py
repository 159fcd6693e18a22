"""The program that bench/peers.py runs in the peers' environment: dlt, Arrow tables, merged by id."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import dlt
import pyarrow
import requests

ENTITIES = {
    "Companies": {"op": "gte", "field": "id", "value": 0},
    "Contacts": {"op": "gte", "field": "id", "value": 0},
    "Invoices": {"op": "gte", "field": "id", "value": 0},
    "BillingItems": {"op": "gt", "field": "invoiceID", "value": 0},
}
counted = {"rows": 0, "requests": 0}


def pages(entity: str, condition: dict[str, Any]) -> Iterator[pyarrow.Table]:
    base = f"{os.environ['PEER_SANDBOX']}/ATServicesRest/V1.0/{entity}/query"
    session = requests.Session()
    session.headers.update({"ApiIntegrationCode": "BENCH", "UserName": os.environ["PEER_USER"]})
    session.headers.update({"Secret": os.environ["PEER_SECRET"]})
    body, url = {"maxRecords": 500, "filter": [condition]}, base
    while url:
        answer = session.post(url, json=body).json()
        counted["requests"] += 1
        counted["rows"] += len(answer["items"])
        rows = [
            {name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()}
            for row in answer["items"]
        ]
        if rows:
            # A column without any value has no type; Arrow's null columns are left out by dlt.
            yield pyarrow.Table.from_pylist(rows)
        url = answer["pageDetails"]["nextPageUrl"]


def main() -> None:
    started = time.perf_counter()
    pipeline = dlt.pipeline(
        "peer", destination=dlt.destinations.postgres(os.environ["PEER_DATABASE"]), dataset_name="peer"
    )
    resources = [
        dlt.resource(
            pages(entity, condition), name=entity.lower(), primary_key="id", write_disposition="merge"
        )
        for entity, condition in ENTITIES.items()
    ]
    pipeline.run(resources)
    print(json.dumps({"seconds": time.perf_counter() - started, **counted}))


if __name__ == "__main__":
    main()
