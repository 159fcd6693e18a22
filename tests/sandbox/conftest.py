"""A sandbox of the test's own, and a client whose every answer is judged by the vendor's Swagger models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sandbox import Sandbox
from tests.sandbox import swagger

TODAY = date(2026, 11, 20)
EVERYTHING: dict[str, Any] = {"filter": [{"op": "gte", "field": "id", "value": 0}]}


class Api:
    """The API as a client sees it. `path` is below V1.0, or a whole URL."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(sandbox.headers)
        self.session.headers["Content-Type"] = "application/json"
        self.judged = True

    def call(self, method: str, path: str, **kw: Any) -> requests.Response:
        url = path if "://" in path else f"{self.sandbox.api_url}V1.0/{path}"
        answer = self.session.request(method, url, timeout=20, allow_redirects=False, **kw)
        if self.judged:
            below = urlsplit(answer.url).path.split("ATServicesRest", 1)[1]
            swagger.check(method, below, answer.status_code, answer.content)
        return answer

    def get(self, path: str, **kw: Any) -> requests.Response:
        return self.call("GET", path, **kw)

    def post(self, path: str, body: Any = None, **kw: Any) -> requests.Response:
        return self.call("POST", path, json=body, **kw)

    def patch(self, path: str, body: Any, **kw: Any) -> requests.Response:
        return self.call("PATCH", path, json=body, **kw)

    def put(self, path: str, body: Any, **kw: Any) -> requests.Response:
        return self.call("PUT", path, json=body, **kw)

    def query(self, entity: str, *conditions: dict[str, Any], **model: Any) -> list[dict[str, Any]]:
        """The first page's items."""
        answer = self.post(f"{entity}/query", {"filter": list(conditions), **model})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def ids(self, entity: str, *conditions: dict[str, Any], **model: Any) -> list[int]:
        return [item["id"] for item in self.query(entity, *conditions, **model)]

    def refusal(self, answer: requests.Response) -> str:
        """The one text of a validation error."""
        assert answer.status_code == 500, answer.text
        texts: list[str] = answer.json()["errors"]
        assert len(texts) == 1
        return texts[0]


def where(field: str, op: str, value: Any = None, **more: Any) -> dict[str, Any]:
    """One condition of a filter."""
    return {"op": op, "field": field, "value": value, **more}


@pytest.fixture
def start() -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes that stop with the test."""
    started: list[Sandbox] = []

    def make(**kw: Any) -> Sandbox:
        started.append(Sandbox(**{"seed": 7, "customers": 0, "invoices": 0, "today": TODAY, **kw}).start())
        return started[-1]

    yield make
    for one in started:
        one.stop()


@pytest.fixture
def sb(start: Callable[..., Sandbox]) -> Sandbox:
    """An empty Autotask: reference data only."""
    return start()


@pytest.fixture
def api(sb: Sandbox) -> Iterator[Api]:
    made = Api(sb)
    yield made
    made.session.close()


@pytest.fixture
def raw(api: Api) -> Api:
    """The same client without the judge, for answers that faults have spoilt."""
    api.judged = False
    return api


@pytest.fixture(scope="module")
def seeded() -> Iterator[Sandbox]:
    """An Autotask with 20 customers and 120 invoices, shared by tests that only read."""
    with Sandbox(seed=7, customers=20, invoices=120, today=TODAY) as made:
        yield made


@pytest.fixture
def seeded_api(seeded: Sandbox) -> Iterator[Api]:
    made = Api(seeded)
    yield made
    made.session.close()
