import pytest
from flask import Flask

from tests.imports.caller import CUSTOMER, Caller


@pytest.fixture
def caller(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Caller:
    monkeypatch.setattr("portal.queue.bell", lambda *_: True)
    made = Caller(app)
    assert made.put("customers/C-1", CUSTOMER).status_code == 201
    return made
