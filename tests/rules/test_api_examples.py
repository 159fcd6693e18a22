"""The examples of docs/api.md are run as they stand, with curl, against the portal."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.access import api_keys
from portal.extensions import db
from tests import factories
from tests.browser.serving import serve

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
EXAMPLE = re.compile(r"^    curl .*(?:\n      .*)*", re.MULTILINE)


@pytest.fixture
def shell(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment in which a person runs the examples."""
    monkeypatch.setattr("portal.queue.bell", lambda *_: True)
    with app.app_context(), factories.inside(factories.tenant("northwind")):
        _, secret = api_keys.create(factories.ACTOR, "ERP", list(api_keys.Scope))
        db.session.commit()
    with serve(app) as address:
        yield os.environ | {"PORTAL": address, "KEY": secret}


def run(example: str, shell: dict[str, str]) -> tuple[int, Any]:
    command = example.strip().replace("curl ", "curl -s -m 30 -w '\\n%{http_code}' ", 1)
    done = subprocess.run(["sh", "-c", command], env=shell, capture_output=True, text=True, check=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def test_every_example_of_the_page_does_what_it_says(shell: dict[str, str]) -> None:
    examples = EXAMPLE.findall(PAGE)
    assert len(examples) == PAGE.count("    curl ") == 9
    customer, invoice, batch, one, customers = [run(example, shell) for example in examples[:5]]
    assert [status for status, _ in (customer, invoice, batch, one, customers)] == [201, 201, 200, 200, 200]
    assert invoice[1]["amount_due"] == "130.90"
    assert [row["result"] for row in batch[1]["data"]] == ["created", "refused"]
    assert [row["number"] for row in one[1]["data"]] == ["2026-1001"]
    assert [row["external_id"] for row in customers[1]["data"]] == ["C-17"]
    statement = run(examples[5].replace("customers/1/", f"customers/{customer[1]['id']}/"), shell)
    assert statement[1]["currencies"][0]["closing"] == "180.90"
    heard = run(examples[6], shell)[1]
    assert (heard["data"], heard["has_more"]) == ([], False)
    payment = examples[7].replace('"invoice_id": 1,', f'"invoice_id": {invoice[1]["id"]},')
    assert run(payment, shell)[0] == 201
    paid = run(payment, shell)[1]
    assert paid["amount"] == "119.00"
    back = run(examples[8].replace("payments/1/", f"payments/{paid['id']}/"), shell)
    assert (back[0], back[1]["state"], back[1]["amount"]) == (201, "part_refunded", "100.00")
