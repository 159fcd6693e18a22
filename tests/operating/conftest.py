"""A portal in which all is well: every process was heard of a moment ago."""

import pytest
from flask import Flask

from portal.models import Heartbeat
from portal.operating import latest
from portal.queue.names import PROCESSES


@pytest.fixture
def well(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    from portal.extensions import db

    monkeypatch.setattr(latest, "LOOK_AGAIN", 0.0)
    with app.app_context():
        db.session.add_all(Heartbeat(process=process, host="here") for process in PROCESSES)
        db.session.commit()
    return app
